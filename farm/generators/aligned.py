"""Images computed in whole blocks, whatever part of them is asked for. Knows blocks, not how they are computed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from farm.data.imageset import UNLABELLED, Block, Labels, Pixels, check_range
from farm.errors import DataError
from farm.generators.equipment import is_out_of_memory

T = TypeVar("T")
Floats = NDArray[np.float32]
Classes = Callable[[int, int], Labels]


@dataclass(slots=True, kw_only=True)
class Aligned:
    """Images by index, computed in blocks of `step` whose first index is a multiple of it.

    A block is always computed whole, and by one thread, because another batch or another number of threads
    would round otherwise: so an image is the same to the byte in every order, part and number of workers.

    size: (height, width) in pixels. compute: the first index of a block -> its images, uint8 (step, H, W, 3),
    a function of its argument alone. floats: the same before they become grey levels, float32 (step, 3, H, W), of a
    network's. classes: how many there are, if any. labels: start, stop -> int64 (stop - start,); i mod `classes` if
    None. workers: blocks computed at once. note: what must be known wherever the images are shown. last: the last
    block that was computed, and where it starts.
    """

    count: int
    size: tuple[int, int]
    step: int
    compute: Callable[[int], Pixels]
    floats: Callable[[int], Floats] | None = None
    classes: int | None = None
    labels: Classes | None = None
    workers: int = 1
    note: str = ""
    last: tuple[int, Pixels] | None = field(default=None, init=False)

    def __len__(self) -> int:
        return self.count

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1. Raises what `compute` raises."""
        check_range(start, stop, self.count)
        images = np.empty((stop - start, *self.size, 3), np.uint8)
        bases = range(start // self.step * self.step, stop if start < stop else 0, self.step)
        for base, block in zip(bases, self._blocks(bases), strict=True):
            low, high = max(start, base), min(stop, base + self.step)
            images[low - start : high - start] = block[low - base : high - base]
            self.last = (base, block)
        return Block(images, self.labels(start, stop) if self.labels else labels(start, stop, self.classes))

    def _blocks(self, bases: range) -> Iterator[Pixels]:
        """The blocks that start at these indices; as many are computed at once as there are workers."""
        with one_thread():
            if self.workers == 1 or len(bases) == 1:
                yield from map(self._once, bases)
            else:
                with ThreadPoolExecutor(self.workers) as pool:
                    yield from pool.map(self._once, bases)

    def _once(self, base: int) -> Pixels:
        last = self.last  # another thread may replace it
        return last[1] if last is not None and last[0] == base else self.compute(base)


def labels(start: int, stop: int, classes: int | None) -> Labels:
    """The labels of the images start, ..., stop - 1: i mod `classes`, or -1 where there are none."""
    if classes is None:
        return np.full(stop - start, UNLABELLED, np.int64)
    return np.arange(start, stop, dtype=np.int64) % classes


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one thread, in this thread and in those that start meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(slots=True, kw_only=True)
class Memory:
    """How many `things` go into a GPU's memory at once, halved when it was too small; `too_small` says even for one."""

    most: int
    things: str
    too_small: str
    say: Callable[[str], None]

    def fit(self, compute: Callable[[int], T]) -> T:
        """What is computed with so many things in memory at once. Raises DataError if one is too much."""
        while True:
            try:
                return compute(self.most)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self.most == 1:
                    raise DataError(self.too_small) from error
            torch.cuda.empty_cache()  # the error is gone by now, and with it what it held
            half = self.most // 2
            self.say(f"GPU memory is too small for {self.most} {self.things} at once: going on with {half}")
            self.most = half
