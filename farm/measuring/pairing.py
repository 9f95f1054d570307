"""Which rounds are measured, and when that is enough. Pure: is given how one is measured, a clock and a generator.

Rounds of a cell (A) and of its FP32 IR (B) come in pairs, two pairs a block, ABBA or BAAB by lot: a host
that grows slower or faster favours neither. A pair that the host disturbed is measured again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from farm.measuring.round import Round
from farm.measuring.verdict import disturbances
from farm.plan import Effort
from farm.record import Ended
from farm.stats.ratios import Pair, Ratio, alpha_after, looks, paired_ratio

CELL, PARTNER = "cell", "ir"


@dataclass(slots=True, kw_only=True)
class PairedRounds:
    """The rounds so far, each with its pair, position, variant and what disturbed its pair; ended: why."""

    rounds: list[Round] = field(default_factory=list)
    ended: Ended | None = None

    def pairs(self) -> list[Pair]:
        """The speeds of the undisturbed pairs: the cell's and its partner's."""
        return speeds([one for one in self.rounds if not one.disturbed])

    def disturbed(self) -> int:
        """How many pairs were disturbed."""
        return len({one.pair for one in self.rounds if one.disturbed})


def conduct(
    measure_round: Callable[[str], Round],
    effort: Effort,
    *,
    rng: Random,
    clock: Callable[[], float],
    say: Callable[[str], None] = lambda _: None,
) -> PairedRounds:
    """Measure pairs until the interval is narrow enough at a look, or there may be no more.

    measure_round: of a variant. clock: seconds. say: is told after every pair how far it is.
    """
    planned, measured = looks(*effort.pairs), PairedRounds()
    begun, orders = clock(), _orders(rng)
    order = next(orders)
    while measured.ended is None:
        pair = [replace(measure_round(variant), position=place, variant=variant) for place, variant in enumerate(order)]
        disturbed = tuple(dict.fromkeys(signal for one in pair for signal in disturbances(one)))
        measured.rounds += [replace(one, pair=len(measured.rounds) // 2, disturbed=disturbed) for one in pair]
        say(_progress(measured, planned))
        measured.ended = _ending(measured, planned, effort, clock() - begun)
        order = order if disturbed else next(orders)
    return measured


def _orders(rng: Random) -> Iterator[tuple[str, str]]:
    """The order of each pair: blocks of ABBA or BAAB by lot."""
    while True:
        first = (CELL, PARTNER) if rng.random() < 0.5 else (PARTNER, CELL)  # noqa: PLR2004
        yield from (first, first[::-1])


def _ending(measured: PairedRounds, planned: tuple[int, ...], effort: Effort, spent_s: float) -> Ended | None:
    pairs = measured.pairs()
    if len(pairs) in planned:
        ratio = interval(pairs, planned)
        if ratio is not None and ratio.within is not None and ratio.within <= effort.target:
            return "target"
    if len(pairs) == planned[-1]:
        return "pairs"
    if measured.disturbed() > effort.max_redone:
        return "disturbed"
    return "budget" if spent_s > effort.budget_s else None


def interval(pairs: list[Pair], planned: tuple[int, ...]) -> Ratio | None:
    """The ratio of undisturbed pairs, with the interval that so many of them may claim."""
    return paired_ratio(pairs, alpha_after(len(pairs), planned)) if pairs else None


def speeds(rounds: Sequence[Round]) -> list[Pair]:
    """The cell's and its partner's speed, in images a second, of each pair that has both."""
    by_pair: dict[int, dict[str, float]] = {}
    for one in rounds:
        by_pair.setdefault(one.pair, {})[one.variant] = one.fps
    return [(pair[CELL], pair[PARTNER]) for pair in by_pair.values() if len(pair) == 2]  # noqa: PLR2004


def _progress(measured: PairedRounds, planned: tuple[int, ...]) -> str:
    pairs, disturbed = measured.pairs(), measured.disturbed()
    ratio = interval(pairs, planned)
    sure = ratio is not None and ratio.within is not None and ratio.within < 1
    width = f", x IR {ratio.value:.2f} within {ratio.within:.1%}" if ratio and sure else ""
    return f"pair {len(pairs)} of {planned[-1]} at most{width}" + (f", {disturbed} disturbed" if disturbed else "")
