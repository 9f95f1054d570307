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
