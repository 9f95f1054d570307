"""Which turns count as played at full speed: by the probes around them, of each CPU and after each variant."""

import numpy as np
import pytest

from farm.measuring.full_speed import FASTEST, SLACK, flagged, full_ns, share
from farm.measuring.pairing import CELL, PARTNER
from tests.measuring.rows import one_round, turns_at

FULL = {CELL: 1100, PARTNER: 1000}  # the cell slows the probe that follows it
TURNS = 40
SLOWER = 1 + 2 * SLACK


def pair(order, slow=(), *, cpus=1, number=0, spread=0.0, fps=100.0):
    """A pair whose turns come in an order, ``A`` the cell's. slow: (probe, CPU) that took longer; probe 0 comes first.

    spread: of the probes, which are at full speed else.
    """
    before = [PARTNER, *(CELL if letter == "A" else PARTNER for letter in order)]
    probes = np.array(
        [[FULL[variant] * (1 + spread * (at % 2)) for _ in range(cpus)] for at, variant in enumerate(before)]
    )
    for at, cpu in slow:
        probes[at, cpu] *= SLOWER
    around = np.stack([probes[:-1], probes[1:]], axis=1).round().astype(np.int64)
    rounds = []
    for variant, letter in ((CELL, "A"), (PARTNER, "B")):
        own = [at for at, whose in enumerate(order) if whose == letter]
        turns = turns_at([fps] * len(own), numbers=own, probes=around[own])
        rounds.append(one_round(variant, fps, pair=number, turns=turns))
    return rounds


def slow_turns(rounds):
    """Which turns of the first pair are not marked."""
    return sorted(int(turn) for one in flagged(rounds)[:2] for turn in one.turns.turn[~one.turns.full_speed])


def test_full_speed_is_a_fast_probe_of_each_variant_and_each_cpu():
    rounds = pair("ABBA" * 10, [(at, 1) for at in range(5, 41)], cpus=2)
    found = full_ns(rounds)
    assert {variant: probes.tolist() for variant, probes in found.items()} == {CELL: [1100] * 2, PARTNER: [1000] * 2}


def test_a_few_lucky_probes_make_no_full_speed():
    rounds = pair("AB" * TURNS)
    for one in rounds:
        one.turns.probes_ns[: int(FASTEST * TURNS) - 1] //= 2
    assert full_ns(rounds)[PARTNER].tolist() == [1000]


def test_who_slows_the_probe_that_follows_it_is_held_against_itself():
    assert FULL[CELL] > FULL[PARTNER] * (1 + SLACK)
    assert slow_turns(pair("ABBA" * 10)) == []


@pytest.mark.parametrize(("at", "turns"), [(0, [0]), (1, [0, 1]), (2, [1, 2]), (20, [19, 20]), (40, [39])])
@pytest.mark.parametrize("cpu", [0, 1])
def test_a_slow_probe_on_any_cpu_marks_the_turns_before_and_after_it(at, turns, cpu):
    """Whichever of both rounds they are: the probe after one's turn is the probe before the other's."""
    assert slow_turns(pair("BAAB" * 10, [(at, cpu)], cpus=2)) == turns


@pytest.mark.parametrize(("spread", "marked"), [(SLACK * 0.9, True), (SLACK * 1.3, False)])
def test_a_probe_may_take_a_little_longer(spread, marked):
    rounds = flagged(pair("AABB" * 10, spread=spread))
    assert all(one.turns.full_speed.all() for one in rounds) is marked


def test_a_pair_is_held_against_the_probes_of_the_whole_measurement():
    first = pair("ABBA", [(at, 0) for at in range(5)])
    assert slow_turns(first) == [], "nothing else is known"
    later = [one for number in range(1, 10) for one in pair("ABBA" * 10, number=number)]
    rounds = flagged([*first, *later])
    assert [one.turns.full_speed.any() for one in rounds] == [False, False, *[True] * 18]
    assert share(rounds) == pytest.approx(360 / 364)


def test_how_fast_a_model_was_makes_no_difference():
    slow = [(at, 0) for at in range(7, 12)]
    assert slow_turns(pair("ABBA" * 10, slow)) == slow_turns(pair("ABBA" * 10, slow, fps=3.0)) == list(range(6, 12))


def test_without_a_probe_all_turns_count():
    assert share(flagged([one_round(CELL, 100.0), one_round(PARTNER, 100.0)])) == 1.0


def test_of_no_turn_none_was_at_full_speed():
    assert share([]) == 0.0
