"""Means and differences over draws: scipy's numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from farm.stats.draws import difference, mean, welch

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


def test_draws_without_spread_differ_surely_or_not_at_all():
    assert welch([0.5, 0.5], [0.5, 0.5]) == 1
    assert welch([0.5, 0.5], [0.25, 0.25]) == 0
    assert difference([0.5, 0.5], [0.25, 0.25]).low == 0.25


def test_draws_that_happen_to_be_equal_are_known_to_their_resolution_only():
    assert welch([0.02, 0.02], [0.01, 0.01], resolution=0.01) > 0.05
    assert mean([0.02, 0.02], resolution=0.01).high > 0.03
    wide = difference([0.02, 0.02], [0.01, 0.01], resolution=0.01)
    assert wide.low < 0 < wide.high


@pytest.mark.parametrize(
    "function", [mean, lambda drops: welch(drops, [0.0, 1.0]), lambda drops: difference([0.0, 1.0], drops)]
)
def test_one_draw_says_nothing(function):
    with pytest.raises(ValueError, match="one draw says nothing of the spread"):
        function([0.1])
