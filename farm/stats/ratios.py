"""Statistics of raw figures: percentiles, intervals of paired ratios, when to look. Pure; knows no files.

Speeds are compared by ratios of paired rounds, whose logarithms are taken as normal (Student's t): with 8
pairs a bootstrap interval is too short and finds differences where there are none. Looking several times
and stopping early would do the same, so each look spends a part of the error that is allowed (Lan and
DeMets 1983, Biometrika 70), linearly in the pairs seen, and the parts add up by Bonferroni's inequality.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_TAIL = 10
ALPHA = 0.01  # intervals hold at 99 %, over all looks together
WIDEST = 340.0  # of an interval of logarithms, to one side: nothing is known, and nothing overflows
NEGLIGIBLE = 0.01  # a speed-up or slow-down up to this is not called a difference

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio with its interval; `low` and `high` are None where one pair says nothing of the spread."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def within(self) -> float | None:
        """How far the interval goes to one side, as a share of the value: 0.02 is plus or minus 2 %."""
        return None if self.low is None or self.high is None else math.sqrt(self.high / self.low) - 1


def percentile(samples: NDArray[np.int64], q: float) -> float | None:
    """The q-quantile (0 < q < 1) of the samples, or None where fewer than 10 samples lie beyond it."""
    if len(samples) * (1 - q) < LEAST_TAIL - 1e-9:
        return None
    return float(np.quantile(samples, q))


def paired_ratio(pairs: Sequence[Pair], alpha: float = ALPHA, *, count: int | None = None) -> Ratio | None:
    """Geometric mean of a / b over pairs, all positive, with its t-interval; None without any.

    count: the interval as it would be of so many pairs that differ as much as these do.

    >>> round(paired_ratio([(2.0, 1.0), (8.0, 1.0)]).value, 6)
    4.0
    """
    if not pairs:
        return None
    from scipy.special import stdtrit  # noqa: PLC0415 - 0.2 s that planning need not pay

    logs = np.array([math.log(a / b) for a, b in pairs])
    middle = float(logs.mean())
    if len(logs) == 1:
        return Ratio(value=math.exp(middle))
    count = count or len(logs)
    half = min(WIDEST, float(stdtrit(count - 1, 1 - alpha / 2) * logs.std(ddof=1) / math.sqrt(count)))
    return Ratio(value=math.exp(middle), low=math.exp(middle - half), high=math.exp(middle + half))


def quotient(over: Ratio, under: Ratio) -> Ratio:
    """One independent ratio over another, with its interval (MOVER: Zou and Donner 2008, Stat. Med. 27, on logs)."""
    value = over.value / under.value
    if over.low is None or over.high is None or under.low is None or under.high is None:
        return Ratio(value=value)
    down = math.hypot(math.log(over.value / over.low), math.log(under.high / under.value))
    up = math.hypot(math.log(over.high / over.value), math.log(under.value / under.low))
    return Ratio(value=value, low=value * math.exp(-down), high=value * math.exp(up))


def looks(least: int, most: int) -> tuple[int, ...]:
    """After how many pairs to look: at the least number, at each doubling, and at the most.

    >>> looks(8, 32)
    (8, 16, 32)
    """
    numbers = [least]
    while numbers[-1] < most:
        numbers.append(min(2 * numbers[-1], most))
    return tuple(numbers)


def alpha_after(pairs: int, planned: Sequence[int], alpha: float = ALPHA) -> float:
    """The error that an interval after so many pairs may spend, of `alpha` in all.

    A look spends its share of the pairs since the last one. Who is stopped between two looks - by the clock,
    which does not know the data - spends all that is left.

    >>> [alpha_after(pairs, (8, 16, 32)) for pairs in (8, 16, 32, 20)]
    [0.0025, 0.0025, 0.005, 0.005]
    """
    before = max((look for look in planned if look < min(pairs, planned[-1])), default=0)
    until = pairs if pairs in planned else planned[-1]
    return alpha * (until - before) / planned[-1]


def differs(ratio: Ratio) -> bool:
    """Whether a ratio is surely not 1, and by more than is negligible."""
    if ratio.low is None or ratio.high is None:
        return False
    return not ratio.low <= 1 <= ratio.high and abs(math.log(ratio.value)) > math.log1p(NEGLIGIBLE)
