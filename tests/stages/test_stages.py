"""The stage functions on real input: digits, ResNet20, OpenVINO and NNCF."""

import re
from dataclasses import replace

import numpy as np
import openvino as ov
import pyarrow.parquet as pq
import pytest

from farm.axes import Algorithm, Model
from farm.catalog.algorithms import AccuracyAware
from farm.data import imageset
from farm.errors import DataError
from farm.plan.facts import Synthesized
from farm.plan.stage import numbered
from farm.stages import evaluate, export, quantize, synthesize
from tests.stages.bench import (
    DIGITS,
    PLAIN,
    evaluation,
    exportation,
    factory,
    quantization,
    synthesis,
)


def test_export_leaves_an_fp32_ir_with_a_dynamic_batch(exported):
    facts, folder = exported
    model = ov.Core().read_model(folder / "model.xml")
    assert model.input().partial_shape.to_string() == "[?,3,32,32]"
    constants = [op for op in model.get_ops() if op.get_type_name() == "Constant" and op.get_element_type().is_real()]
    assert {op.get_element_type() for op in constants} == {ov.Type.f32}
    assert facts.classes == 10
    assert 1.0 < facts.size_mib < 1.3
    assert facts.probe_difference < export.PROBE_TOLERANCE


def test_layers_of_a_pytorch_model_have_its_modules_names(exported):
    names = {op.get_friendly_name() for op in ov.Core().read_model(exported[1] / "model.xml").get_ops()}
    assert {"conv1", "layer1.0.conv1", "layer3.2.conv2", "layer2.0.downsample.0", "fc"} <= names


def test_export_refuses_a_model_that_gives_no_logits(bench):
    with pytest.raises(DataError, match=r"logits of shape \(batch, classes\), not"):
        bench.run(export.run, exportation(factory("feature_map")))


def test_fp32_ir_says_the_same_as_pytorch_of_every_image(bench, exported):
    _, theirs = bench.run(evaluate.run, evaluation(model=Model(name="resnet20")), files={"weights": DIGITS})
    facts, ours = bench.run(evaluate.run, evaluation(), {"model": exported[1]})
    assert facts.n_images == 599
    assert facts.top1 > 0.98
    assert_same_but_for_ties(ours, theirs)


def assert_same_but_for_ties(ours, theirs):
    ours, theirs = (pq.read_table(folder / "predictions.parquet") for folder in (ours, theirs))
    different = ours["prediction"].to_numpy() != theirs["prediction"].to_numpy()
    assert (theirs["gap"].to_numpy()[different] < 1e-3).all()


def test_int8_keeps_the_accuracy_and_counts_its_layers(bench, quantized):
    facts, folder = quantized
    assert facts.int8_layers == facts.weighted_layers == 22
    assert facts.subset_size == 100
    assert facts.size_mib < 0.5
    said, _ = bench.run(evaluate.run, evaluation(), {"model": folder})
    assert said.top1 > 0.98


def test_an_ignored_scope_keeps_layers_in_fp32(bench, small):
    _, shard = bench.run(synthesize.run, synthesis("noise", 0, 8, size=(32, 32)))
    parameters = quantization(ignored_scope=("conv",), preset="mixed", subset_size=4)
    facts, _ = bench.run(quantize.run, parameters, {"model": small, "calibration": shard})
    assert (facts.int8_layers, facts.weighted_layers) == (1, 2)
    assert facts.subset_size == 4


def test_an_ignored_scope_that_matches_no_layer_lists_names(bench, exported):
    _, shard = bench.run(synthesize.run, synthesis("noise", 0, 2, size=(32, 32)))
    ir = exported[1] / "model.xml"
    parameters = quantization(ignored_scope=("fc", "layer7.0.conv1"))
    with pytest.raises(DataError) as caught:
        bench.run(quantize.run, parameters, {"model": exported[1], "calibration": shard})
    text = str(caught.value)
    assert "no layer's name matches 'layer7.0.conv1' from its start on" in text
    assert "near it: layer" in text
    assert "Layers with weights: conv1, layer1.0.conv1, layer1.0.conv2," in text
    assert "and 14 more" in text
    assert text.endswith(f"the `name`s in {ir}")


