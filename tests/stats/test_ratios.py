"""Percentiles that the tail supports, paired ratios and their intervals, and how often a look may err."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from farm.stats.ratios import ALPHA, NEGLIGIBLE, Ratio, alpha_after, differs, looks, paired_ratio, percentile, quotient


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
    assert paired_ratio([(2.0, 1.0), (8.0, 1.0)]).value == pytest.approx(4.0)
    assert paired_ratio([]) is None


def test_one_pair_says_nothing_of_the_spread():
    assert paired_ratio([(3.0, 2.0)]) == Ratio(value=pytest.approx(1.5))
    assert paired_ratio([(3.0, 2.0)]).within is None


def test_of_more_pairs_that_differ_as_much_the_interval_is_narrower_for_their_number_and_degrees_of_freedom():
    pairs = [(1.1, 1.0), (1.0, 1.1)]
    spread = math.log(1.1) * math.sqrt(2)
    ratio = paired_ratio(pairs, 0.05, count=10)
    assert math.log(ratio.high) == pytest.approx(2.262 * spread / math.sqrt(10), rel=1e-3)
    assert paired_ratio(pairs, count=2) == paired_ratio(pairs)
    assert paired_ratio(pairs[:1], count=10).within is None


def test_an_interval_reaches_so_far_to_each_side():
    assert Ratio(value=2.0, low=2.0 / 1.02, high=2.0 * 1.02).within == pytest.approx(0.02)
    assert Ratio(value=2.0, low=2.0, high=2.0).within == 0
    assert Ratio(value=2.0, low=1.0).within is Ratio(value=2.0, high=3.0).within is None


speeds = st.floats(50.0, 200.0)
pairs_of_speeds = st.lists(st.tuples(speeds, speeds), min_size=2, max_size=40)


@given(pairs_of_speeds, st.sampled_from([0.0025, 0.01, 0.05]))
def test_the_interval_is_scipys_t_interval_on_the_logarithms(pairs, alpha):
    ratio = paired_ratio(pairs, alpha)
    logs = np.log([a for a, _ in pairs]) - np.log([b for _, b in pairs])
    error = scipy.stats.sem(logs)
    assume(error > 1e-6)  # of equal ratios, rounding is all the spread that there is
    low, high = scipy.stats.t.interval(1 - alpha, len(logs) - 1, loc=logs.mean(), scale=error)
    assert (math.log(ratio.low), math.log(ratio.high)) == pytest.approx((low, high), rel=1e-6, abs=1e-8)


@given(pairs_of_speeds)
def test_the_interval_leaves_out_1_exactly_where_scipys_paired_test_says_so(pairs):
    assume(np.ptp([a / b for a, b in pairs]) > 1e-6)  # of equal ratios, rounding is all the spread that there is
    said = scipy.stats.ttest_rel(*(np.log(each) for each in zip(*pairs, strict=True)))
    assume(abs(said.pvalue - ALPHA) > 1e-6)  # there, rounding decides
    ratio = paired_ratio(pairs)
    assert (ratio.low <= 1 <= ratio.high) == (said.pvalue > ALPHA)


@given(st.lists(st.tuples(speeds, speeds), min_size=1, max_size=20))
def test_a_paired_ratio_turned_round_is_its_inverse_and_lies_between_the_least_and_the_most(pairs):
    ratio, inverse = paired_ratio(pairs), paired_ratio([(b, a) for a, b in pairs])
    assert ratio.value * inverse.value == pytest.approx(1.0)
    if len(pairs) > 1:
        assert ratio.low * inverse.high == pytest.approx(1.0)
    ratios = [a / b for a, b in pairs]
    assert min(ratios) * (1 - 1e-9) <= ratio.value <= max(ratios) * (1 + 1e-9)  # rounding of log and exp


def test_two_pairs_far_apart_have_a_wide_interval_and_no_overflow():
    ratio = paired_ratio([(1000.0, 990.0), (1000.0, 900.0)], alpha_after(2, looks(2, 1000)))
    assert 0 <= ratio.low < 1 < ratio.high
    assert ratio.within > 1


@given(pairs_of_speeds, st.permutations(range(40)))
def test_neither_the_order_of_pairs_nor_the_unit_of_speed_matters(pairs, order):
    shuffled = [pairs[index] for index in order if index < len(pairs)]
    scaled = [(1000 * a, 1000 * b) for a, b in shuffled]
    ours, theirs = paired_ratio(pairs), paired_ratio(scaled)
    assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high), rel=1e-6)


def interval(value, down, up):
    return Ratio(value=value, low=value * math.exp(-down), high=value * math.exp(up))


def test_a_quotients_interval_is_movers_on_logarithms():
    found = quotient(interval(6.0, 0.03, 0.06), interval(2.0, 0.08, 0.04))
    assert found.value == pytest.approx(3.0)
    assert math.log(found.value / found.low) == pytest.approx(0.05)  # of 0.03 down above and 0.04 up below: 3, 4, 5
    assert math.log(found.high / found.value) == pytest.approx(0.10)  # of 0.06 up above and 0.08 down below


def test_a_quotient_by_what_is_surely_1_is_the_same_ratio():
    ratio = interval(6.0, 0.03, 0.06)
    found = quotient(ratio, Ratio(value=1.0, low=1.0, high=1.0))
    assert (found.value, found.low, found.high) == pytest.approx((ratio.value, ratio.low, ratio.high))


def test_a_quotient_of_samples_has_the_interval_of_a_difference_of_means():
    """Of many samples of one size, MOVER's interval is the large-sample one of a difference of two means."""
    rng = np.random.default_rng(0)
    logs = rng.normal((0.3, 0.1), (0.02, 0.05), (5000, 2))
    ours, theirs = ([(math.exp(each), 1.0) for each in column] for column in logs.T)
    found = quotient(paired_ratio(ours), paired_ratio(theirs))
    half = scipy.stats.norm.ppf(1 - ALPHA / 2) * math.sqrt((logs.var(axis=0, ddof=1) / len(logs)).sum())
    middle = np.subtract(*logs.mean(axis=0))
    # t of 4999 degrees and the normal differ by 5e-4 of the half width
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((middle - half, middle + half), abs=1e-3 * half)


