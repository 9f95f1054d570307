"""Percentiles that the tail supports, and paired ratios."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.stats import paired_ratio, percentile


@pytest.mark.parametrize(("q", "least"), [(0.5, 20), (0.9, 100), (0.95, 200), (0.99, 1000), (0.999, 10_000)])
def test_a_percentile_is_null_where_fewer_than_10_samples_lie_beyond_it(q, least):
    assert percentile(np.arange(least - 1), q) is None
    assert percentile(np.arange(least), q) == pytest.approx(q * (least - 1))


def test_no_samples_have_no_percentile():
    assert percentile(np.array([], np.int64), 0.5) is None


@given(st.lists(st.integers(1, 10**12), min_size=20, max_size=60))
def test_half_of_the_samples_lie_on_each_side_of_the_median(samples):
    median = percentile(np.array(samples), 0.5)
    assert sum(sample <= median for sample in samples) * 2 >= len(samples)
    assert sum(sample >= median for sample in samples) * 2 >= len(samples)


def test_a_paired_ratio_is_the_geometric_mean():
    assert paired_ratio([(2.0, 1.0), (8.0, 1.0)]) == pytest.approx(4.0)
    assert paired_ratio([(3.0, 2.0)]) == pytest.approx(1.5)
    assert paired_ratio([]) is None


positive = st.floats(1e-3, 1e6)


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=20))
def test_a_paired_ratio_turned_round_is_its_inverse_and_lies_between_the_least_and_the_most(pairs):
    ratio = paired_ratio(pairs)
    assert ratio * paired_ratio([(b, a) for a, b in pairs]) == pytest.approx(1.0)
    ratios = [a / b for a, b in pairs]
    assert min(ratios) * (1 - 1e-9) <= ratio <= max(ratios) * (1 + 1e-9)  # rounding of log and exp