def test_calibration_images_of_another_size_say_both_sizes(bench, exported):
    _, shard = bench.run(synthesize.run, synthesis("noise", 0, 8, size=(48, 40)))
    with pytest.raises(DataError, match=r"48.*40.*32|32.*48.*40"):
        bench.run(quantize.run, quantization(), {"model": exported[1], "calibration": shard})


@pytest.mark.parametrize(("network", "text"), [("seven", "tells 7 classes apart, the dataset has 10"), ("nan", "NaN")])
def test_a_model_that_does_not_go_with_the_dataset_is_refused(bench, network, text):
    with pytest.raises(DataError, match=text):
        bench.run(evaluate.run, evaluation(PLAIN, model=factory(network)))


def test_evaluate_writes_a_row_an_image_in_order(bench):
    facts, folder = bench.run(evaluate.run, evaluation(PLAIN, count=250, model=factory("ten")))
    table = pq.read_table(folder / "predictions.parquet")
    assert table.column_names == ["index", "label", "prediction", "score", "gap"]
    assert table["index"].to_pylist() == list(range(250))
    right = table["prediction"].to_numpy() == table["label"].to_numpy()
    assert facts.top1 == pytest.approx(right.mean())
    assert (table["gap"].to_numpy() >= 0).all()


NOISE = {"seed": 3, "size": (8, 8)}


def test_synthesize_writes_a_range_of_a_set_and_says_what_it_is(bench):
    facts, folder = bench.run(synthesize.run, synthesis("noise", 256, 300, **NOISE))
    assert facts.images_per_s > 0
    assert replace(facts, images_per_s=None) == Synthesized(n_images=44, size=(8, 8), device="cpu")
    assert pq.read_table(folder / "images.parquet")["index"].to_pylist() == list(range(256, 300))


def test_shards_of_a_set_are_the_set(bench):
    _, one = bench.run(synthesize.run, synthesis("noise", 0, 600, **NOISE))
    parts = [
        bench.run(synthesize.run, synthesis("noise", start, stop, **NOISE))[1] for start, stop in ((0, 256), (256, 600))
    ]
    whole, joined = (imageset.read(*(each / "images.parquet" for each in folders)) for folders in ([one], parts))
    assert np.array_equal(joined.block(0, 600).images, whole.block(0, 600).images)


def test_synthesize_says_every_few_seconds_how_far_it_is(bench, monkeypatch):
    monkeypatch.setattr(synthesize, "SAY_EVERY_S", 0.0)
    said = []
    say = lambda text, share: said.append((re.sub(r"[\d,]+ images/s", "N images/s", text), share))  # noqa: E731
    bench.run(synthesize.run, synthesis("noise", 512, 1124, **NOISE), cores=1, say=say)
    assert said == [
        ("256 of 612 images, N images/s", 256 / 612),
        ("512 of 612 images, N images/s", 512 / 612),
    ]


def test_a_quantization_reads_its_shards_in_their_order(bench, small):
    """Of images in another order NNCF would take others: the first ones."""
    _, whole = bench.run(synthesize.run, synthesis("digits", 0, 600))
    parts = [bench.run(synthesize.run, synthesis("digits", start, start + 50))[1] for start in range(0, 600, 50)]
    shards = numbered("calibration", parts)
    assert len(shards) == 12, "so that the tenth comes after the second"
    shuffled = dict(sorted(shards.items(), reverse=True))
    found = [
        bench.run(quantize.run, quantization(subset_size=120), {"model": small, **inputs})[1]
        for inputs in ({"calibration": whole}, shuffled)
    ]
    assert (found[0] / "model.bin").read_bytes() == (found[1] / "model.bin").read_bytes()


def test_images_without_labels_from_several_shards_are_judged_by_the_model_and_those_with_labels_by_them(bench, small):
    parameters = AccuracyAware(max_drop=0.5, subset_size=20, max_iterations=0).model_dump()
    algorithm = Algorithm(name="accuracy-aware", options=parameters)
    task = replace(quantization(), algorithm=algorithm, metric="top1")
    for source, labels in (("noise", "model"), ("digits", "given")):
        size = {"size": (32, 32)} if source == "noise" else {}
        parts = [bench.run(synthesize.run, synthesis(source, start, start + 20, **size))[1] for start in (0, 20)]
        facts, _ = bench.run(quantize.run, task, {"model": small, **numbered("calibration", parts)})
        assert (facts.control.control_labels, facts.control.control_images) == (labels, 40)
