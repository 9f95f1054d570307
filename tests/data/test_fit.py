"""Fitting pictures: torchvision's arithmetic, to the byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, functional

from farm.axes import Fit
from farm.data import fit
from farm.errors import DataError
from tests.data.files import pixels

SIDES = st.integers(1, 90)


def torchvisions(picture, resize, size, interpolation):
    resized = functional.resize(picture, [resize], InterpolationMode(interpolation), antialias=True)
    return np.asarray(functional.center_crop(resized, list(size)))


def fitted(picture, resize, size, interpolation):
    how = Fit(resize=resize, size=tuple(size), interpolation=interpolation)
    return np.asarray(fit.fit(picture, how, "here"))


@given(
    height=SIDES, width=SIDES, resize=SIDES, size=st.tuples(SIDES, SIDES), how=st.sampled_from([*fit.INTERPOLATIONS])
)
def test_any_picture_is_fitted_as_torchvision_fits_it(height, width, resize, size, how):
    picture = Image.fromarray(pixels(1, (height, width))[0])
    expected = torchvisions(picture, resize, size, how)
    assert np.array_equal(fitted(picture, resize, size, how), expected)
    assert expected.shape == (*size, 3)


@pytest.mark.parametrize("interpolation", fit.INTERPOLATIONS)
@pytest.mark.parametrize(
    ("height", "width", "resize", "size"),
    [
        (375, 500, 256, (224, 224)),  # what ImageNet's models do
        (500, 333, 232, (224, 224)),
        (32, 32, 256, (224, 224)),
        (256, 256, 256, (224, 224)),  # nothing to resize
        (224, 224, 224, (224, 224)),  # nothing to do
        (300, 299, 299, (299, 299)),
        (30, 41, 20, (33, 26)),  # an odd margin to fill on one side, an odd one to cut on the other
        (7, 90, 5, (64, 3)),
    ],
)
def test_usual_sizes_are_fitted_as_torchvision_fits_them(height, width, resize, size, interpolation):
    picture = Image.fromarray(pixels(1, (height, width))[0])
    expected = torchvisions(picture, resize, size, interpolation)
    assert np.array_equal(fitted(picture, resize, size, interpolation), expected)


def test_what_lies_outside_the_picture_is_black():
    image = fitted(Image.new("RGB", (4, 4), (255, 255, 255)), 4, (4, 7), "nearest")
    assert image[0, :, 0].tolist() == [0, 255, 255, 255, 255, 0, 0]


def test_a_thread_that_would_fill_the_memory_is_refused():
    with pytest.raises(DataError, match=r"a.png: the image is too narrow: 1x9000 .* would become 256x2304000 before"):
        fit.fit(Image.new("RGB", (9000, 1)), Fit(resize=256, size=(224, 224), interpolation="nearest"), "a.png")


def whole(size, into, how, **more):
    """Where a picture of this size comes to lie, and what it becomes."""
    wanted = Fit(size=into, interpolation="bilinear", whole=how, **more)
    picture = Image.new("RGB", size[::-1], (250, 250, 250))
    return fit.place(size, wanted, "here"), np.asarray(fit.fit(picture, wanted, "here"))


def test_a_stretched_picture_fills_its_size_whatever_its_aspect():
    place, pixels_ = whole((40, 80), (32, 16), "stretch")
    assert place == (32, 16, 0, 0)
    assert (pixels_ == 250).all()
    assert pixels_.shape == (32, 16, 3)


@pytest.mark.parametrize(
    ("more", "place", "border"),
    [
        ({}, (16, 32, 8, 0), 114),  # in the middle
        ({"corner": True, "pad": 0}, (16, 32, 0, 0), 0),
    ],
)
def test_a_letterboxed_picture_is_whole_within_a_border(more, place, border):
    where, pixels_ = whole((40, 80), (32, 32), "letterbox", **more)
    assert where == place
    inside = np.zeros((32, 32), bool)
    inside[where.top : where.top + where.height] = True
    assert (pixels_[inside] == 250).all()
    assert (pixels_[~inside] == border).all()


def test_a_letterbox_may_enlarge_and_never_loses_a_side():
    assert fit.place((10, 5), Fit(size=(40, 40), interpolation="nearest", whole="letterbox"), "here") == (40, 20, 0, 10)
    assert fit.place((1, 1000), Fit(size=(8, 8), interpolation="nearest", whole="letterbox"), "here") == (1, 8, 3, 0)


@pytest.mark.parametrize(
    "how",
    [
        None,
        Fit(size=(32, 16), interpolation="bilinear", whole="stretch"),
        Fit(size=(32, 32), interpolation="bilinear", whole="letterbox"),
        Fit(size=(20, 20), interpolation="bilinear", resize=24),
    ],
)
def test_corners_go_back_to_where_they_were(how):
    size = (40, 80)
    place = fit.place(size, how, "here")
    corners = np.array([[0.0, 0, 80, 40], [10, 20, 30, 40]])
    scale = [place.width / 80, place.height / 40]
    inside = corners * np.tile(scale, 2) + np.tile([place.left, place.top], 2)
    assert place.undone(inside, size) == pytest.approx(corners)
