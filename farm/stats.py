"""Statistics of raw samples. Pure; knows no files."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEAST_TAIL = 10


def percentile(samples: NDArray[np.int64], q: float) -> float | None:
    """The q-quantile (0 < q < 1) of the samples, or None where fewer than 10 samples lie beyond it."""
    if len(samples) * (1 - q) < LEAST_TAIL - 1e-9:
        return None
    return float(np.quantile(samples, q))


def paired_ratio(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Geometric mean of a / b over paired samples, all positive; None without any.

    >>> round(paired_ratio([(2.0, 1.0), (8.0, 1.0)]), 6)
    4.0
    """
    if not pairs:
        return None
    return math.exp(sum(math.log(a / b) for a, b in pairs) / len(pairs))
