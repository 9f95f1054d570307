"""Which stretches count as played at full speed: by the probes around them, of each CPU and after each variant."""

from dataclasses import replace

import numpy as np
import pytest

from farm.measuring.full_speed import (
    LEAST_SHARE,
    MOST_HIDDEN,
    MOST_LUCKY,
    fast_ns,
    flagged,
    hidden,
    holds,
    lucky,
    share,
)
from farm.measuring.pairing import CELL, PARTNER
from farm.measuring.probe import FASTEST, SLACK
from tests.measuring.rows import one_round, stretches_at

FULL = {CELL: 1200, PARTNER: 1000}  # the cell slows the probe that follows it
STRETCHES, MANY = 40, 1000
FEW = round(LEAST_SHARE * MANY)
SLOWER = 1 + 2 * SLACK


def probed(variant, *probes, pair=0, fps=100.0):
    """A round with these probes, the round's own and each CPU's: each before every stretch, and after the last."""
    chains = np.array(probes).round().astype(np.int64)
    around = np.stack([chains[:, :-1], chains[:, 1:]]).transpose(2, 0, 1)
    return one_round(variant, fps, pair=pair, stretches=stretches_at([fps] * len(around), probes=around))


def full(variant, count=STRETCHES, slow=()):
    """A probe around so many stretches at full speed, but for some."""
    return [FULL[variant] * (SLOWER if at in slow else 1) for at in range(count + 1)]


def both(*slow, **more):
    """A pair in which each round's own probe was slower at these."""
    return [probed(variant, full(variant, slow=slow), **more) for variant in FULL]


def slowed(one):
    """Which stretches of a round are not marked."""
    return np.flatnonzero(~one.stretches.full_speed).tolist()


def test_full_speed_is_a_fast_probe_of_each_variant_and_each_probe():
    rounds = [probed(each, full(each), np.multiply(full(each, slow=range(5, STRETCHES)), 2)) for each in FULL]
    assert {variant: each.tolist() for variant, each in fast_ns(rounds).items()} == {
        CELL: [1200, 2400], PARTNER: [1000, 2000],
    }  # fmt: skip


def test_a_few_lucky_probes_make_no_full_speed():
    few = [500] * int(FASTEST * (STRETCHES - 1))
    assert few
    assert fast_ns([probed(PARTNER, full(PARTNER)[len(few) :] + few)])[PARTNER].tolist() == [1000]


def test_who_slows_the_probe_that_follows_it_is_held_against_itself():
    assert FULL[CELL] > FULL[PARTNER] * (1 + SLACK)
    assert [slowed(one) for one in flagged(both())] == [[], []]
    at_cells = [FULL[CELL], *full(PARTNER)[1:-1], FULL[CELL]]
    assert slowed(flagged([*both(), probed(PARTNER, at_cells)])[2]) == [0, STRETCHES - 1]


@pytest.mark.parametrize(
    ("variant", "before", "after", "marked"),
    [(PARTNER, CELL, PARTNER, True), (PARTNER, PARTNER, CELL, False), (CELL, PARTNER, CELL, True)],
)
def test_on_each_cpu_before_a_turn_the_probe_follows_either_variant_and_after_it_its_own(
    variant, before, after, marked
):
    rounds = [probed(each, full(each), full(each)) for each in FULL]
    turn = probed(variant, full(variant, 1), [FULL[before], FULL[after]])
    assert flagged([*rounds, turn])[2].stretches.full_speed.tolist() == [marked]
    slower = probed(variant, full(variant, 1), [FULL[CELL] * SLOWER, FULL[variant]])
    assert slowed(flagged([*rounds, slower])[2]) == [0], "slower than after either"


@pytest.mark.parametrize(("at", "stretches"), [(0, [0]), (1, [0, 1]), (20, [19, 20]), (STRETCHES, [STRETCHES - 1])])
@pytest.mark.parametrize("probe", [0, 1, 2])
def test_any_slow_probe_marks_the_stretches_before_and_after_it(at, stretches, probe):
    chains = [full(CELL, slow=[at] if number == probe else []) for number in range(3)]
    assert slowed(flagged([probed(CELL, *chains)])[0]) == stretches


@pytest.mark.parametrize(("longer", "marked"), [(SLACK * 0.99, True), (SLACK * 1.01, False)])
def test_a_probe_may_take_a_little_longer(longer, marked):
    rounds = [probed(CELL, np.multiply(1000, [1, 1 + longer] * STRETCHES))]
    assert flagged(rounds)[0].stretches.full_speed.all() == marked


def test_a_pair_is_held_against_the_probes_of_the_whole_measurement():
    first = both(*range(STRETCHES + 1))
    assert share(flagged(first)) == 1, "nothing else is known"
    later = [one for number in range(1, 10) for one in both(pair=number)]
    assert [one.stretches.full_speed.any() for one in flagged([*first, *later])] == [False] * 2 + [True] * 18


def test_how_fast_a_model_was_makes_no_difference():
    fast, slow = (flagged(both(7, 8, 9, fps=fps)) for fps in (100.0, 3.0))
    assert [slowed(one) for one in fast] == [slowed(one) for one in slow] == [[6, 7, 8, 9]] * 2


