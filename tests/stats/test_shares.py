"""Wilson's, McNemar's, Tango's and Newcombe's numbers: against scipy, by their definitions, and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, chi2_contingency, norm

from farm.stats.shares import Count, Disagreement, mcnemar, newcombe, pearson, tango, wilson

COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 200)).map(
    lambda counts: Disagreement(first=counts[0], second=counts[1], n=sum(counts))
)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_scipys(counts):
    right, n = counts
    found, meant = wilson(right, n), binomtest(right, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((meant.low, meant.high), abs=1e-9)
    assert found.value == right / n


@given(COUNTS)
def test_mcnemars_exact_test_is_a_binomial_test_of_the_images_that_tell_them_apart(counts):
    either = counts.first + counts.second
    meant = binomtest(counts.first, either).pvalue if either else 1.0
    assert mcnemar(counts) == pytest.approx(meant, abs=1e-9)


def statistic(counts, difference):
    """Tango's score statistic, its nuisance share found by maximising the likelihood and not by formula."""

    def unlikely(second):
        cells = (second + difference, second, 1 - 2 * second - difference)
        numbers = (counts.first, counts.second, counts.n - counts.first - counts.second)
        logs = (number * np.log(max(cell, 1e-300)) for number, cell in zip(numbers, cells, strict=True) if number)
        return -sum(logs)

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    second = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    variance = counts.n * (2 * second + difference * (1 - difference))
    return (counts.first - counts.second - counts.n * difference) / np.sqrt(variance)


@pytest.mark.parametrize("alpha", [0.05, 0.1])
@pytest.mark.parametrize(
    "counts", [(14, 4, 101), (4, 14, 101), (0, 1, 44), (30, 30, 60), (5, 0, 1000), (120, 90, 10_000)]
)
def test_each_end_of_tangos_interval_is_a_difference_that_the_counts_just_do_not_rule_out(counts, alpha):
    counts = Disagreement(first=counts[0], second=counts[1], n=counts[2])
    found, z = tango(counts, alpha), norm.isf(alpha / 2)
    assert statistic(counts, found.low) == pytest.approx(z, abs=2e-3)
    assert statistic(counts, found.high) == pytest.approx(-z, abs=2e-3)


@given(COUNTS)
def test_tangos_interval_holds_its_value_and_turns_round_with_the_variants(counts):
    found = tango(counts)
    turned = tango(Disagreement(first=counts.second, second=counts.first, n=counts.n))
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.value == counts.difference
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low), abs=1e-9)


@given(COUNTS)
def test_more_certainty_needs_a_wider_interval(counts):
    narrow, wide = tango(counts, 0.1), tango(counts, 0.05)
    assert wide.low <= narrow.low <= narrow.high <= wide.high


@pytest.mark.parametrize("shares", [(0.02, 0.02), (0.05, 0.03), (0.002, 0.0)])
def test_tangos_interval_holds_at_least_as_often_as_it_says(shares):
    n, rng = 500, np.random.default_rng(20)
    counts = rng.multinomial(n, (*shares, 1 - sum(shares)), size=2000)
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    intervals = [tango(Disagreement(first=int(first), second=int(second), n=n)) for first, second, _ in kinds]
    difference = shares[0] - shares[1]
    held = sum(times[i] for i, each in enumerate(intervals) if each.low <= difference <= each.high) / len(counts)
    assert held >= 0.94  # of 2,000 drawings, 0.95 give 0.94 or more; where counts are few it holds more often


def test_certain_differences_stay_on_the_scale():
    assert tango(Disagreement(first=50, second=0, n=50)).high == 1
    assert tango(Disagreement(first=0, second=50, n=50)).low == -1
    same = tango(Disagreement(first=0, second=0, n=50))
    assert same.low == pytest.approx(-same.high)
    assert 0 < same.high < 0.1


SHARES = st.integers(1, 5000).flatmap(lambda n: st.integers(0, n).map(lambda right: Count(right=right, n=n)))


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_newcombes_interval_is_that_of_his_paper(first, second, low, high):
    found = newcombe(Count(right=first[0], n=first[1]), Count(right=second[0], n=second[1]))
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


@given(SHARES, SHARES)
def test_newcombes_interval_holds_its_value_and_turns_round_with_the_variants(first, second):
    found, turned = newcombe(first, second), newcombe(second, first)
    assert -1 - 1e-12 <= found.low <= found.value <= found.high <= 1 + 1e-12
    assert (turned.low, turned.value, turned.high) == pytest.approx((-found.high, -found.value, -found.low))


def test_an_interval_of_independent_shares_is_wider_than_that_of_the_same_images():
    paired = tango(Disagreement(first=20, second=5, n=1000))
    apart = newcombe(Count(right=900, n=1000), Count(right=885, n=1000))
    assert apart.high - apart.low > 2 * (paired.high - paired.low)


@given(SHARES, SHARES)
def test_pearsons_test_is_scipys_chi_squared(first, second):
    table = [[each.right, each.n - each.right] for each in (first, second)]
    certain = first.right + second.right in (0, first.n + second.n)
    meant = 1.0 if certain else chi2_contingency(table, correction=False).pvalue
    assert pearson(first, second) == pytest.approx(meant, abs=1e-9)
