"""What models say of the digits, and how it is scored."""

from dataclasses import replace

import numpy as np
import openvino as ov
import pyarrow.parquet as pq
import pytest

from farm.axes import Model, Preprocessing
from farm.data.digits import split
from farm.errors import DataError
from farm.stages import evaluate, export, measure, quantize, synthesize
from tests.models.files import Classifier, write_ir, write_pixels_ir, write_tflite
from tests.stages.bench import PLAIN, exportation, quantization, synthesis
from tests.stages.test_measure import effort, measurement
from tests.stages.test_stages import evaluation

HERE = "tests.stages.test_evaluate"
RAW = Preprocessing(size=(32, 32), layout="NHWC", input="u8")
COUNT = 130  # more than one batch, and not a whole number of them


def confidence(logits, labels):
    """The label's softmax probability."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (shifted / shifted.sum(axis=1, keepdims=True))[np.arange(len(labels)), labels % logits.shape[1]]


def fails(logits, labels):
    raise ZeroDivisionError("this metric divides by zero")


def nan(logits, labels):
    """Of the second batch only."""
    return np.where(len(labels) < 100, np.nan, np.ones(len(labels)))


def of_all(logits, labels):
    return logits.mean()


def table_of(folder):
    return pq.read_table(folder / "predictions.parquet")


def ir(folder, classifier):
    folder.mkdir()
    write_ir(folder / "model.xml", classifier)
    return folder


def test_what_must_be_known_of_the_test_images_is_told(bench, small):
    facts, _ = bench.run(evaluate.run, evaluation(PLAIN, count=4), {"model": small})
    assert facts.note == "no images of 6 of 10 classes: class 4, class 5, class 6 and 3 more"
    assert bench.run(evaluate.run, evaluation(PLAIN, count=COUNT), {"model": small})[0].note is None


def test_a_fixed_batch_says_the_same_of_every_image(bench, tmp_path, small):
    fixed = ir(tmp_path / "fixed", Classifier(batch=1, built_in=1))
    asked = evaluation(PLAIN, count=COUNT)
    facts, tables = zip(*(bench.run(evaluate.run, asked, {"model": folder}) for folder in (small, fixed)), strict=True)
    one, other = map(table_of, tables)
    assert facts[0].n_images == facts[1].n_images == COUNT
    for column in ("index", "label", "prediction", "score"):
        assert one[column].equals(other[column])
    # the mean over the image is summed in another order
    assert one["gap"].to_numpy() == pytest.approx(other["gap"].to_numpy(), rel=1e-4, abs=1e-5)


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("xml", lambda path: write_pixels_ir(path, Classifier())),
        ("onnx", lambda path: Classifier(input="u8", layout="NHWC").write(path)),
        ("tflite", lambda path: write_tflite(path, input="u8")),
    ],
)
def test_a_model_of_raw_pixels_goes_all_the_way(bench, tmp_path, kind, write):
    path = write(tmp_path / f"model.{kind}")
    files = {"model": path}
    _, fp32 = bench.run(
        export.run, exportation(Model(format=kind, options={"output": None}), layout="NHWC", input="u8"), files=files
    )
    _, shard = bench.run(synthesize.run, synthesis("digits", 0, 20, size=(32, 32)))
    facts, int8 = bench.run(quantize.run, quantization(RAW), {"model": fp32, "calibration": shard})
    assert (facts.int8_layers, facts.weighted_layers) == (2, 2)
    said = []
    for folder in (fp32, int8):
        model = ov.Core().read_model(folder / "model.xml")
        assert model.input(0).element_type == ov.Type.u8
        assert model.input(0).partial_shape.to_string() == "[?,32,32,3]"
        said.append(table_of(bench.run(evaluate.run, evaluation(RAW, count=COUNT), {"model": folder})[1]))
    raw = ov.Core().read_model(path)
    raw.reshape([1, 32, 32, 3])
    compiled = ov.Core().compile_model(raw, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    pixels = split("test").block(0, COUNT).images
    logits = np.concatenate([np.array(compiled(pixels[i : i + 1])[0]) for i in range(COUNT)])
    assert np.array_equal(said[0]["prediction"].to_numpy(), logits.argmax(axis=1))
    near = said[0]["gap"].to_numpy() < np.median(said[0]["gap"].to_numpy())
    same = said[0]["prediction"].to_numpy() == said[1]["prediction"].to_numpy()
    assert same[~near].mean() > 0.9, "int8 changes its mind where it was nearly undecided, if at all"
    parameters = replace(measurement(preprocess=True), preprocessing=RAW)
    facts, _ = bench.run(measure.run, parameters, {"ir": fp32, "model": int8}, effort=effort(pairs=(1, 1)))
    assert facts.pairs == 1


def test_top5_counts_the_five_greatest(bench, small):
    facts, folder = bench.run(evaluate.run, evaluation(PLAIN, count=COUNT, metric="top5"), {"model": small})
    table = table_of(folder)
    assert facts.metric == "top5"
    assert facts.score == pytest.approx(table["score"].to_numpy().mean())
    right = table["prediction"].to_numpy() == table["label"].to_numpy()
    assert facts.top1 == pytest.approx(right.mean())
    assert (table["score"].to_numpy() >= right).all()
    assert facts.top1 < facts.score < 1


def test_a_user_s_metric_stands_for_itself(bench, small):
    asked = evaluation(PLAIN, count=COUNT, metric=f"{HERE}:confidence")
    facts, folder = bench.run(evaluate.run, asked, {"model": small})
    scores = table_of(folder)["score"].to_numpy()
    assert (facts.n_images, facts.metric, facts.classes, facts.top1) == (COUNT, f"{HERE}:confidence", 10, None)
    assert facts.score == pytest.approx(scores.mean())
    assert ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize(
    ("metric", "error", "says"),
    [
        ("fails", ZeroDivisionError, "this metric divides by zero"),
        ("nan", DataError, "the metric gives nan for image 100$"),
        ("of_all", DataError, r"must give one score for each image, so \(100,\) of them, not \(\)"),
    ],
)
def test_a_user_s_metric_that_fails_fails_the_stage(bench, small, metric, error, says):
    with pytest.raises(error, match=says):
        bench.run(evaluate.run, evaluation(PLAIN, count=COUNT, metric=f"{HERE}:{metric}"), {"model": small})


@pytest.mark.parametrize("classes", [3, 9, 12])
@pytest.mark.parametrize("metric", ["top1", "top5"])
def test_another_number_of_classes_than_the_dataset_s_is_refused(bench, tmp_path, classes, metric):
    model = ir(tmp_path / "model", Classifier(classes=classes))
    with pytest.raises(DataError, match=f"the model tells {classes} classes apart, the dataset has 10"):
        bench.run(evaluate.run, evaluation(PLAIN, metric=metric), {"model": model})


def test_a_user_s_metric_may_mean_something_else_by_an_output(bench, tmp_path):
    model = ir(tmp_path / "model", Classifier(classes=3))
    asked = evaluation(PLAIN, count=COUNT, metric=f"{HERE}:confidence")
    assert bench.run(evaluate.run, asked, {"model": model})[0].n_images == COUNT


@pytest.mark.parametrize("device", ["AUTO", "AUTO:CPU", "HETERO:CPU"])
def test_a_compound_device_says_the_same_of_the_digits(bench, small, device):
    inputs = {"model": small}
    parameters = (evaluation(count=COUNT, device=name) for name in ("CPU", device))
    one, other = (bench.run(evaluate.run, asked, inputs)[1] for asked in parameters)
    assert table_of(one).equals(table_of(other))
