"""What is kept of a prediction, what is told of all of them, and which models and datasets go together."""

import numpy as np
import pytest

from farm.errors import DataError
from farm.plan.facts import Evaluated
from farm.tasks.classification import SCHEMA, Classification, agreement, apart

LOGITS = np.array([[0.0, 3.0, 1.0], [2.0, 0.0, 0.5]], np.float32)
LABELS = np.array([1, 2])
HERE = "tests.tasks.test_classification"


def half(logits, labels):
    return np.full(len(labels), 0.5)


def test_a_row_tells_the_image_its_label_the_prediction_its_score_and_its_gap():
    table = Classification(metric="top1", classes=3).answers(LOGITS, LABELS, 7)
    assert table.schema.equals(SCHEMA)
    assert table.to_pylist() == [
        {"index": 7, "label": 1, "prediction": 1, "score": 1.0, "gap": 2.0},
        {"index": 8, "label": 2, "prediction": 0, "score": 0.0, "gap": 1.5},
    ]


def test_of_one_output_there_is_no_second():
    task = Classification(metric=f"{HERE}:half", classes=None)
    assert task.answers(LOGITS[:, :1], LABELS, 0)["gap"].to_pylist() == [0.0, 0.0]


@pytest.mark.parametrize(("metric", "score", "top1"), [("top1", 0.5, 0.5), (f"{HERE}:half", 0.5, None)])
def test_all_rows_together_tell_the_metrics_mean_and_top1_where_labels_are_classes(metric, score, top1):
    task = Classification(metric=metric, classes=3)
    facts = task.facts(task.answers(LOGITS, LABELS, 0))
    assert facts == Evaluated(n_images=2, metric=metric, score=score, classes=3, top1=top1)


@pytest.mark.parametrize(
    ("classes", "label", "says"),
    [
        (3, -1, "label is -1: number the classes from 0 up"),
        (None, 3, "the model tells 3 classes apart, a test image's label is 3: number the classes from 0 up, or name"),
        (4, 0, "the model tells 3 classes apart, the dataset has 4"),
        (
            2,
            0,
            "the dataset has 2: name all 3 in the dataset's `classes`, in the model's order, the first may be a back",
        ),
    ],
)
def test_a_label_that_is_no_class_of_the_model_is_refused(classes, label, says):
    with pytest.raises(DataError, match=says):
        Classification(metric="top1", classes=classes).answers(LOGITS, np.array([0, label]), 0)


@pytest.mark.parametrize(
    ("outputs", "classes", "names", "says"),
    [
        (10, 3, ("cat", "dog", "ship"), "10 classes apart, the dataset has 3 (cat, dog, ship): name all 10 in"),
        (10, 3, (), "the dataset has 3: name all 10 in the dataset's `classes`, in the model's order"),
        (1001, 1000, (), "all 1,001 in the dataset's `classes`, in the model's order, the first may be a background"),
        (3, 10, tuple("abcdefghij"), "has 10 (a, b, c and 7 more): use a model trained on them, or leave out"),
        (1, 2, ("cat", "dog"), "gives one score an image, which tells no classes apart: give it two outputs"),
        (10, 10, (), ""),
    ],
)  # fmt: skip
def test_why_a_model_and_a_dataset_do_not_go_together_is_told_with_the_way_out(outputs, classes, names, says):
    told = apart(outputs, classes, None, names)
    assert says in told
    assert bool(told) == bool(says)


def test_fewer_classes_than_the_model_tells_apart_need_no_number():
    """Where the number of a dataset's classes is not known, the model may know more than its labels show."""
    assert len(Classification(metric="top1", classes=None).answers(LOGITS, np.array([0, 1]), 0)) == 2


@pytest.mark.parametrize("label", [2**31, -(2**31) - 1, 2**62])
def test_labels_that_predictions_cannot_hold_are_refused(label, tmp_path, monkeypatch):
    (tmp_path / "own_metric.py").write_text("def zero(logits, labels):\n    return [0] * len(labels)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match=f"a test image's label is {label}: number the classes from 0 up"):
        Classification(metric="own_metric:zero", classes=None).answers(LOGITS, np.array([0, label]), 0)


def test_infinite_logits_are_refused_with_the_images():
    with pytest.raises(DataError, match="NaN or infinite logits in images 100 to 101"):
        Classification(metric="top1", classes=3).answers(LOGITS + np.float32(np.inf), LABELS, 100)


def test_two_models_agree_where_they_predict_the_same():
    assert agreement(np.array([1, 0]), np.array([1, 2])) == 0.5
