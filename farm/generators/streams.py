"""Random numbers of one image, whatever other images take. Knows numpy alone."""

import numpy as np


def stream(seed: int, index: int, purpose: int = 0) -> np.random.Generator:
    """The random numbers of an image for one purpose: a function of these three alone."""
    key = np.array([seed, purpose], np.uint64)  # the counter's lowest word counts the numbers taken: no overlap
    return np.random.Generator(np.random.Philox(key=key, counter=[0, index, 0, 0]))
