"""How a detector's outputs are held against the boxes of images."""

from types import SimpleNamespace

import numpy as np
import pytest

from farm.axes import Device, Fit, Images, Preprocessing, Task
from farm.columns import schema_of
from farm.data.imageset import Block
from farm.data.targets import Boxes
from farm.errors import DataError, InputError
from farm.plan.parameters import Evaluate
from farm.stats.resampling import SAMPLES
from farm.tasks.detection.rows import CLASSES, DETECTIONS, RESAMPLES, Detected, OfClass, Resample
from farm.tasks.detection.task import task

HERE = "tests.tasks.detection.test_task"
SIZE = (40, 80)  # of the images
INPUT = (32, 32)
LETTERBOX = Fit(size=INPUT, interpolation="bilinear", whole="letterbox")


def passed_on(outputs, size):
    """A head whose output has for each image rows of corners, score and class."""
    return [(one[:, :4], one[:, 4], one[:, 5]) for one in outputs["rows"]]


def short(outputs, size):
    return [(one[:, :4], one[:1, 4], one[:, 5]) for one in outputs["rows"]]


def too_few(outputs, size):
    return passed_on(outputs, size)[1:]


def detection(decode="passed_on", how=LETTERBOX, classes=2, metric="map", **options):
    usual = {"score_threshold": 0.01, "iou_threshold": 0.65, "max_detections": 100, "label_offset": None}
    named = decode if decode in ("yolov8", "nobody:s") else f"{HERE}:{decode}"
    wanted = Evaluate(
        device=Device(), metric=metric, dataset=Images(name="yolo", fit=how), preprocessing=Preprocessing(size=INPUT),
        task=Task(name="detection", options={**usual, "decode": named, **options}),
    )  # fmt: skip
    return task(wanted, SimpleNamespace(classes=classes))


def truth(*boxes, classes=None):
    corners = np.array(boxes, float).reshape(-1, 4)
    return Boxes.of(SIZE, corners, np.array(classes or [0] * len(boxes), int))


def block(*targets):
    return Block(np.zeros((len(targets), *INPUT, 3), np.uint8), np.full(len(targets), -1), targets)


def outputs(*images):
    return {"rows": np.array(images, np.float32)}


# 80x40 into 32x32: 0.4 of its size, 8 pixels from above.
OBJECT, IN_INPUT = [10.0, 5, 60, 30], [4.0, 10, 24, 20]


def test_boxes_of_the_input_are_held_against_the_image_s_own():
    table = detection().rows(outputs([[*IN_INPUT, 0.9, 0]]), block(truth(OBJECT)), 7)
    (row,) = table.to_pylist()
    assert row["corners"] == pytest.approx(OBJECT)
    assert (row["position"], row["height"], row["width"]) == (7, *SIZE)
    assert row["matched"][0] == 0b1111111111


def test_all_rows_together_tell_the_metric_and_all_others():
    found = detection(metric="ap50")
    table = found.rows(outputs([[*IN_INPUT, 0.9, 0]], [[0, 8, 4, 12, 0.8, 0]]), block(truth(OBJECT), truth(OBJECT)), 0)
    facts = found.facts(table)
    assert (facts.n_images, facts.metric, facts.classes, facts.top1) == (2, "ap50", 2, None)
    assert facts.score == facts.figures["ap50"] == pytest.approx(51 / 101)
    assert facts.figures.keys() == {"map", "ap50", "ap75", "map_medium"}  # there is no object of another size
    assert facts.note is None


def test_an_evaluation_leaves_detections_classes_and_samples():
    found = detection()
    table = found.rows(outputs([[*IN_INPUT, 0.9, 0]]), block(truth(OBJECT, OBJECT, classes=[0, 1])), 0)
    left = found.tables(table)
    schemas = {DETECTIONS: Detected, CLASSES: OfClass, RESAMPLES: Resample}
    assert {name: content.schema for name, content in left.items()} == {
        name: schema_of(kind) for name, kind in schemas.items()
    }
    columns = {name: left[CLASSES][name].to_pylist() for name in left[CLASSES].column_names}
    assert columns == {"number": [0, 1], "objects": [1, 1], "score": pytest.approx([1.0, 0.0])}
    assert len(left[RESAMPLES]) == SAMPLES
    assert left[RESAMPLES]["score"].to_pylist() == pytest.approx([0.5] * SAMPLES)


def test_a_sample_without_objects_has_no_value():
    found = detection()
    table = found.rows(outputs([[*IN_INPUT, 0.9, 0]], [[*IN_INPUT, 0.9, 0]]), block(truth(OBJECT), truth()), 0)
    scores = found.tables(table)[RESAMPLES]["score"]
    assert 0.15 < scores.null_count / SAMPLES < 0.35  # of a quarter of them the second image is all there is


