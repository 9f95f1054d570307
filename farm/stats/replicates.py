"""Several seeds of a calibration set: each is a unit, and their spread the uncertainty. Pure.

Seeds of one set are taken as normal, two sets' as of unlike spread (Welch 1947, Biometrika 34). All seeds are judged
on the same test images, so their spread says nothing of what other images would give: that uncertainty is added.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from farm.stats.shares import ALPHA, Estimate

Values = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """One part of what is not known of a difference. square: its standard error, squared; freedom: degrees of it."""

    square: float
    freedom: float


def over_images(first: NDArray[np.float64], second: NDArray[np.float64]) -> Uncertainty:
    """The uncertainty that n test images leave of the difference of two means over seeds.

    first, second: (n,), the share of each set's seeds that were right on an image, 0 to 1. Images are matched; one
    more that speaks for either side keeps few or equal ones from looking sure (Agresti and Min 2005, Statistics in
    Medicine 24, whose interval of one seed each this is). Raises ValueError for no images.
    """
    lost = first - second
    n = len(lost)
    if not n:
        raise ValueError("no test images")
    variance = (float(lost @ lost) + 1) / (n + 2) - (float(lost.sum()) / (n + 2)) ** 2
    return Uncertainty(variance / (n + 2), n + 1)


def of_scores(differences: NDArray[np.float64], span: float) -> Uncertainty:
    """The uncertainty that n > 1 images leave of the mean of their differences, (n,): Student's.

    span: from the least score to the greatest. One image more that differs as the most do, or by the span where none
    do, keeps few or equal ones from looking sure, as in `over_images`.
    """
    n, most = len(differences), float(np.abs(differences).max())
    return Uncertainty(_square_error(differences, 0.0) + ((most or span) / (n + 2)) ** 2, n - 1)


def around(value: float, doubt: Uncertainty, alpha: float = ALPHA) -> Estimate:
    """A value that is known but for this, with its t-interval."""
    half = _t(doubt.freedom, alpha) * math.sqrt(doubt.square)
    return Estimate(value=value, low=value - half, high=value + half)


def p_value(value: float, doubt: Uncertainty) -> float:
    """Two-sided, of the value being 0."""
    if not doubt.square:
        return 0.0 if value else 1.0
    return 2 * float(stdtr(doubt.freedom, -abs(value) / math.sqrt(doubt.square)))


def mean(values: Values, alpha: float = ALPHA, resolution: float = 0.0) -> Estimate:
    """The mean of two or more values with its t-interval. Raises ValueError for fewer, which have no spread.

    resolution: what the values are multiples of. Values that happen to be equal are known no better than to that.
    """
    half = _t(len(values) - 1, alpha) * math.sqrt(_square_error(values, resolution))
    middle = float(np.mean(values))
    return Estimate(value=middle, low=middle - half, high=middle + half)


def difference(
    first: Values,
    second: Values,
    alpha: float = ALPHA,
    resolution: float = 0.0,
    images: Uncertainty | None = None,
) -> Estimate:
    """The first's mean minus the second's, with Welch's interval. Otherwise as `mean`.

    images: as of `over_images`, which widens the interval; None where the images are all that is spoken of.
    """
    value = float(np.mean(first) - np.mean(second))
    error, freedom = _welch(first, second, resolution, images)
    half = _t(freedom, alpha) * error if error else 0.0
    return Estimate(value=value, low=value - half, high=value + half)


def welch(first: Values, second: Values, resolution: float = 0.0, images: Uncertainty | None = None) -> float:
    """The two-sided p-value of equal means. Otherwise as `difference`."""
    value = float(np.mean(first) - np.mean(second))
    error, freedom = _welch(first, second, resolution, images)
    if not error:
        return 0.0 if value else 1.0
    return 2 * float(stdtr(freedom, -abs(value) / error))


def _welch(first: Values, second: Values, resolution: float, images: Uncertainty | None) -> tuple[float, float]:
    """The standard error of the difference, and its degrees of freedom (Welch and Satterthwaite)."""
    parts = [Uncertainty(_square_error(values, resolution), len(values) - 1) for values in (first, second)]
    parts += [images] if images else []
    total = sum(part.square for part in parts)
    if not total:
        return 0.0, 1.0
    return math.sqrt(total), total**2 / sum(part.square**2 / part.freedom for part in parts)


def _square_error(values: Values, resolution: float) -> float:
    """Of the mean; rounding to multiples of the resolution adds a twelfth of its square to each value's variance."""
    if len(values) < 2:  # noqa: PLR2004
        raise ValueError("one value says nothing of the spread")
    return (float(np.var(values, ddof=1)) + resolution**2 / 12) / len(values)


def _t(freedom: float, alpha: float) -> float:
    return float(stdtrit(freedom, 1 - alpha / 2))
