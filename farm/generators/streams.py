"""Random numbers of one image, whatever other images take. Knows numpy alone."""

import numpy as np


def stream(seed: int, index: int, purpose: int = 0) -> np.random.Generator:
    """The random numbers of an image for one purpose: a function of these three alone.

    The counter's lowest word counts the numbers taken, the next one is the image: no overlap.
    """
    key = np.array([seed, purpose], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, index, 0, 0]))