def test_boxes_that_reach_out_of_their_image_are_told_of():
    found = detection()
    table = found.rows(outputs([[*IN_INPUT, 0.9, 0]]), block(truth([0, 0, 90, 30])), 0)
    assert found.facts(table).note == "1 box reaches out of its image"


def test_numbers_of_classes_may_begin_elsewhere():
    table = detection(label_offset=1).rows(outputs([[*IN_INPUT, 0.9, 2]]), block(truth(OBJECT)), 0)
    assert table["classes"].to_pylist() == [[1]]


def test_detections_that_are_hardly_likely_and_too_many_are_left_out():
    rows = [[*IN_INPUT, score, 0] for score in (0.005, 0.3, 0.5)]
    table = detection(max_detections=1).rows(outputs(rows), block(truth(OBJECT)), 0)
    assert table["scores"].to_pylist() == [[0.5]]


@pytest.mark.parametrize(
    ("made", "given", "says"),
    [
        (
            {},
            [[*IN_INPUT, 0.9, 2]],
            "finds class 2 in image 7, the dataset has classes 0 to 1: name all classes of the",
        ),
        ({"label_offset": 1}, [[*IN_INPUT, 0.9, 0]], "finds class -1 in image 7"),
        ({}, [[np.nan, 0, 1, 1, 0.9, 0]], "boxes or scores that are no numbers in image 7"),
        (
            {"decode": "short"},
            [[*IN_INPUT, 0.9, 0]] * 2,
            "short` must give of each image corners .* \\(2 boxes, 1 scores",
        ),
        ({"decode": "too_few"}, [[*IN_INPUT, 0.9, 0]], "`decode` gives detections of 0 images, not of 1"),
    ],
)
def test_what_is_no_detection_is_one_sentence(made, given, says):
    with pytest.raises(DataError, match=says):
        detection(**made).rows(outputs(given), block(truth(OBJECT)), 7)


def test_where_the_dataset_s_classes_are_not_known_any_may_be():
    table = detection(classes=None).rows(outputs([[*IN_INPUT, 0.9, 99]]), block(truth(OBJECT)), 0)
    assert table["classes"].to_pylist() == [[99]]


def test_images_without_boxes_are_no_dataset_of_detection():
    with pytest.raises(DataError, match="the images have no boxes: detection needs a dataset with them"):
        detection().rows(outputs([[*IN_INPUT, 0.9, 0]]), Block(np.zeros((1, *INPUT, 3), np.uint8), np.array([0])), 0)


def test_where_no_image_has_an_object_there_is_nothing_to_judge_by():
    found = detection()
    table = found.rows(outputs([[*IN_INPUT, 0.9, 0]]), block(truth()), 0)
    with pytest.raises(DataError, match="no test image has an object that is to be found"):
        found.facts(table)


def test_a_decode_that_is_not_there_is_told():
    with pytest.raises(InputError, match="cannot import 'nobody:s'"):
        detection("nobody:s")


def test_a_task_of_an_evaluation_is_needed():
    wanted = Evaluate(
        device=Device(), metric="map", dataset=Images(name="yolo"), preprocessing=Preprocessing(size=INPUT)
    )
    with pytest.raises(TypeError):
        task(wanted, SimpleNamespace(classes=2))


def test_scores_that_are_no_numbers_are_told_and_not_left_out():
    with pytest.raises(DataError, match="boxes or scores that are no numbers in image 0"):
        detection().rows(outputs([[*IN_INPUT, np.nan, 0]]), block(truth(OBJECT)), 0)


@pytest.mark.parametrize(("classes", "offset"), [(2, None), (1, 1), (None, None)])
def test_a_head_whose_shape_tells_its_classes_needs_as_many(classes, offset):
    rows = np.zeros((1, 6, 3), np.float32)
    found = detection("yolov8", classes=classes, label_offset=offset)
    assert len(found.rows({"output": rows}, block(truth(OBJECT)), 0)) == 1


def test_a_model_of_other_classes_is_refused():
    with pytest.raises(DataError, match="the model tells 3 classes apart, the dataset has 2: name all of the model's"):
        detection("yolov8").rows({"output": np.zeros((1, 7, 3), np.float32)}, block(truth(OBJECT)), 0)


def test_which_images_with_which_objects_they_are_has_a_digest():
    def digest(*targets):
        found = detection()
        return found.facts(found.rows(outputs(*[[[*IN_INPUT, 0.9, 0]]] * len(targets)), block(*targets), 0)).truth

    one, other = truth(OBJECT), truth(OBJECT, OBJECT)
    assert digest(one, other) == digest(one, other) != digest(other, one)
