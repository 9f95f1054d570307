"""Uniform noise: the floor that every other source should beat. Knows no model."""

import numpy as np

from farm.data.imageset import UNLABELLED, Arguments, Block, Computed, Files, ImageSet
from farm.generators.streams import stream


def source(parameters: Arguments, files: Files) -> ImageSet:  # noqa: ARG001 - every source takes both
    """`count` images of ``parameters["size"]`` (height, width): uniform grey levels, of (seed, size, i) alone."""
    shape = (*parameters["size"], 3)

    def read(start: int, stop: int) -> Block:
        streams = (stream(parameters["seed"], index) for index in range(start, stop))
        images = np.empty((stop - start, *shape), np.uint8)
        for image, numbers in zip(images, streams, strict=True):
            image[:] = numbers.integers(0, 256, shape, np.uint8)
        return Block(images, np.full(stop - start, UNLABELLED, np.int64))

    return Computed(count=parameters["count"], read=read)
