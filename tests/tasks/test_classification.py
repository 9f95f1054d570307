"""What is kept of a prediction, what is told of all of them, and which models and datasets go together."""

import numpy as np
import pytest

from farm.errors import DataError
from farm.plan.facts import Evaluated
from farm.tasks.classification import SCHEMA, Classification, agreement

LOGITS = np.array([[0.0, 3.0, 1.0], [2.0, 0.0, 0.5]], np.float32)
LABELS = np.array([1, 2])
HERE = "tests.tasks.test_classification"


def half(logits, labels):
    return np.full(len(labels), 0.5)


def test_a_row_tells_the_image_its_label_the_prediction_its_score_and_its_gap():
    table = Classification(metric="top1", classes=3).rows(LOGITS, LABELS, 7)
    assert table.schema.equals(SCHEMA)
    assert table.to_pylist() == [
        {"index": 7, "label": 1, "prediction": 1, "score": 1.0, "gap": 2.0},
        {"index": 8, "label": 2, "prediction": 0, "score": 0.0, "gap": 1.5},
    ]


def test_of_one_output_there_is_no_second():
    task = Classification(metric=f"{HERE}:half", classes=None)
    assert task.rows(LOGITS[:, :1], LABELS, 0)["gap"].to_pylist() == [0.0, 0.0]


@pytest.mark.parametrize(("metric", "score", "top1"), [("top1", 0.5, 0.5), (f"{HERE}:half", 0.5, None)])
def test_all_rows_together_tell_the_metrics_mean_and_top1_where_labels_are_classes(metric, score, top1):
    task = Classification(metric=metric, classes=3)
    facts = task.facts(task.rows(LOGITS, LABELS, 0))
    assert facts == Evaluated(n_images=2, metric=metric, score=score, classes=3, top1=top1)


@pytest.mark.parametrize(
    ("classes", "label", "says"),
    [
        (3, -1, "label is -1: number the classes from 0 up"),
        (None, 3, "the model tells 3 classes apart, the dataset has 4"),
        (4, 0, "the model tells 3 classes apart, the dataset has 4"),
    ],
)
def test_a_label_that_is_no_class_of_the_model_is_refused(classes, label, says):
    with pytest.raises(DataError, match=says):
        Classification(metric="top1", classes=classes).rows(LOGITS, np.array([0, label]), 0)


def test_infinite_logits_are_refused_with_the_images():
    with pytest.raises(DataError, match="NaN or infinite logits in images 100 to 101"):
        Classification(metric="top1", classes=3).rows(LOGITS + np.float32(np.inf), LABELS, 100)


def test_two_models_agree_where_they_predict_the_same():
    assert agreement(np.array([1, 0]), np.array([1, 2])) == 0.5
