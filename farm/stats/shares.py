"""Shares of test images, alone and between two variants that saw the same ones. Pure.

Two variants of a model are compared image by image: only the images on which just one of them is right tell them
apart. With those counts the exact test of McNemar (1947, Psychometrika 12) and the score interval of Tango (1998,
Statistics in Medicine 17) hold for few images too, where an interval that takes the two as independent is far too wide.
Where it is not known who was right on which image, there is only that: Newcombe's interval and Pearson's test.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scipy.special import bdtr, ndtr, ndtri

ALPHA = 0.05  # intervals hold at 95 %
STEPS = 1 << 36  # of a search by halving: the ends of an interval are known to 3e-11


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """How two variants differ on the same n images. first, second: images on which it alone is right."""

    first: int
    second: int
    n: int

    @property
    def difference(self) -> float:
        """The first's share of right answers minus the second's, -1 to 1."""
        return (self.first - self.second) / self.n


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How often one variant was right, of n > 0 images that nobody can tell from another variant's."""

    right: int
    n: int


def wilson(right: int, n: int, alpha: float = ALPHA) -> Estimate:
    """A share with Wilson's score interval (1927, JASA 22). right: of n > 0 images.

    >>> wilson(9, 10).low < 0.6 < wilson(9, 10).high
    True
    """
    z = _z(alpha)
    share, weight = right / n, z * z / n
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / n + weight / (4 * n))
    return Estimate(value=share, low=max(0.0, middle - half), high=min(1.0, middle + half))


def mcnemar(counts: Disagreement) -> float:
    """The p-value, two-sided and exact, of both being right equally often.

    >>> mcnemar(Disagreement(first=0, second=5, n=100))
    0.0625
    """
    either, less = counts.first + counts.second, min(counts.first, counts.second)
    return min(1.0, 2 * float(bdtr(less, either, 0.5))) if either else 1.0


def tango(counts: Disagreement, alpha: float = ALPHA) -> Estimate:
    """The difference of the two shares, first minus second, with Tango's score interval."""
    score, value, z = partial(_score, counts), counts.difference, _z(alpha)
    low = _crossing(score, z, -1.0, value) if score(-1.0) > z else -1.0
    high = _crossing(score, -z, value, 1.0) if score(1.0) < -z else 1.0
    return Estimate(value=value, low=low, high=high)


def newcombe(first: Count, second: Count, alpha: float = ALPHA) -> Estimate:
    """The difference of two independent shares, first minus second (Newcombe 1998, Stat. Med. 17, method 10).

    >>> round(newcombe(Count(right=56, n=70), Count(right=48, n=80)).low, 4)
    0.0524
    """
    one, other = wilson(first.right, first.n, alpha), wilson(second.right, second.n, alpha)
    value = one.value - other.value
    down = math.hypot(one.value - one.low, other.high - other.value)
    up = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value=value, low=value - down, high=value + up)


def pearson(first: Count, second: Count) -> float:
    """The p-value, two-sided, of two independent shares being equal (Pearson 1900; no continuity correction).

    >>> pearson(Count(right=5, n=10), Count(right=50, n=100))
    1.0
    """
    pooled = (first.right + second.right) / (first.n + second.n)
    variance = pooled * (1 - pooled) * (1 / first.n + 1 / second.n)
    if not variance:
        return 1.0
    return 2 * float(ndtr(-abs(first.right / first.n - second.right / second.n) / math.sqrt(variance)))


def _crossing(falling: Callable[[float], float], level: float, low: float, high: float) -> float:
    """Where in [low, high] a falling function passes a level, by halving."""
    width = (high - low) / STEPS
    return low + width * bisect_left(range(STEPS), -level, key=lambda step: -falling(low + width * step))


def _score(counts: Disagreement, difference: float) -> float:
    """Tango's statistic: how many standard deviations the counts lie above what this difference would give."""
    surplus = counts.first - counts.second - counts.n * difference
    only_second = _most_likely(counts, difference)
    variance = counts.n * (2 * only_second + difference * (1 - difference))
    if variance <= 0:
        return math.copysign(math.inf, surplus) if surplus else 0.0
    return surplus / math.sqrt(variance)


def _most_likely(counts: Disagreement, difference: float) -> float:
    """The most likely share of images on which the second alone is right, the difference being given."""
    a = 2 * counts.n
    b = (2 * counts.n - counts.first + counts.second) * difference - counts.first - counts.second
    c = -counts.second * difference * (1 - difference)
    return (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)


def _z(alpha: float) -> float:
    return float(ndtri(1 - alpha / 2))