KNOWN, LOWLESS, HIGHLESS = interval(2.0, 0.1, 0.1), Ratio(value=4.0, high=5.0), Ratio(value=4.0, low=3.0)


@pytest.mark.parametrize(
    ("over", "under"), [(KNOWN, LOWLESS), (KNOWN, HIGHLESS), (LOWLESS, KNOWN), (HIGHLESS, KNOWN), (LOWLESS, HIGHLESS)]
)
def test_a_quotient_of_what_has_no_interval_has_none(over, under):
    assert quotient(over, under) == Ratio(value=over.value / under.value)


ends = st.floats(0.0, 1.0)
ratios = st.builds(interval, st.floats(0.01, 100.0), ends, ends)


@given(ratios, ratios)
def test_a_quotient_is_never_surer_than_what_it_is_made_of_and_turned_round_its_inverse(over, under):
    found, inverse = quotient(over, under), quotient(under, over)
    assert found.low * inverse.high == pytest.approx(1.0)
    assert found.high * inverse.low == pytest.approx(1.0)
    assert found.within >= max(over.within, under.within) / 2 - 1e-9  # one of a ratio's sides may be of no width
    assert math.log1p(found.within) <= math.log1p(over.within) + math.log1p(under.within) + 1e-9


@pytest.mark.parametrize(
    ("least", "most", "when"),
    [(8, 32, (8, 16, 32)), (8, 8, (8,)), (1, 1, (1,)), (3, 20, (3, 6, 12, 20)), (10, 11, (10, 11)), (1, 4, (1, 2, 4))],
)
def test_looks_are_at_the_least_at_each_doubling_and_at_the_most(least, most, when):
    assert looks(least, most) == when


@given(st.integers(1, 100), st.integers(0, 900))
def test_looks_begin_at_the_least_end_at_the_most_and_grow(least, more):
    planned = looks(least, least + more)
    assert (planned[0], planned[-1]) == (least, least + more)
    assert all(a < b <= 2 * a for a, b in itertools.pairwise(planned))


@given(st.integers(1, 100), st.integers(0, 900), st.sampled_from([0.01, 0.05]))
def test_all_looks_together_spend_alpha(least, more, alpha):
    planned = looks(least, least + more)
    assert sum(alpha_after(pairs, planned, alpha) for pairs in planned) == pytest.approx(alpha)


@given(st.integers(1, 100), st.integers(0, 900), st.integers(1, 2000))
def test_whoever_stops_between_two_looks_or_later_has_what_the_looks_before_have_left(least, more, pairs):
    planned = looks(least, least + more)
    assume(pairs not in planned)
    before = [look for look in planned[:-1] if look < pairs]
    spent = sum(alpha_after(look, planned) for look in before)
    assert spent + alpha_after(pairs, planned) == pytest.approx(ALPHA)


@pytest.mark.parametrize(
    ("pairs", "share"),
    [(8, 1 / 4), (16, 1 / 4), (32, 1 / 2), (3, 1), (9, 3 / 4), (20, 1 / 2), (33, 1 / 2), (500, 1 / 2)],
)
def test_a_look_spends_its_share_of_the_pairs_since_the_last_one(pairs, share):
    assert alpha_after(pairs, (8, 16, 32)) == pytest.approx(ALPHA * share)


