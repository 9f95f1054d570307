"""Which rounds are measured and when that is enough, on simulated hosts and a simulated clock."""

import itertools
import math
import re
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.measuring.pairing import CELL, PARTNER, PairedRounds, conduct, interval, speeds
from farm.stats.ratios import alpha_after, differs, looks, paired_ratio
from tests.measuring.rows import effort, heard, one_round

ROUND_S = 1.0
BUSY = {"foreign_s": 0.5}
WIDE = 0.05  # pairs of this spread stay wider than 2 % at 8 and 16 pairs, and at 32


class Host:
    """Measures rounds, each of a second on its clock, with the speeds and disturbances that a test tells.

    fps: (variant, number of the round) -> images a second. busy: rounds, by number, beside which others run.
    """

    def __init__(self, fps=lambda variant, number: 1000.0, busy=lambda number: False):
        self.fps, self.busy = fps, busy
        self.now = 100.0
        self.variants = []

    def measure_round(self, variant):
        number = len(self.variants)
        self.variants.append(variant)
        self.now += ROUND_S
        return heard(self.fps(variant, number), **BUSY if self.busy(number) else {})

    def clock(self):
        return self.now

    def conduct(self, *, seed=0, say=lambda _: None, **changes):
        changes = {"budget_s": 10_000.0} | changes
        return conduct(self.measure_round, effort(**changes), rng=Random(seed), clock=self.clock, say=say)


