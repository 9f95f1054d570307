"""Uniform noise: the floor that every other source should beat. Owns its stream; knows no model."""

from dataclasses import dataclass

import numpy as np

from farm.data.imageset import UNLABELLED, Arguments, Block, Files, ImageSet, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Images of independent uniform grey levels. size: (height, width) in pixels."""

    count: int
    seed: int
    size: tuple[int, int]
    classes: None = None

    def __len__(self) -> int:
        """How many images there are."""
        return self.count

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1; each a function of (seed, size, its index) alone."""
        check_range(start, stop, self.count)
        images = np.empty((stop - start, *self.size, 3), np.uint8)
        key = np.array([self.seed, 0], np.uint64)
        for index, place in enumerate(images, start):
            # the counter's lowest word counts the numbers drawn, the next one is the image: no overlap
            stream = np.random.Generator(np.random.Philox(key=key, counter=[0, index, 0, 0]))
            place[:] = stream.integers(0, 256, place.shape, np.uint8)
        return Block(images, np.full(stop - start, UNLABELLED, np.int64))


def source(parameters: Arguments, files: Files) -> ImageSet:  # noqa: ARG001 - every source takes both
    """`count` images of ``parameters["size"]`` (height, width) from the `seed`; without classes."""
    height, width = parameters["size"]
    return Noise(count=parameters["count"], seed=parameters["seed"], size=(height, width))
