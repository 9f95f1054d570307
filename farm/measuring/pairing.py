"""How many pairs are measured, how long each, and when that is enough. Pure: is given how one is measured, and a clock.

A pair that the host disturbed is measured again.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from farm.measuring.full_speed import flagged, holds
from farm.measuring.round import Round, Stretches
from farm.measuring.verdict import disturbances
from farm.plan import Effort
from farm.record import Ended
from farm.stats.ratios import Pair, Ratio, alpha_after, looks, paired_ratio

CELL, PARTNER = "cell", "ir"
LEAST_STRETCHES = 2  # of each variant, of a pair that counts
LEAST_PART = 0.05  # of a pair's time
TURNS_IN_BLOCK = 4
SHORTEST, LONGEST = 0.5, 4.0  # times as long as asked for, pairs after the first look
MOST_HOPELESS = 3  # disturbed pairs are measured again, at most, where none was undisturbed
MOST_BUDGETS = 3  # until the first look
FUTILE = 2  # times as many pairs as there may be would not be enough: no more are measured

MeasurePair = Callable[[float], Sequence[Round]]


@dataclass(kw_only=True)
class PairedRounds:
    """Rounds, each with its pair, its stretches at full speed, what disturbed its pair. ended: why no more."""

    rounds: list[Round] = field(default_factory=list)
    ended: Ended | None = None

    def undisturbed(self) -> list[Round]:
        """The rounds of undisturbed pairs."""
        return [one for one in self.rounds if not one.disturbed]

    def disturbed(self) -> int:
        """How many pairs were disturbed."""
        return len({one.pair for one in self.rounds if one.disturbed})

    @cached_property
    def at_full_speed(self) -> bool:
        """Whether figures are of stretches at full speed; else of all, for the cores hardly ever ran so.

        Half of the pairs have to have enough of them: a slow model's inferences seldom fit into such a time.
        """
        rounds = self.undisturbed() or self.rounds
        return holds(rounds) and 2 * len(speeds(rounds, full_speed=True)) >= len(speeds(rounds))

    def pairs(self) -> list[Pair]:
        """The speeds of undisturbed pairs, the cell's and its partner's."""
        return self._pairs

    @cached_property
    def _pairs(self) -> list[Pair]:
        return speeds(self.undisturbed(), full_speed=True if self.at_full_speed else None)

    def slowed(self) -> list[Pair]:
        """The same while the cores were not at full speed."""
        return speeds(self.undisturbed(), full_speed=False)

    def used(self, least: int) -> list[Round]:
        """The rounds that figures are of, with those of their stretches: undisturbed, or all if too few are so."""
        rounds = self.undisturbed() if len(self.pairs()) >= least else self.rounds
        if not self.at_full_speed:
            return rounds
        enough = speeds_of(rounds, full_speed=True)
        return [_at_full_speed(one) for one in rounds if one.pair in enough] or rounds


def _at_full_speed(one: Round) -> Round:
    return replace(one, stretches=one.stretches.of(one.stretches.full_speed))


def conduct(
    measure_pair: MeasurePair,
    effort: Effort,
    *,
    clock: Callable[[], float],
    say: Callable[[str], None] = lambda _: None,
) -> PairedRounds:
    """Measure pairs until the interval is narrow enough at a look, or there may be no more.

    measure_pair: is told how many times longer than usual the pair is to be. clock: seconds. say: is told after every
    pair how far it is.
    """
    planned, measured = looks(*effort.pairs), PairedRounds()
    begun, longer, most = clock(), 1.0, 0
    while measured.ended is None:
        pair = measure_pair(longer)
        disturbed = tuple(dict.fromkeys(signal for one in pair for signal in disturbances(one)))
        number = len(measured.rounds) // 2
        rounds = [*measured.rounds, *(replace(one, pair=number, disturbed=disturbed) for one in pair)]
        measured = PairedRounds(rounds=flagged(rounds))
        spent_s = clock() - begun
        say(_progress(measured, planned))
        count = len(measured.pairs())  # now and then it jumps, or falls: a pair shows what full speed is
        look = max((look for look in planned if most < look <= count), default=0)
        measured.ended = _ending(measured, look, effort, spent_s)
        if look == planned[0] > 1:
            longer = min(LONGEST, max(SHORTEST, lengthening(measured, spent_s)))
        most = max(most, count)
    return measured


def _ending(measured: PairedRounds, look: int, effort: Effort, spent_s: float) -> Ended | None:
    """look: the number of pairs whose look it is; 0 if it is none's."""
    pairs, planned = measured.pairs(), looks(*effort.pairs)
    if look and _is_within(paired_ratio(pairs, alpha_after(look, planned)), effort.target):
        return "target"
    if len(pairs) >= planned[-1]:
        return "pairs"
    most_redone = effort.max_redone if measured.undisturbed() else min(effort.max_redone, MOST_HOPELESS)
    if measured.disturbed() > most_redone:
        return "disturbed"
    if spent_s > effort.budget_s * (1 if len(pairs) >= planned[0] else MOST_BUDGETS):
        return "budget"
    at_last = paired_ratio(pairs, alpha_after(planned[-1], planned), count=FUTILE * planned[-1])
    return "futile" if look > 1 and not _is_within(at_last, effort.target) else None