def noisy(spread, ratio=1.0, seed=0):
    """Speeds whose pairs differ at random: a lognormal factor a round."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(scale=spread / math.sqrt(2), size=1000)
    return lambda variant, number: 1000.0 * (ratio if variant == CELL else 1.0) * math.exp(noise[number])


def orders(measured):
    """The order of each pair: ``A`` is the cell, ``B`` its FP32 IR."""
    letters = {CELL: "A", PARTNER: "B"}
    pairs = itertools.groupby(measured.rounds, key=lambda one: one.pair)
    return ["".join(letters[one.variant] for one in pair) for _, pair in pairs]


@pytest.mark.parametrize("seed", range(5))
def test_pairs_come_in_blocks_of_abba_or_baab(seed):
    found = orders(Host(noisy(WIDE)).conduct(seed=seed))
    blocks = ["".join(block) for block in zip(found[::2], found[1::2], strict=True)]
    assert len(blocks) == 16
    assert set(blocks) == {"ABBA", "BAAB"}, "by lot: both come up"


def test_which_of_both_a_block_is_is_chosen_anew_and_by_the_generator_alone():
    schedules = {tuple(orders(Host(noisy(WIDE)).conduct(seed=seed))) for seed in range(5)}
    assert len(schedules) == 5
    assert orders(Host(noisy(WIDE)).conduct(seed=3)) == orders(Host(noisy(WIDE)).conduct(seed=3))


def test_every_row_tells_its_pair_its_place_and_its_variant_and_what_its_round_said():
    host = Host(lambda variant, number: 100.0 + number)
    rounds = host.conduct(pairs=(3, 3)).rounds
    assert [(one.pair, one.position) for one in rounds] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert [one.variant for one in rounds] == host.variants
    assert [one.fps for one in rounds] == pytest.approx([100, 101, 102, 103, 104, 105])
    assert [one.disturbed for one in rounds] == [()] * 6


@pytest.mark.parametrize(
    ("spread", "pairs", "ended"),
    [(0.001, 8, "target"), (0.020, 16, "target"), (0.038, 32, "target"), (0.2, 32, "pairs")],
)
def test_it_ends_at_the_first_look_at_which_the_ratio_is_known_well_enough(spread, pairs, ended):
    measured = Host(noisy(spread, ratio=1.7)).conduct()
    assert (len(measured.pairs()), measured.ended) == (pairs, ended)
    within = [interval(measured.pairs()[:look], (8, 16, 32)).within for look in (8, 16, 32) if look <= pairs]
    assert all(each > 0.02 for each in within[:-1])
    assert (within[-1] <= 0.02) is (ended == "target")


def test_it_never_ends_between_looks_however_well_the_ratio_is_known():
    assert len(Host().conduct(pairs=(10, 40)).pairs()) == 10
    first = noisy(WIDE)
    settled = Host(lambda variant, number: first(variant, number) if number < 18 else 1000.0)
    counts = [one.pair for one in settled.conduct(target=0.035).rounds]
    assert counts[-1] + 1 in (16, 32)


def test_the_target_is_the_grids():
    assert [len(Host(noisy(0.02)).conduct(target=target).pairs()) for target in (0.1, 0.02, 0.0001)] == [8, 16, 32]


def test_exactly_so_many_pairs_where_the_grid_names_a_number():
    assert [Host(noisy(WIDE)).conduct(pairs=(count, count)).ended for count in (2, 5)] == ["pairs"] * 2
    assert len(Host().conduct(pairs=(5, 5)).pairs()) == 5


def test_one_pair_has_no_interval_and_so_never_meets_a_target():
    measured = Host().conduct(pairs=(1, 1), target=10.0)
    assert (len(measured.pairs()), measured.ended) == (1, "pairs")
    assert Host().conduct(pairs=(1, 4), target=10.0).ended == "target"


@pytest.mark.parametrize(("budget_s", "pairs"), [(0.5, 1), (1.9, 1), (2.0, 2), (9.9, 5)])
def test_no_further_pair_starts_when_the_budget_is_spent(budget_s, pairs):
    measured = Host(noisy(WIDE)).conduct(budget_s=budget_s)
    assert (len(measured.pairs()), measured.ended) == (pairs, "budget")


def test_a_pair_that_is_enough_ends_it_as_such_even_when_the_time_is_over_too():
    assert Host().conduct(budget_s=0.1, pairs=(2, 2)).ended == "budget"
    assert Host().conduct(budget_s=3.0, pairs=(2, 8)).ended == "target"
    assert Host(noisy(WIDE)).conduct(budget_s=3.0, pairs=(2, 2)).ended == "pairs"


@pytest.mark.parametrize("busy", [6, 7])
def test_a_disturbed_pair_is_measured_again_in_the_same_order_and_counted(busy):
    disturbed = Host(noisy(WIDE), busy=lambda number: number == busy)
    calm = Host(noisy(WIDE))
    measured = disturbed.conduct()
    expected = orders(calm.conduct())
    assert orders(measured) == expected[:4] + expected[3:]
    assert measured.disturbed() == 1
    assert len(measured.pairs()) == 32
    assert [one.pair for one in measured.rounds] == [number for number in range(33) for _ in range(2)]


@pytest.mark.parametrize("busy", [6, 7])
def test_one_disturbed_round_marks_both_of_its_pair(busy):
    measured = Host(busy=lambda number: number == busy).conduct()
    marked = [one.disturbed for one in measured.rounds]
    assert marked == [()] * 6 + [("foreign",)] * 2 + [()] * 10
    assert len(measured.pairs()) == 8


def test_what_disturbed_both_rounds_is_said_once_and_what_disturbed_either_is_all_said():
    host = Host()
    signals = [{"foreign_s": 0.5}, {"foreign_s": 0.5}, {"foreign_s": 0.5}, {"steal_s": 0.25, "overheated": 2}]

    def measure_round(variant):
        return replace(host.measure_round(variant), **signals.pop(0) if signals else {})

    rounds = conduct(measure_round, effort(pairs=(2, 2)), rng=Random(0), clock=host.clock).rounds
    assert [one.disturbed for one in rounds[:4:2]] == [("foreign",), ("foreign", "steal", "overheated")]


def test_a_wait_disturbs_only_rounds_of_one_inference_at_a_time():
    def measure_round(variant, *, synchronous):
        return heard(100.0, delayed_s=0.5, synchronous=synchronous)

    for synchronous, disturbed in ((True, 1), (False, 0)):
        measured = conduct(
            lambda variant, way=synchronous: measure_round(variant, synchronous=way),
            effort(pairs=(2, 2), max_redone=0), rng=Random(0), clock=lambda: 0.0,
        )  # fmt: skip
        assert measured.disturbed() == disturbed


@pytest.mark.parametrize("most", [0, 1, 8])
def test_a_host_that_is_always_disturbed_is_given_up_after_one_more_than_may_be_redone(most):
    measured = Host(busy=lambda number: True).conduct(max_redone=most)
    assert (measured.ended, measured.disturbed(), measured.pairs()) == ("disturbed", most + 1, [])
    assert len(set(orders(measured))) == 1, "the same pair, again and again"


def test_a_disturbed_pair_counts_neither_for_a_look_nor_for_the_most():
    measured = Host(noisy(WIDE), busy=lambda number: number % 10 == 0).conduct(max_redone=1000)
    assert len(measured.pairs()) == 32
    assert measured.ended == "pairs"
    assert measured.disturbed() == sum(bool(one.disturbed) for one in measured.rounds) / 2 > 5


def test_redoing_takes_time_from_the_budget():
    measured = Host(busy=lambda number: True).conduct(max_redone=1000, budget_s=5.0)
    assert (measured.ended, measured.disturbed()) == ("budget", 3)


@pytest.mark.parametrize("drift", [0.99, 1.01])
@pytest.mark.parametrize("seed", range(5))
def test_a_host_that_grows_steadily_slower_or_faster_makes_no_difference_of_equal_models(drift, seed):
    measured = Host(lambda variant, number: 1000.0 * drift**number).conduct(seed=seed)
    ratio = interval(measured.pairs(), looks(8, 32))
    assert ratio.value == pytest.approx(1.0, abs=2e-3)  # whole inferences a round: half of one of 500 at the least
    assert not differs(ratio)
    plain = [(1000.0 * drift ** (2 * pair), 1000.0 * drift ** (2 * pair + 1)) for pair in range(len(measured.pairs()))]
    assert abs(paired_ratio(plain).value - 1) > 5e-3, "always ABAB would make one"


def test_drift_makes_no_difference_either_where_pairs_are_redone():
    host = Host(lambda variant, number: 1000.0 * 0.99**number, busy=lambda number: number in (1, 8, 9))
    assert interval(host.conduct().pairs(), looks(8, 32)).value == pytest.approx(1.0, abs=2e-3)


def test_after_every_pair_it_says_how_far_it_is():
    said = []
    Host(noisy(0.02, ratio=2.0), busy=lambda number: number == 4).conduct(say=said.append)
    assert len(said) == 17
    assert said[0] == "pair 1 of 32 at most"
    assert said[2] == said[1] + ", 1 disturbed"
    assert re.fullmatch(r"pair 16 of 32 at most, x IR 2\.0\d within 1\.\d%, 1 disturbed", said[-1])


def test_an_interval_that_says_nothing_is_not_said():
    said = []
    Host(noisy(3.0)).conduct(say=said.append, pairs=(2, 2))
    assert said == ["pair 1 of 2 at most", "pair 2 of 2 at most"]


def test_the_interval_of_pairs_is_the_one_that_their_number_may_claim():
    found = speeds(Host(noisy(WIDE)).conduct(pairs=(16, 16)).rounds)
    assert interval(found, (8, 16, 32)) == paired_ratio(found, alpha_after(16, (8, 16, 32)))
    assert interval([], (8, 16, 32)) is None


def test_speeds_are_images_a_second_of_rounds_that_have_their_partner():
    one = one_round(CELL, 200.0, batch=8, inferences=50)
    assert (one.fps, one.wall_s) == (200.0, 2.0)
    assert speeds([one]) == []
    assert speeds([replace(one, variant=PARTNER, batch=1), one, replace(one, pair=1)]) == [(200.0, 25.0)]


def test_who_has_not_begun_has_measured_nothing():
    assert (PairedRounds().pairs(), PairedRounds().disturbed(), PairedRounds().ended) == ([], 0, None)


@given(
    seed=st.integers(0, 10**6),
    least=st.integers(1, 6),
    more=st.integers(0, 10),
    most=st.integers(0, 6),
    budget_s=st.floats(0.1, 60.0),
    spread=st.sampled_from([0.0, 0.01, 0.1]),
    busy=st.sets(st.integers(0, 60)),
)
def test_whatever_a_host_does_it_ends_for_its_own_reason(seed, least, more, most, budget_s, spread, busy):
    host = Host(noisy(spread, seed=seed), busy=lambda number: number in busy)
    given_ = {"pairs": (least, least + more), "max_redone": most, "budget_s": budget_s}
    measured = host.conduct(seed=seed, **given_)
    count, disturbed = len(measured.pairs()), measured.disturbed()
    assert count + disturbed == len(measured.rounds) / 2
    assert count <= least + more
    assert disturbed <= most + 1
    spent_s = host.now - 100.0
    assert spent_s - 2 * ROUND_S <= budget_s or len(measured.rounds) == 2
    holds = {
        "target": count in looks(*given_["pairs"]),
        "pairs": count == least + more,
        "disturbed": disturbed == most + 1,
        "budget": spent_s > budget_s,
    }
    assert holds[measured.ended]
    calm = [one.variant for one in measured.rounds if not one.disturbed]
    blocks = ["".join(CELL if each == CELL else "-" for each in calm[at : at + 4]) for at in range(0, len(calm), 4)]
    assert set(blocks) <= {f"{CELL}--{CELL}", f"-{CELL}{CELL}-", f"{CELL}-", f"-{CELL}"}
