"""Scores of images: built in, and a user's own."""

import numpy as np
import pytest

from farm.errors import DataError, InputError
from farm.tasks.metric import check_finite, scorer

HERE = "tests.tasks.test_metric"
LOGITS = np.array([[0.1, 0.9, 0.0, 0, 0, 0, -1], [5, 4, 3, 2, 1, 0, -1], [0, 0, 0, 0, 0, 0, 0]], np.float32)


def margin(logits, labels):
    """How far the label's logit is above the mean of all."""
    return logits[np.arange(len(labels)), labels] - logits.mean(axis=1)


def as_list(logits, labels):
    return [1] * len(labels)


def of_all(logits, labels):
    return 0.5


def too_many(logits, labels):
    return np.ones((len(labels), 2))


def nan(logits, labels):
    return np.where(labels == 4, np.nan, 1.0)


def infinite(logits, labels):
    return np.full(len(labels), 1e300)  # not in float32


def nothing(logits, labels):
    return None


def words(logits, labels):
    return ["good"] * len(labels)


def raises(logits, labels):
    raise ZeroDivisionError("no images of class 3")


@pytest.mark.parametrize(
    ("metric", "labels", "expected"),
    [
        ("top1", [1, 0, 0], [1, 1, 1]),
        ("top1", [0, 1, 6], [0, 0, 0]),
        ("top5", [1, 4, 2], [1, 1, None]),  # of equal logits, any five
        ("top5", [6, 5, 3], [0, 0, None]),
        (f"{HERE}:as_list", [1, 2, 3], [1, 1, 1]),
        (f"{HERE}:margin", [1, 0, 3], [0.9, 3, 0]),
    ],
)
def test_a_metric_scores_each_image(metric, labels, expected):
    scores = scorer(metric)(LOGITS, np.array(labels))
    assert scores.dtype == np.float32
    assert scores.shape == (3,)
    known = [i for i, value in enumerate(expected) if value is not None]
    assert scores[known] == pytest.approx(np.array(expected)[known].astype(float), abs=1e-6)


def test_top5_is_numpy_s_whole_sort():
    random = np.random.default_rng(0)
    logits, labels = random.standard_normal((200, 9)).astype(np.float32), random.integers(0, 9, 200)
    ranks = (np.argsort(-logits, axis=1) == labels[:, None]).argmax(axis=1)
    assert np.array_equal(scorer("top5")(logits, labels), ranks < 5)


@pytest.mark.parametrize("classes", [1, 4, 5])
def test_top5_of_five_classes_is_refused(classes):
    with pytest.raises(DataError, match=f"top5 of {classes} classes is always right: use `metric: top1`"):
        scorer("top5")(np.zeros((2, classes), np.float32), np.zeros(2, np.int64))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("of_all", r"must give one score for each image, so \(3,\) of them, not \(\)"),
        ("too_many", r".*so \(3,\) of them, not \(3, 2\)"),
        ("nothing", r".*so \(3,\) of them, not \(\)"),
        ("words", "must give numbers, one for each image .*good"),
    ],
)
def test_a_metric_that_gives_no_scores_is_named(name, says):
    with pytest.raises(DataError, match=f"the metric '{HERE}:{name}' {says}"):
        scorer(f"{HERE}:{name}")(LOGITS, np.array([1, 4, 0]))


@pytest.mark.parametrize(
    ("name", "says"), [("nan", "gives nan for image 4711"), ("infinite", "gives inf for image 470")]
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_a_score_that_is_no_finite_number_names_its_image(name, says):
    scores = scorer(f"{HERE}:{name}")(LOGITS, np.array([1, 4, 0]))
    with pytest.raises(DataError, match=f"the metric {says}$"):
        check_finite(scores, np.array([470, 4711, 5]))


def test_finite_scores_pass():
    check_finite(np.array([0.0, -3.0, 1e30], np.float32), range(7, 10))


def test_what_a_metric_raises_is_not_dressed_up():
    with pytest.raises(ZeroDivisionError, match="no images of class 3"):
        scorer(f"{HERE}:raises")(LOGITS, np.array([1, 4, 0]))


@pytest.mark.parametrize("metric", ["top3", f"{HERE}:accuracy", "nowhere.at_all:f", f"{HERE}:HERE"])
def test_a_metric_that_does_not_exist_is_an_input_error(metric):
    with pytest.raises(InputError, match=metric):
        scorer(metric)
