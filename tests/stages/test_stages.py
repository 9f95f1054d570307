"""The stage functions on real input: digits, ResNet20, OpenVINO and NNCF."""

import numpy as np
import openvino as ov
import pyarrow.parquet as pq
import pytest

from farm.errors import DataError
from farm.stages import evaluate, export, quantize, synthesize
from tests.stages.conftest import DIGITS, DIGITS_PREPROCESSING, PLAIN, exportation, factory, quantize_parameters


def evaluation(runtime, preprocessing=DIGITS_PREPROCESSING, count=None, **more):
    dataset = {"name": "digits", "count": count}
    return {
        "runtime": runtime, "device": "CPU", "precision": "f32", "dataset": dataset, "preprocessing": preprocessing,
        "metric": "top1",
    } | more  # fmt: skip


def test_export_leaves_an_fp32_ir_with_a_dynamic_batch(exported):
    facts, folder = exported
    model = ov.Core().read_model(folder / "model.xml")
    assert model.input().partial_shape.to_string() == "[?,3,32,32]"
    constants = [op for op in model.get_ops() if op.get_type_name() == "Constant" and op.get_element_type().is_real()]
    assert {op.get_element_type() for op in constants} == {ov.Type.f32}
    assert facts["classes"] == 10
    assert 1.0 < facts["size_mib"] < 1.3
    assert facts["probe_difference"] < export.PROBE_TOLERANCE


def test_export_refuses_a_model_that_gives_no_logits(bench):
    with pytest.raises(DataError, match=r"logits of shape \(batch, classes\), not \(2, 4, 30, 30\)"):
        bench.run(export.run, exportation(factory("feature_map")))


def test_fp32_ir_says_the_same_as_pytorch_of_every_image(bench, exported):
    _, theirs = bench.run(evaluate.run, evaluation("pytorch", model={"name": "resnet20"}), files={"weights": DIGITS})
    facts, ours = bench.run(evaluate.run, evaluation("openvino"), {"model": exported[1]})
    assert facts["n_images"] == 599
    assert facts["top1"] > 0.98
    assert_same_but_for_ties(ours, theirs)


def assert_same_but_for_ties(ours, theirs):
    ours, theirs = (pq.read_table(folder / "predictions.parquet") for folder in (ours, theirs))
    different = ours["prediction"].to_numpy() != theirs["prediction"].to_numpy()
    assert (theirs["gap"].to_numpy()[different] < 1e-3).all()


def test_int8_keeps_the_accuracy_and_counts_its_layers(bench, quantized):
    facts, folder = quantized
    assert facts["int8_layers"] == facts["weighted_layers"] == 22
    assert facts["subset_size"] == 100
    assert facts["size_mib"] < 0.5
    said, _ = bench.run(evaluate.run, evaluation("openvino"), {"model": folder})
    assert said["top1"] > 0.98


def test_an_ignored_scope_keeps_layers_in_fp32(bench, exported):
    _, shard = bench.run(synthesize.run, {"source": "noise", "count": 8, "seed": 0, "size": (32, 32)})
    parameters = quantize_parameters(ignored_scope=(".*fc.*",), preset="mixed", subset_size=4)
    facts, _ = bench.run(quantize.run, parameters, {"model": exported[1], "calibration": shard})
    assert (facts["int8_layers"], facts["weighted_layers"]) == (21, 22)
    assert facts["subset_size"] == 4


def test_calibration_images_of_another_size_say_both_sizes(bench, exported):
    _, shard = bench.run(synthesize.run, {"source": "noise", "count": 8, "seed": 0, "size": (48, 40)})
    with pytest.raises(DataError, match=r"48.*40.*32|32.*48.*40"):
        bench.run(quantize.run, quantize_parameters(), {"model": exported[1], "calibration": shard})


@pytest.mark.parametrize(("network", "text"), [("seven", "tells 7 classes apart, the dataset has 10"), ("nan", "NaN")])
def test_a_model_that_does_not_go_with_the_dataset_is_refused(bench, network, text):
    with pytest.raises(DataError, match=text):
        bench.run(evaluate.run, evaluation("pytorch", PLAIN, model=factory(network)))


def test_evaluate_writes_a_row_an_image_in_order(bench):
    facts, folder = bench.run(evaluate.run, evaluation("pytorch", PLAIN, count=250, model=factory("ten")))
    table = pq.read_table(folder / "predictions.parquet")
    assert table.column_names == ["index", "label", "prediction", "score", "gap"]
    assert table["index"].to_pylist() == list(range(250))
    right = table["prediction"].to_numpy() == table["label"].to_numpy()
    assert facts["top1"] == pytest.approx(right.mean())
    assert (table["gap"].to_numpy() >= 0).all()


def test_synthesize_writes_the_same_shard_again(bench):
    shards = [
        bench.run(
            synthesize.run, {"source": "fractal", "count": 70, "seed": 3, "size": (32, 32), "fill": 0.2, "points": None}
        )
        for _ in range(2)
    ]
    images = [pq.read_table(folder / "images.parquet").to_pydict() for _, folder in shards]
    assert shards[0][0] == {"n_images": 70, "size": [32, 32], "classes": None}
    for one, two in zip(images[0]["image"], images[1]["image"], strict=True):
        assert np.array_equal(one, two)
