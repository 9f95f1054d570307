"""Means and differences over seeds: scipy's numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from farm.stats.replicates import Uncertainty, difference, mean, over_images, p_value, welch
from farm.stats.shares import Disagreement, tango

DROPS = st.lists(st.floats(-0.2, 0.2).map(lambda drop: round(drop, 4)), min_size=2, max_size=8)


@given(DROPS)
def test_the_mean_has_students_interval(drops):
    found = mean(drops)
    if len(set(drops)) == 1:
        assert found.low == pytest.approx(found.high)
        return
    meant = stats.t.interval(0.95, len(drops) - 1, found.value, stats.sem(drops))
    assert (found.low, found.high) == pytest.approx(meant, abs=1e-12)


@given(DROPS.filter(lambda drops: len(set(drops)) > 1), DROPS.filter(lambda drops: len(set(drops)) > 1))
def test_the_difference_is_welchs(first, second):
    meant = stats.ttest_ind(first, second, equal_var=False)
    assert welch(first, second) == pytest.approx(meant.pvalue, abs=1e-9)
    found, interval = difference(first, second, 0.1), meant.confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(100, 2000))
def test_with_one_seed_each_the_uncertainty_over_images_is_agresti_and_mins(first, second, n):
    ours, theirs = np.zeros((2, n))
    ours[:first], theirs[first : first + second] = 1, 1
    b, c = first + 0.5, second + 0.5  # their half in each of the four cells
    meant = ((b + c) - (b - c) ** 2 / (n + 2)) / (n + 2) ** 2
    assert over_images(ours, theirs).square == pytest.approx(meant)


@pytest.mark.parametrize(("first", "second", "n"), [(10, 5, 200), (40, 30, 1000), (300, 200, 10_000)])
def test_with_one_seed_each_the_uncertainty_over_images_is_about_tangos(first, second, n):
    ours, theirs = np.zeros((2, n))
    ours[:first], theirs[first : first + second] = 1, 1
    score = tango(Disagreement(first=first, second=second, n=n))
    half = 1.96 * over_images(ours, theirs).square ** 0.5
    assert half == pytest.approx((score.high - score.low) / 2, rel=0.1)


def test_images_on_which_half_the_seeds_differ_count_half():
    half = np.repeat([0.5, 0.0], [100, 900])
    assert over_images(half, np.zeros(1000)).square < over_images(2 * half, np.zeros(1000)).square / 2


def test_no_images_leave_no_uncertainty_to_speak_of():
    with pytest.raises(ValueError, match="no test images"):
        over_images(np.zeros(0), np.zeros(0))


def test_few_test_images_leave_equal_seeds_unsure():
    right = np.repeat([1.0, 0.0], [90, 10])
    images = over_images(right, right)
    seeds = [0.1] * 5
    sure, found = difference(seeds, seeds, 0.1, 0.01), difference(seeds, seeds, 0.1, 0.01, images)
    assert sure.high < 0.005
    assert found.high > 0.015
    assert welch(seeds, [0.11] * 5, 0.01) < 0.01
    assert welch(seeds, [0.11] * 5, 0.01, images) > 0.05


def test_the_uncertainty_of_images_alone_has_their_degrees_of_freedom():
    found = difference([0.5, 0.5], [0.25, 0.25], 0.1, images=Uncertainty(0.01, 20))
    assert found.high - found.value == pytest.approx(0.1 * stats.t.ppf(0.95, 20))


def test_seeds_without_spread_differ_surely_or_not_at_all():
    assert welch([0.5, 0.5], [0.5, 0.5]) == 1
    assert welch([0.5, 0.5], [0.25, 0.25]) == 0
    assert difference([0.5, 0.5], [0.25, 0.25]).low == 0.25


def test_seeds_that_happen_to_be_equal_are_known_to_their_resolution_only():
    assert welch([0.02, 0.02], [0.01, 0.01], resolution=0.01) > 0.05
    assert mean([0.02, 0.02], resolution=0.01).high > 0.03
    wide = difference([0.02, 0.02], [0.01, 0.01], resolution=0.01)
    assert wide.low < 0 < wide.high


@pytest.mark.parametrize(
    "function", [mean, lambda drops: welch(drops, [0.0, 1.0]), lambda drops: difference([0.0, 1.0], drops)]
)
def test_one_value_says_nothing(function):
    with pytest.raises(ValueError, match="one value says nothing of the spread"):
        function([0.1])


def test_what_is_known_without_doubt_is_0_or_is_not():
    certain = Uncertainty(0.0, 5)
    assert (p_value(0.0, certain), p_value(0.1, certain)) == (1.0, 0.0)
