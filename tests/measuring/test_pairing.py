"""How many pairs are measured, how long, and when that is enough, on simulated hosts and a simulated clock."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.measuring import pairing
from farm.measuring.pairing import (
    CELL,
    LEAST_PART,
    LEAST_STRETCHES,
    LONGEST,
    MOST_BUDGETS,
    MOST_HOPELESS,
    PARTNER,
    SHORTEST,
    TURNS_IN_BLOCK,
    PairedRounds,
    conduct,
    interval,
    lengthening,
    speeds,
)
from farm.stats.ratios import alpha_after, looks, paired_ratio
from tests.measuring.hosts import BUSY, SECONDS, START_S, WIDE, Host, halved, marked, noisy
from tests.measuring.rows import effort, heard, one_round, stretches_at


def test_every_round_tells_its_pair_and_its_variant_and_what_it_said():
    host = Host(lambda variant, number: 100.0 + 10 * number)
    rounds = host.conduct(pairs=(3, 3)).rounds
    assert [one.pair for one in rounds] == [0, 0, 1, 1, 2, 2]
    assert [one.variant for one in rounds] == [CELL, PARTNER] * 3
    assert [one.fps for one in rounds] == pytest.approx([100, 110, 120, 130, 140, 150])
    assert [one.disturbed for one in rounds] == [()] * 6


@pytest.mark.parametrize(
    ("spread", "pairs", "ended"),
    [(0.001, 8, "target"), (0.020, 16, "target"), (0.045, 32, "target"), (WIDE, 32, "pairs"), (0.2, 8, "futile")],
)
def test_it_ends_at_the_first_look_at_which_the_ratio_is_known_well_enough(spread, pairs, ended):
    measured = Host(noisy(spread, ratio=1.7)).conduct()
    assert (len(measured.pairs()), measured.ended) == (pairs, ended)
    within = [interval(measured.pairs()[:look], (8, 16, 32)).within for look in (8, 16, 32) if look <= pairs]
    assert all(each > 0.02 for each in within[:-1])
    assert (within[-1] <= 0.02) is (ended == "target")


def test_it_is_futile_where_twice_as_many_pairs_as_there_may_be_would_not_do():
    """By the interval that they would have, which has more degrees of freedom than that of the few so far."""
    for spread in (0.04, 0.06, 0.08, 0.1, 0.15):
        measured = Host(noisy(spread)).conduct()
        first = measured.pairs()[:8]
        at_most, twice = (paired_ratio(first, alpha_after(32, (8, 16, 32)), count=count) for count in (32, 64))
        if at_most.within <= 0.02:
            assert len(measured.pairs()) > 8, "it may well be enough"
        assert (measured.ended == "futile" and len(measured.pairs()) == 8) is (twice.within > 0.02)


def test_it_never_ends_between_looks_however_well_the_ratio_is_known():
    assert len(Host().conduct(pairs=(10, 40)).pairs()) == 10
    first = noisy(WIDE)
    settled = Host(lambda variant, number: first(variant, number) if number < 18 else 1000.0)
    counts = [one.pair for one in settled.conduct(target=0.035).rounds]
    assert counts[-1] + 1 in (16, 32)


def test_the_target_is_the_grids():
    assert [len(Host(noisy(0.02)).conduct(target=target).pairs()) for target in (0.1, 0.02, 0.01)] == [8, 16, 32]


def test_one_pair_has_no_interval_and_so_never_meets_a_target():
    measured = Host().conduct(pairs=(1, 1), target=10.0)
    assert (len(measured.pairs()), measured.ended) == (1, "pairs")
    assert Host().conduct(pairs=(1, 4), target=10.0).ended == "target"


@pytest.mark.parametrize(("budget_s", "pairs"), [(0.5, 1), (0.66, 1), (0.67, 2), (3.3, 5)])
def test_no_further_pair_starts_when_three_times_the_budget_is_spent_before_the_first_look(budget_s, pairs):
    measured = Host(noisy(WIDE)).conduct(budget_s=budget_s)
    assert (len(measured.pairs()), measured.ended) == (pairs, "budget")


def test_a_pair_that_is_enough_ends_it_as_such_even_when_the_time_is_over_too():
    assert Host().conduct(budget_s=0.1, pairs=(2, 2)).ended == "budget"
    assert Host().conduct(budget_s=3.0, pairs=(2, 8)).ended == "target"
    assert Host(noisy(WIDE)).conduct(budget_s=3.0, pairs=(2, 2)).ended == "pairs"


@pytest.mark.parametrize("busy", [6, 7])
def test_one_disturbed_round_marks_both_of_its_pair(busy):
    measured = Host(busy=lambda number: number == busy).conduct()
    marked = [one.disturbed for one in measured.rounds]
    assert marked == [()] * 6 + [("foreign",)] * 2 + [()] * 10
    assert len(measured.pairs()) == 8


def test_what_disturbed_both_rounds_is_said_once_and_what_disturbed_either_is_all_said():
    host, signals = Host(), [[BUSY, BUSY], [BUSY, {"steal_s": 0.25, "overheated": 2}]]

    def measure_pair(seconds):
        pair = host.measure_pair(seconds)
        return [replace(one, **told) for one, told in zip(pair, signals.pop(0) if signals else ({}, {}), strict=True)]

    rounds = conduct(measure_pair, effort(pairs=(2, 2)), clock=host.clock).rounds
    assert [one.disturbed for one in rounds[:4:2]] == [("foreign",), ("foreign", "steal", "overheated")]


@pytest.mark.parametrize(("synchronous", "disturbed"), [(True, 1), (False, 0)])
def test_a_wait_disturbs_only_rounds_of_one_inference_at_a_time(synchronous, disturbed):
    def measure_pair(_):
        return [replace(heard(100.0, delayed_s=0.5, synchronous=synchronous), variant=name) for name in (CELL, PARTNER)]

    measured = conduct(measure_pair, effort(pairs=(2, 2), max_redone=0), clock=lambda: 0.0)
    assert measured.disturbed() == disturbed


@pytest.mark.parametrize("most", [0, 1, 8])
def test_a_host_that_is_always_disturbed_is_given_up_early(most):
    measured = Host(busy=lambda number: True).conduct(max_redone=most)
    assert (measured.ended, measured.disturbed(), measured.pairs()) == ("disturbed", min(most, MOST_HOPELESS) + 1, [])


@pytest.mark.parametrize("quiet", [0, MOST_HOPELESS])
def test_a_host_that_was_undisturbed_once_may_be_disturbed_once_more_than_may_be_redone(quiet):
    """Rounds come in pairs; before the pair that is quiet, fewer are disturbed than are hopeless."""
    measured = Host(busy=lambda number: number // 2 != quiet).conduct(max_redone=8)
    assert (measured.ended, measured.disturbed(), len(measured.pairs())) == ("disturbed", 9, 1)


def test_a_disturbed_pair_counts_neither_for_a_look_nor_for_the_most():
    measured = Host(noisy(WIDE), busy=lambda number: number % 10 == 0).conduct(max_redone=1000)
    assert len(measured.pairs()) == 32
    assert measured.ended == "pairs"
    assert measured.disturbed() == sum(bool(one.disturbed) for one in measured.rounds) / 2 > 5


def test_redoing_takes_time_from_the_budget():
    measured = Host(busy=lambda number: True).conduct(max_redone=1000, budget_s=1.6)
    assert (measured.ended, measured.disturbed()) == ("budget", 3)


def test_after_every_pair_it_says_how_far_it_is():
    said = []
    Host(noisy(0.02, ratio=2.0), busy=lambda number: number == 4).conduct(say=said.append)
    assert len(said) == 17
    assert said[0] == "pair 1 of 32 at most"
    assert said[2] == said[1] + ", 1 disturbed"
    assert re.fullmatch(r"pair 16 of 32 at most, x IR [12]\.\d\d within 1\.\d%, 1 disturbed", said[-1])


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


def blocks(variant, *speeds):
    """A round with these stretches in each block of turns: of their speeds, in images a second, a tenth of one each."""
    turns = [TURNS_IN_BLOCK * block + number % 2 for block, each in enumerate(speeds) for number in range(len(each))]
    return one_round(variant, 1.0, stretches=stretches_at([fps for each in speeds for fps in each], turns=turns))


def test_a_host_that_drifts_favours_neither_though_they_were_at_full_speed_at_different_times():
    drift = np.linspace(1000, 100, 10)
    early = blocks(CELL, *([2 * fps] * (10 - block) for block, fps in enumerate(drift)))
    late = blocks(PARTNER, *([fps] * (1 + block) for block, fps in enumerate(drift)))
    ((cell, partner),) = speeds([early, late])
    assert early.fps / late.fps > 2.5
    assert cell / partner == pytest.approx(2, rel=1e-6)


def test_a_block_has_the_weight_of_a_difference_of_two_means():
    """A block with a second of either weighs twice as much as one with a second and a third of one."""
    cell, partner = blocks(CELL, [20] * 10, [10] * 10), blocks(PARTNER, [10] * 30, [20] * 10)
    assert speeds([cell, partner]) == [(pytest.approx(5 / (3 / 20 + 2 / 10)), pytest.approx(5 / (3 / 10 + 2 / 20)))]


def test_a_block_that_has_not_both_does_not_count():
    cell, partner = blocks(CELL, [70] * 9, [20] * 9, [], [30] * 9), blocks(PARTNER, [], [10] * 9, [90] * 9, [15] * 9)
    assert speeds([cell, partner]) == speeds([blocks(CELL, [20] * 9, [30] * 9), blocks(PARTNER, [10] * 9, [15] * 9)])
    assert speeds([blocks(CELL, [20] * 9, []), blocks(PARTNER, [], [10] * 9)]) == []


@pytest.mark.parametrize("few", [CELL, PARTNER])
@pytest.mark.parametrize(
    ("shared", "count", "enough"),
    [
        (LEAST_STRETCHES, 40, True),
        (LEAST_STRETCHES - 1, 40, False),
        (LEAST_STRETCHES - 1, LEAST_STRETCHES - 1, True),
        (10, round(10 / LEAST_PART), True),
        (10, round(10 / LEAST_PART) + 1, False),
    ],
    ids=["enough", "too few", "all there are", "a part", "too small a part"],
)
def test_too_few_stretches_or_too_small_a_part_of_a_pair_make_no_speed(few, shared, count, enough):
    """shared: stretches in the block that either has some in."""
    other = {CELL: PARTNER, PARTNER: CELL}[few]
    rounds = [blocks(few, [10] * shared, [10] * (count - shared)), blocks(other, [10] * 10)]
    assert bool(speeds(rounds)) is enough


def test_figures_are_of_stretches_at_full_speed_where_a_tenth_is_so_and_else_of_all():
    full, mixed = marked(20, 2, 1), marked(3, 1, 1)
    assert (full.at_full_speed, mixed.at_full_speed) == (True, False)
    assert full.pairs() == [(pytest.approx(200.0), pytest.approx(100.0))] * 2, f"{LEAST_STRETCHES} make a speed"
    assert full.slowed() == [(pytest.approx(100.0), pytest.approx(100.0))] * 2, "of the second and the third"
    assert [len(one.stretches) for one in full.used(2)] == [20, 20, 2, 2]
    assert [len(one.stretches) for one in full.used(3)] == [20, 20, 2, 2], "too few, but there are no others"
    assert [100 < cell < 110 for cell, _ in mixed.pairs()] == [True] * 3
    assert mixed.used(3) == mixed.rounds
    assert marked(4, 1).at_full_speed, "half of the pairs have enough of them"
    few = marked(6, 1, 1)
    assert not few.at_full_speed, "though more than a tenth was so"
    assert len(few.pairs()) == 3


def test_a_disturbed_pair_is_in_no_figure_unless_too_few_are_undisturbed():
    measured = marked(20, 20)
    measured.rounds[:2] = [replace(one, disturbed=("steal",)) for one in measured.rounds[:2]]
    assert (len(measured.pairs()), measured.disturbed()) == (1, 1)
    assert [one.pair for one in measured.used(1)] == [1, 1]
    assert [one.pair for one in measured.used(2)] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("within", "between", "start_s", "longer"),
    [
        (0.02, 0.02, 10.0, math.sqrt(1 / (8 / 7 - 1))),
        (0.01, 0.02, 10.0, math.sqrt(1 / (32 / 7 - 1))),
        (0.01, 0.02, 40.0, math.sqrt(4 / (32 / 7 - 1))),
        (0.0, 0.02, 10.0, 0.0),
        (0.02, 0.0, 10.0, LONGEST),
        (0.02, 0.02, 0.0, 1.0),
    ],
)
def test_pairs_are_longer_where_they_differ_within_and_shorter_where_between_or_where_a_start_takes_little(
    within, between, start_s, longer
):
    assert lengthening(halved(within, between), 8 * (start_s + 10.0)) == pytest.approx(longer, rel=0.02, abs=1e-3)


def test_of_halves_that_say_nothing_pairs_stay_as_long_as_they_are():
    assert lengthening(marked(*[6] * 8), 1000.0) == 1.0, "none is at full speed in the later ones"
    assert lengthening(halved(0.02, 0.02, turns=2, pairs=1), 1000.0) == 1.0


@pytest.mark.parametrize(("longer", "seconds"), [(100.0, LONGEST), (0.01, SHORTEST), (1.3, 1.3)])
def test_after_the_first_look_pairs_are_longer_or_shorter_within_limits(monkeypatch, longer, seconds):
    monkeypatch.setattr(pairing, "lengthening", lambda *_: longer)
    host = Host(noisy(WIDE), busy=lambda number: number == 6)
    host.conduct()
    assert host.seconds == [SECONDS] * 9 + [SECONDS * seconds] * 24
    host = Host()
    host.conduct(pairs=(1, 2))
    assert host.seconds == [SECONDS] * 2, "one pair tells nothing of it"


def test_a_look_is_taken_once_though_pairs_turn_out_to_have_been_slow():
    """12 pairs before the core is ever at full speed, then as many that are: the first ones say nothing any more."""
    wide = noisy(WIDE)
    host = Host(
        lambda variant, number: wide(variant, number) if number < 24 else 1e3, probe=lambda n: 200 - 100 * (n > 11)
    )
    measured = host.conduct()
    assert (measured.ended, len(measured.pairs()), len(host.seconds)) == ("target", 32, 44), "at 16 of all it looked"


def test_it_ends_where_the_number_of_pairs_jumps_beyond_the_most():
    """Three pairs at full speed and four that are not are less than half: all count."""
    host = Host(lambda variant, number: 1000 + 100 * (number % 3), probe=lambda number: 300 if number > 2 else 100)
    measured = host.conduct(pairs=(4, 4))
    assert (measured.ended, len(measured.pairs())) == ("pairs", 7)


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
    measured = host.conduct(**given_)
    count, disturbed = len(measured.pairs()), measured.disturbed()
    assert count + disturbed == len(measured.rounds) / 2
    assert count <= least + more
    assert disturbed <= most + 1
    spent_s = host.now - 100.0
    assert spent_s - START_S - host.seconds[-1] <= MOST_BUDGETS * budget_s or len(host.seconds) == 1
    holds = {
        "target": count in looks(*given_["pairs"]),
        "pairs": count == least + more,
        "disturbed": disturbed == 1 + (most if measured.undisturbed() else min(most, MOST_HOPELESS)),
        "budget": spent_s > budget_s,
        "futile": count in looks(*given_["pairs"])[:-1] and count > 1,
    }
    assert holds[measured.ended]