def _is_within(ratio: Ratio | None, target: float) -> bool:
    return ratio is not None and ratio.within is not None and ratio.within <= target


def lengthening(measured: PairedRounds, spent_s: float) -> float:
    """How much longer or shorter pairs should be for the narrowest interval in a given time.

    What a pair costs beside its turns against what it brings (Cochran 1977, Sampling Techniques, section 10.6): the
    best length is the root of that cost times the variance within pairs over the variance between them.
    """
    played_s = sum(one.played_s for one in measured.rounds) / len(measured.rounds)
    start_s = spent_s / (len(measured.rounds) / 2) - played_s
    early, late = (_part(measured, later=later) for later in (False, True))
    differences = [early[pair] - late[pair] for pair in early if pair in late]
    if start_s <= 0 or len(differences) < 2:  # noqa: PLR2004
        return 1.0
    within = float(np.mean(np.square(differences))) / 4  # of a pair's mean, as its halves differ
    between = float(np.var(_logs(measured.pairs()), ddof=1)) - within
    return LONGEST if between <= 0 else math.sqrt(start_s / played_s * within / between)


def _part(measured: PairedRounds, *, later: bool) -> dict[int, float]:
    """The logarithm of the ratio of the later or the earlier half of each pair's turns, by pair."""
    halves = [
        replace(one, stretches=one.stretches.of((one.stretches.turn > one.stretches.turn.mean()) == later))
        for one in measured.undisturbed()
    ]
    by_pair = speeds_of(halves, full_speed=True if measured.at_full_speed else None)
    return {pair: math.log(cell / ir) for pair, (cell, ir) in by_pair.items()}


def _logs(pairs: Sequence[Pair]) -> NDArray[np.float64]:
    return np.array([math.log(cell / ir) for cell, ir in pairs])


def interval(pairs: list[Pair], planned: tuple[int, ...], ended: Ended | None = None) -> Ratio | None:
    """The ratio of pairs, with the interval that so many of them may claim: where a look ended it, that look's."""
    if not pairs:
        return None
    look = max((look for look in planned if look <= len(pairs)), default=len(pairs))
    return paired_ratio(pairs, alpha_after(look if ended == "target" else len(pairs), planned))


def speeds(rounds: Sequence[Round], *, full_speed: bool | None = None) -> list[Pair]:
    """The cell's and its partner's speed, in images a second, of each pair that has enough stretches of both.

    full_speed: of stretches at full speed, of the others, or (None) of all.
    """
    return list(speeds_of(rounds, full_speed=full_speed).values())


def speeds_of(rounds: Sequence[Round], *, full_speed: bool | None = None) -> dict[int, Pair]:
    """The same by pair."""
    by_pair: dict[int, dict[str, Round]] = {}
    for one in rounds:
        by_pair.setdefault(one.pair, {})[one.variant] = one
    complete = {pair: both for pair, both in by_pair.items() if len(both) == 2}  # noqa: PLR2004
    found = {pair: _speeds(both[CELL], both[PARTNER], full_speed=full_speed) for pair, both in complete.items()}
    return {pair: both for pair, both in found.items() if both}


def _speeds(cell: Round, partner: Round, *, full_speed: bool | None) -> Pair | None:
    """The speeds of a pair; None if there is not enough of either.

    A host may drift, and be at full speed for some of the pair: so both count alike in each block of turns, with the
    weight of a difference of two means, and blocks in which either is missing do not count.
    """
    chosen = [one.stretches.of(one.stretches.at(full_speed=full_speed)) for one in (cell, partner)]
    of_cell, of_partner = (each.turn // TURNS_IN_BLOCK for each in chosen)
    shared = np.intersect1d(of_cell, of_partner)
    played = [each.of(np.isin(each.turn // TURNS_IN_BLOCK, shared)) for each in chosen]
    if not all(map(_has_enough, (cell, partner), played)):
        return None
    ones = [np.searchsorted(shared, each.turn // TURNS_IN_BLOCK) for each in played]
    cell_s, partner_s = (np.bincount(one, each.wall_ns) / 1e9 for one, each in zip(ones, played, strict=True))
    cell_n, partner_n = (np.bincount(one, each.inferences) for one, each in zip(ones, played, strict=True))
    weights = cell_s * partner_s / (cell_s + partner_s)
    each_s = cell_s / cell_n / cell.batch, partner_s / partner_n / partner.batch
    return float(weights.sum() / (weights @ each_s[0])), float(weights.sum() / (weights @ each_s[1]))


def _has_enough(one: Round, played: Stretches) -> bool:
    """Whether some stretches of a round make a speed; all that it has do, but not none."""
    least = max(1, min(LEAST_STRETCHES, len(one.stretches)))
    return len(played) >= least and float(played.wall_ns.sum()) >= LEAST_PART * float(one.stretches.wall_ns.sum())


def _progress(measured: PairedRounds, planned: tuple[int, ...]) -> str:
    pairs, disturbed = measured.pairs(), measured.disturbed()
    ratio = interval(pairs, planned)
    sure = ratio is not None and ratio.within is not None and ratio.within < 1
    width = f", x IR {ratio.value:.2f} within {ratio.within:.1%}" if ratio and sure else ""
    return f"pair {len(pairs)} of {planned[-1]} at most{width}" + (f", {disturbed} disturbed" if disturbed else "")
