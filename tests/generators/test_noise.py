"""Noise is a function of seed and index."""

import numpy as np

from farm.generators import noise

SIZE = (4, 6)
WHOLE = noise.source({"count": 40, "seed": 7, "size": SIZE}, {}).block(0, 40).images


def test_noise_has_the_wanted_size_and_no_classes():
    images = noise.source({"count": 3, "seed": 0, "size": [5, 9]}, {})
    block = images.block(0, 3)
    assert (len(images), images.classes) == (3, None)
    assert block.images.shape == (3, 5, 9, 3)
    assert (block.images.dtype, block.labels.dtype) == (np.uint8, np.int64)
    assert block.labels.tolist() == [-1, -1, -1]


def test_all_images_of_all_seeds_differ():
    blocks = [noise.source({"count": 20, "seed": seed, "size": SIZE}, {}).block(0, 20).images for seed in range(5)]
    assert len({image.tobytes() for block in blocks for image in block}) == 100


def test_grey_levels_are_uniform():
    images = noise.source({"count": 20, "seed": 0, "size": (32, 32)}, {}).block(0, 20).images
    counts = np.bincount(images.ravel(), minlength=256)
    expected = images.size / 256
    assert ((counts - expected) ** 2 / expected).sum() < 400  # chi-square, 255 degrees of freedom: p < 1e-8
