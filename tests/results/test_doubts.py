"""What is implausible of a model's answers and its input."""

import numpy as np
import pytest

from farm.axes import Preprocessing
from farm.results.doubts import doubts, written

PLAIN = Preprocessing(size=(32, 32))
LABELS = np.arange(100, dtype=np.int32) % 10


def found(prediction, label=LABELS, how=PLAIN, *, classes=True):
    return doubts(how, np.asarray(prediction, np.int32), label, classes=classes)


def right(count):
    """Predictions of which so many are right, the others of several classes."""
    return np.where(np.arange(100) < count, LABELS, (LABELS + 1) % 10)


@pytest.mark.parametrize(
    ("count", "doubted"), [(100, False), (17, False), (15, True), (10, True), (2, True), (0, True)]
)
def test_who_is_right_as_often_as_a_guess_is_doubted(count, doubted):
    assert found(right(count)) == ({"at_chance": 10} if doubted else {})


def test_few_images_and_images_of_one_class_tell_nothing():
    assert found(right(2)[:29], LABELS[:29]) == {}
    assert found(np.ones(100), np.zeros(100, np.int32)) == {}


def test_one_class_for_all_images_is_said_even_of_few_and_instead_of_chance():
    assert found(np.full(100, 3)) == {"one_class": 3}
    assert found([7] * 4, LABELS[:4]) == {"one_class": 7}


def test_a_metric_of_the_user_s_own_may_mean_something_else_by_a_class():
    assert found(np.full(100, 3), classes=False) == {}


@pytest.mark.parametrize(
    ("how", "ends"),
    [
        ({"mean": (123.675,) * 3, "std": (58.4,) * 3}, (-2.118, -2.101)),
        ({"mean": (123.675,) * 3}, (-123.675, -122.675)),
        ({"scale": 1.0, "mean": (0.485,) * 3, "std": (0.229,) * 3}, (-2.118, 1111.4)),
        ({"std": (255.0,) * 3}, (0.0, 0.00392)),
    ],
)
def test_an_input_that_no_network_is_trained_on_is_told_with_its_ends(how, ends):
    said = found(LABELS, how=Preprocessing(size=(32, 32), **how))
    assert said["input_range"] == pytest.approx(ends, rel=1e-3)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"scale": 1.0},
        {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
        {"mean": (0.5,) * 3, "std": (0.5,) * 3},
        {"scale": 1.0, "mean": (103.9, 116.8, 123.7)},
        {"scale": 1.0, "mean": (127.5,) * 3, "std": (127.5,) * 3},
        {"input": "u8", "mean": (123.0,) * 3},
    ],
)
def test_the_ranges_that_networks_are_trained_on_are_not_odd(how):
    assert found(LABELS, how=Preprocessing(size=(32, 32), **how)) == {}


def test_they_are_kept_as_json_or_not_at_all():
    assert written({}) is None
    assert written({"one_class": 3, "at_chance": 10}) == '{"at_chance": 10, "one_class": 3}'
    assert written({"input_range": (0.0, 1.5)}) == '{"input_range": [0.0, 1.5]}'
