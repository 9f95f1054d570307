"""Several draws of a calibration set: the draw is the unit, and its spread the doubt. Pure.

Draws of one set are taken as normal, two sets' as of unlike spread (Welch 1947, Biometrika 34).
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr, stdtrit

from farm.stats.shares import ALPHA, Estimate


def mean(values: Sequence[float], alpha: float = ALPHA, resolution: float = 0.0) -> Estimate:
    """The mean of two or more draws with its t-interval. Raises ValueError for fewer, which have no spread.

    resolution: what the values are multiples of. Draws that happen to be equal are known no better than to that.
    """
    half = _t(len(values) - 1, alpha) * math.sqrt(_square_error(values, resolution))
    middle = float(np.mean(values))
    return Estimate(value=middle, low=middle - half, high=middle + half)


def difference(
    first: Sequence[float], second: Sequence[float], alpha: float = ALPHA, resolution: float = 0.0
) -> Estimate:
    """The first's mean minus the second's, with Welch's interval. Otherwise as `mean`."""
    value = float(np.mean(first) - np.mean(second))
    error, freedom = _welch(first, second, resolution)
    half = _t(freedom, alpha) * error if error else 0.0
    return Estimate(value=value, low=value - half, high=value + half)


def welch(first: Sequence[float], second: Sequence[float], resolution: float = 0.0) -> float:
    """The two-sided p-value of equal means. Otherwise as `mean`."""
    value = float(np.mean(first) - np.mean(second))
    error, freedom = _welch(first, second, resolution)
    if not error:
        return 0.0 if value else 1.0
    return 2 * float(stdtr(freedom, -abs(value) / error))


def _welch(first: Sequence[float], second: Sequence[float], resolution: float) -> tuple[float, float]:
    """The standard error of the difference, and its degrees of freedom."""
    squares = [_square_error(values, resolution) for values in (first, second)]
    total = sum(squares)
    if not total:
        return 0.0, 1.0
    shares = zip(squares, (first, second), strict=True)
    return math.sqrt(total), total**2 / sum(square**2 / (len(values) - 1) for square, values in shares)


def _square_error(values: Sequence[float], resolution: float) -> float:
    """Of the mean; rounding to multiples of the resolution adds a twelfth of its square to each value's variance."""
    if len(values) < 2:  # noqa: PLR2004
        raise ValueError("one draw says nothing of the spread")
    return (float(np.var(values, ddof=1)) + resolution**2 / 12) / len(values)


def _t(freedom: float, alpha: float) -> float:
    return float(stdtrit(freedom, 1 - alpha / 2))
