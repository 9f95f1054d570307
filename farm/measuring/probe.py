"""How fast the cores themselves are: a fixed piece of arithmetic, timed on each. Knows no models and no pairs.

A neighbour on the other thread of a core takes part of its arithmetic ports without any steal time; a product of two
small matrices feels it as an inference does. It takes some 20 microseconds a CPU and 48 KiB, so that it leaves most of
the caches as they are.
"""

import os
import time
from collections.abc import Collection

import numpy as np

SIZE = 64  # of the matrices: small enough for one thread of the linear algebra, whatever library that is
PRODUCTS = 3  # timed at once
TRIES = 3  # of which the fastest counts: an interrupt takes as long as a product


class Probe:
    """Times the same product on each of these CPUs, to which the calling thread goes meanwhile."""

    def __init__(self, cpus: Collection[int]) -> None:
        self.cpus = tuple(sorted(cpus))
        values = np.random.default_rng(0).standard_normal((3, SIZE, SIZE), dtype=np.float32)
        self._left, self._right, self._out = values

    def read(self) -> tuple[int, ...]:
        """How long it took on each CPU, in nanoseconds."""
        before = os.sched_getaffinity(0)
        if before == set(self.cpus) and len(before) == 1:
            return (self._timed(),)
        taken = []
        try:
            for cpu in self.cpus:
                os.sched_setaffinity(0, (cpu,))
                taken.append(self._timed())
        finally:
            os.sched_setaffinity(0, before)
        return tuple(taken)

    def _timed(self) -> int:
        left, right, out, clock = self._left, self._right, self._out, time.perf_counter_ns
        np.matmul(left, right, out=out)  # brings them into the cache
        best = 0
        for _ in range(TRIES):
            begun = clock()
            for _ in range(PRODUCTS):
                np.matmul(left, right, out=out)
            taken = clock() - begun
            best = min(best or taken, taken)
        return best
