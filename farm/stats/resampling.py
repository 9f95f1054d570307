"""Images drawn again and again from those there are: the bootstrap (Efron 1979, Annals of Statistics 7). Pure.

A metric that is no mean of scores, such as mean average precision, has no formula for its doubt. So it is worked out
for many samples of the images, drawn with replacement. Sample i is the same of every model that was judged on n images:
values of two models at the same i are of the same images.
"""

import numpy as np
from numpy.typing import NDArray

SAMPLES = 1000
SEED = 0


def resamples(n: int, count: int = SAMPLES) -> NDArray[np.int64]:
    """How often each of n images is in each of `count` samples of n: int64 (count, n).

    >>> resamples(5, 2).sum(axis=1).tolist()
    [5, 5]
    """
    return np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=count)
