"""Fractals are a function of parameters, seed and index."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.errors import DataError
from farm.images import fractal

PARAMETERS = {"count": 130, "seed": 3, "size": (16, 16), "points": 512, "fill": 0.2}
WHOLE = fractal.source(PARAMETERS, {}).block(0, 130).images


def made(**changes):
    return fractal.source(PARAMETERS | changes, {})


def test_fractals_have_the_wanted_size_and_no_classes():
    images = made(count=3, size=[12, 20])
    block = images.block(1, 3)
    assert (len(images), images.classes) == (3, None)
    assert block.images.shape == (2, 12, 20, 3)
    assert (block.images.dtype, block.labels.dtype) == (np.uint8, np.int64)
    assert block.labels.tolist() == [-1, -1]


@settings(max_examples=12, deadline=None)  # a block takes 0.2 s
@given(count=st.integers(1, 130), data=st.data())
def test_any_count_and_slicing_give_the_same_bytes(count, data):
    start = data.draw(st.integers(0, count))
    stop = data.draw(st.integers(start, count))
    assert np.array_equal(made(count=count).block(start, stop).images, WHOLE[start:stop])


@pytest.mark.parametrize("together", [1, 1 << 12, 1 << 30])
def test_how_many_are_drawn_together_changes_nothing(together, monkeypatch):
    monkeypatch.setattr(fractal, "TOGETHER", together)
    assert np.array_equal(made().block(0, 64).images, WHOLE[:64])


def test_an_image_without_points_given_has_eight_a_pixel():
    assert made(points=None, size=(10, 20)).points == 1600


def test_all_images_differ_and_another_seed_gives_others():
    other = made(seed=4).block(0, 64).images
    assert len({image.tobytes() for image in (*WHOLE, *other)}) == 130 + 64


def test_images_are_colour_over_a_dark_background():
    corners = WHOLE[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.median(corners) < 48
    assert WHOLE.reshape(130, -1).max(axis=1).min() > 64
    assert (np.ptp(WHOLE.astype(int), axis=3).max(axis=(1, 2)) > 10).mean() > 0.95


def test_the_bytes_are_those_of_every_machine():
    """If they have to change, the stage `synthesize` needs a new version."""
    digest = hashlib.sha256(WHOLE.tobytes()).hexdigest()
    assert digest == "522be2f8679e6a8f13f19ab5edae516c425dc30008e41a027b01c245922627ae"


def test_a_fill_that_no_attractor_has_is_told(monkeypatch):
    monkeypatch.setattr("farm.images.ifs.ROUNDS", 2)
    with pytest.raises(DataError, match=r"`fill: 0.999`: none of the first 16 .* of image 0 .*set `fill` lower"):
        made(fill=0.999).block(0, 1)


def test_images_outside_the_set_are_an_index_error():
    with pytest.raises(IndexError):
        made().block(100, 131)
