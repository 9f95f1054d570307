"""How fast a core itself is: a fixed piece of arithmetic, timed. Knows no models and no pairs.

A neighbour on the other thread of a core takes half of its width without any steal time, which a loop of this
interpreter feels as an inference does, and more. It needs neither memory nor any library's code, so that a model finds
caches and predictors as it left them, and leaves nothing behind that would slow it much.
"""

import math
import os
import time
from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

FASTEST = 0.05  # this quantile of probes is full speed: the fastest ones are luck
SLACK = 0.08  # a probe that takes no more than this longer is at full speed; beside a neighbour, half as long again
STEPS = 250  # timed at once, some 10 microseconds
TRIES = 3  # of which the fastest counts: an interrupt takes as long


class Probe:
    """Times the same loop where the calling thread runs, or on each of these CPUs, to which it goes meanwhile."""

    def __init__(self, cpus: Collection[int] = ()) -> None:
        self.cpus = tuple(sorted(cpus))

    def read(self) -> tuple[int, ...]:
        """How long it took on each CPU, in nanoseconds."""
        before, taken = os.sched_getaffinity(0), []
        try:
            for cpu in self.cpus:
                os.sched_setaffinity(0, (cpu,))
                taken.append(self.here())
        finally:
            os.sched_setaffinity(0, before)
        return tuple(taken)

    def here(self) -> int:
        """How long it takes where this thread runs, in nanoseconds."""
        return min(_timed() for _ in range(TRIES))


def fastest(probes_ns: ArrayLike) -> NDArray[np.float64]:
    """How long a probe takes at full speed, as far as these tell; infinitely long if there are none.

    probes_ns: (probes,), or (probes, CPUs) for each CPU apart. Gives (), or (CPUs,).
    """
    probes = np.asarray(probes_ns, np.float64)
    return np.asarray(np.quantile(probes, FASTEST, axis=0) if len(probes) else np.full(probes.shape[1:], math.inf))


def is_fast(probes_ns: ArrayLike, fastest_ns: ArrayLike) -> NDArray[np.bool_]:
    """Whether each probe was as good as the fastest: the core ran at full speed. The two are broadcast."""
    return np.asarray(np.asarray(probes_ns) <= (1 + SLACK) * np.asarray(fastest_ns))


def _timed() -> int:
    clock, total = time.perf_counter_ns, 0
    begun = clock()
    for step in range(STEPS):
        total += step * step
    return clock() - begun