def test_the_share_at_full_speed_is_one_of_time_not_of_stretches():
    cell = probed(CELL, full(CELL, 4, slow=[0, 4]), fps=1.0)  # two of four seconds
    partner = probed(PARTNER, full(PARTNER, 10))  # all of one second, in more stretches
    assert share(flagged([cell, partner])) == pytest.approx(3 / 5)


def to_and_fro(fast, slow, count=100_000, steps=20, seed=0):
    """The probe on a core with two states that last so many stretches on average, looked at so many times in each.

    And for how much of the time of stretches between two fast probes it was slow all the same.
    """
    lasts = np.random.default_rng(seed).exponential(np.tile([fast, slow], count))
    times = np.arange(count * steps + 1) / steps
    is_fast = np.searchsorted(np.cumsum(lasts), times) % 2 == 0
    at_probes, within = is_fast[::steps], is_fast[:-1].reshape(count, steps)
    return np.where(at_probes, 1000, 1500), float(1 - within[at_probes[:-1] & at_probes[1:]].mean())


@pytest.mark.parametrize(("fast", "slow"), [(1.0, 1.0), (2.0, 1.0), (1.0, 5.0), (50.0, 50.0)])
def test_how_slow_stretches_that_look_fast_were_is_told_from_how_long_a_state_lasts(fast, slow):
    """Within 1 %: 5 standard deviations of what as many stretches tell."""
    probe, slower = to_and_fro(fast, slow)
    assert hidden([probed(CELL, probe)]) == pytest.approx(slower, abs=0.01)
    assert (slower > MOST_HIDDEN) is (fast < 50)


def test_what_is_hidden_is_that_of_the_worst_probe_over_all_rounds():
    often, seldom = (to_and_fro(lasts, lasts, MANY)[0] for lasts in (1.0, 50.0))
    alone = [hidden([probed(CELL, probe)]) for probe in (often, seldom)]
    assert hidden([probed(CELL, seldom, often)]) == alone[0] > alone[1]
    assert alone[0] > hidden([probed(CELL, often), probed(CELL, [1000] * (MANY + 1))]) > 0


def test_what_is_hidden_is_that_of_the_variant_with_the_longer_stretches_however_few():
    """An int8 model's many short stretches hide little, and say nothing of its FP32 IR's few long ones."""
    short, long = to_and_fro(50.0, 50.0, MANY)[0], to_and_fro(2.0, 2.0, MANY // 4)[0]
    of_long = hidden([probed(PARTNER, long)])
    assert hidden([probed(CELL, short), probed(PARTNER, long)]) == of_long > MOST_HIDDEN


def test_a_core_that_is_always_fast_hides_nothing_nor_one_whose_stretches_never_begin_so():
    assert hidden(both()) == 0
    assert hidden([probed(CELL, [1500, 1000]) for _ in range(9)]) == 0
    assert hidden([one_round(CELL, 100.0)]) == 0, "without a probe"


def test_a_core_that_was_at_full_speed_seldom_shows_in_probes_that_are_too_fast():
    seldom = [700] * 4 + [1000] * 97
    assert lucky([probed(CELL, seldom)]) == 0.03, "but for the first, which follows nothing"
    assert lucky([probed(CELL, seldom[1:])]) == 0, "two are chance"
    assert lucky([probed(CELL, [1000] * 101, seldom)]) == 0.03, "on the CPU with most of them"
    assert lucky([probed(CELL, np.maximum(seldom, 950))]) == 0, "not so much faster"
    assert lucky(both()) == lucky([]) == 0


def test_a_cpus_probe_around_a_turn_is_one_however_many_stretches_the_turn_has():
    one = probed(CELL, [1000] * 101, [1000] + [700] * 4 + [1000] * 96)
    assert lucky([one]) == 0.04
    turns = replace(one, stretches=replace(one.stretches, turn=np.arange(100) // 4))
    assert lucky([turns]) == 0, "one of 25 is chance"
    own = replace(turns, stretches=replace(turns.stretches, probes_ns=turns.stretches.probes_ns[:, :, ::-1]))
    assert lucky([own]) == 0.04, "the round's own stand first"


@pytest.mark.parametrize(
    ("probe", "held"),
    [
        ([1000] * (FEW + 1) + [1500] * (MANY - FEW), True),
        ([1000] * FEW + [1500] * (MANY - FEW + 1), False),
        (to_and_fro(2.0, 1.0, MANY)[0], False),
        ([700] * round(MOST_LUCKY * MANY) + [1000] * (MANY + 1), True),
        ([700] * round(1 + 2 * MOST_LUCKY * MANY) + [1000] * MANY, False),
    ],
    ids=["a tenth", "less", "to and fro", "some luck", "much luck"],
)
def test_figures_are_of_full_speed_where_it_was_often_enough_and_lasted_and_was_not_luck(probe, held):
    assert holds(flagged([probed(CELL, probe)])) is held


def test_without_a_probe_all_stretches_count():
    rounds = flagged([one_round(CELL, 100.0), one_round(PARTNER, 100.0)])
    assert share(rounds) == 1
    assert holds(rounds)


def test_of_no_stretch_none_was_at_full_speed():
    assert share([]) == 0
    assert not holds([])
