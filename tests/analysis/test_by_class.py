"""What sets lose class by class."""

from dataclasses import replace

import numpy as np
import pytest

from farm.analysis.accuracy import worst_class
from farm.analysis.by_class import by_class
from farm.analysis.classes import Classes
from tests.runs import LABELS, N, record, run


def right(*wrong):
    """Whether a variant was right on each image: on all but these."""
    return np.isin(np.arange(N), wrong, invert=True)


def test_classes_are_counted_and_what_each_lost_is_a_share_of_its_images():
    classes = Classes.of(np.array([5, 2, 5, 5]))
    assert (classes.number.tolist(), classes.images.tolist()) == ([2, 5], [1, 3])
    before, after = np.array([True, False, True, False]), np.array([False, True, True, False])
    assert classes.lost(before, after).tolist() == pytest.approx([-1, 1 / 3])


def test_the_worst_class_is_the_one_that_lost_most():
    lost = Classes.of(LABELS).lost(right(), right(4, 14, 7))
    assert worst_class(LABELS, right(), right(4, 14, 7)) == (4, pytest.approx(lost.max())) == (4, pytest.approx(0.02))


def test_each_source_of_a_family_has_the_mean_of_its_seeds():
    cells = {record(): [], record("a"): [3], record("a", seed=1): [3, 13, 23], record("b"): [0]}
    classes, sets = by_class(run(cells))
    assert classes.number.tolist() == list(range(10))
    assert [(one.source, one.seeds, one.family.model) for one in sets] == [("a", 2, "resnet20"), ("b", 1, "resnet20")]
    assert sets[0].lost[3] == pytest.approx(0.02)
    assert sets[1].lost.tolist() == pytest.approx([0.01] + [0] * 9)


def test_without_predictions_or_the_fp32_ir_nothing_is_known():
    assert by_class(replace(run({record(): [], record("a"): [3]}), predictions={})) == (None, [])
    assert by_class(run({record("a"): [3]}))[1] == []
    assert by_class(run({record(): [], record("a", metric="my:score"): [3]}))[1] == []