@pytest.mark.parametrize(
    ("ratio", "different"),
    [
        (Ratio(value=1.5), False),
        (Ratio(value=1.5, low=1.4), False),
        (Ratio(value=1.5, high=1.6), False),
        (Ratio(value=1.5, low=1.4, high=1.6), True),
        (Ratio(value=0.7, low=0.6, high=0.8), True),
        (Ratio(value=1.5, low=0.9, high=2.0), False),
        (Ratio(value=1.5, low=1.0, high=2.0), False),
        (Ratio(value=1.009, low=1.008, high=1.01), False),
        (Ratio(value=1.011, low=1.010, high=1.012), True),
        (Ratio(value=1 / 1.009, low=0.98, high=0.995), False),
        (Ratio(value=1 / 1.011, low=0.98, high=0.995), True),
    ],
)
def test_a_difference_is_sure_and_more_than_negligible(ratio, different):
    assert NEGLIGIBLE == 0.01
    assert differs(ratio) is different


# How often the rule errs: experiments in which the cell and its FP32 IR are equally fast. Each is a row of the
# logarithms of 32 paired ratios; noise of a few per cent, so that experiments end at every one of the looks.

EXPERIMENTS, PLANNED, TARGET = 1000, (8, 16, 32), 0.02
# So many of them may be flagged by chance where each is with probability ALPHA: more in one run of a thousand.
FLAGGED = int(scipy.stats.binom.ppf(0.999, EXPERIMENTS, ALPHA))


def experiments(truth=1.0):
    rng = np.random.default_rng(20_26)
    noise = rng.uniform(0.005, 0.06, EXPERIMENTS)
    return math.log(truth) + rng.normal(size=(EXPERIMENTS, PLANNED[-1])) * noise[:, None]


def by_the_rule(logs, alpha_at=lambda pairs: alpha_after(pairs, PLANNED)):
    """The ratio of one experiment when it ends: narrow enough at a look, or after the last pair."""
    pairs = [(math.exp(each), 1.0) for each in logs]
    for count in PLANNED:
        ratio = paired_ratio(pairs[:count], alpha_at(count))
        if ratio.within <= TARGET:
            break
    return ratio


def by_bootstrap(logs):
    """The same with percentile intervals of resampled means, at 99 % at every look."""
    rng = np.random.default_rng(len(logs))
    for count in PLANNED:
        seen = logs[:count]
        means = seen[rng.integers(0, count, (400, count))].mean(axis=1)
        low, high = np.exp(np.quantile(means, [ALPHA / 2, 1 - ALPHA / 2]))
        ratio = Ratio(value=math.exp(seen.mean()), low=low, high=high)
        if ratio.within <= TARGET:
            break
    return ratio


def flagged_while_running(logs, when, alpha_at):
    """Whether a difference is claimed at any look that is reached, as who watches would claim it."""
    pairs = [(math.exp(each), 1.0) for each in logs]
    for count in when:
        ratio = paired_ratio(pairs[:count], alpha_at(count))
        if not ratio.low <= 1 <= ratio.high:
            return True
        if ratio.within <= TARGET:
            break
    return False


def missed(ratio, truth=1.0):
    return not ratio.low <= truth <= ratio.high


def test_experiments_end_at_every_look():
    within = [[paired_ratio([(math.exp(x), 1.0) for x in row[:count]], alpha_after(count, PLANNED)).within <= TARGET
               for count in PLANNED[:-1]] for row in experiments()]  # fmt: skip
    ended = [row.index(True) if True in row else 2 for row in within]
    assert min(ended.count(look) for look in range(3)) > EXPERIMENTS / 20


def test_of_a_thousand_equal_speeds_the_rule_tells_at_most_1_in_100_apart():
    found = [by_the_rule(logs) for logs in experiments()]
    assert sum(map(missed, found)) <= FLAGGED
    assert sum(map(differs, found)) <= FLAGGED


def test_not_even_who_watches_at_every_look_sees_more_differences():
    found = [flagged_while_running(logs, PLANNED, lambda pairs: alpha_after(pairs, PLANNED)) for logs in experiments()]
    assert sum(found) <= FLAGGED


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.7])
def test_the_interval_holds_the_truth_in_99_of_100(truth):
    assert sum(missed(by_the_rule(logs), truth) for logs in experiments(truth)) <= FLAGGED


@pytest.mark.parametrize(
    "wrong",
    [
        lambda logs: missed(by_the_rule(logs, lambda _: 0.05)),
        lambda logs: missed(by_bootstrap(logs)),
        lambda logs: flagged_while_running(logs, range(4, PLANNED[-1] + 1), lambda _: ALPHA),
    ],
    ids=["95 %", "bootstrap", "all of alpha after every pair"],
)
def test_a_wrong_rule_would_be_found_out(wrong):
    assert sum(map(wrong, experiments())) > FLAGGED
