"""Uniform noise: the floor that every other source should beat. Knows no model."""

from functools import partial

import numpy as np

from farm.data.imageset import UNLABELLED, Arguments, Block, Computed, Files, ImageSet
from farm.generators.streams import stream


def source(parameters: Arguments, files: Files) -> ImageSet:  # noqa: ARG001 - every source takes both
    """`count` images of ``parameters["size"]`` (height, width) from the `seed`; without classes."""
    height, width = parameters["size"]
    return Computed(count=parameters["count"], read=partial(_block, parameters["seed"], (height, width, 3)))


def _block(seed: int, shape: tuple[int, int, int], start: int, stop: int) -> Block:
    """Independent uniform grey levels; each image a function of (seed, shape, its index) alone."""
    images = np.empty((stop - start, *shape), np.uint8)
    for index, image in enumerate(images, start):
        image[:] = stream(seed, index).integers(0, 256, shape, np.uint8)
    return Block(images, np.full(stop - start, UNLABELLED, np.int64))
