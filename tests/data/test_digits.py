"""The digits and their split."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from farm.data import digits
from farm.errors import DataError


def test_the_test_split_is_every_third_image_in_order():
    images = digits.test({"count": None}, {})
    assert (len(images), images.classes) == (599, 10)
    assert images.block(0, 599).labels.tolist() == load_digits().target[2::3].tolist()


def test_the_train_split_is_the_rest():
    images = digits.split("train")
    assert len(images) == 1198
    rest = [label for index, label in enumerate(load_digits().target) if index % 3 != 2]
    assert images.block(0, 1198).labels.tolist() == rest


def test_digits_are_grey_in_rgb_at_32_pixels():
    images = digits.test({"count": 5}, {}).block(0, 5).images
    assert images.shape == (5, 32, 32, 3)
    assert images.dtype == np.uint8
    assert (images == images[..., :1]).all()
    assert images.min() == 0
    assert images.max() > 240


def test_digits_are_read_as_their_library_has_them():
    grey = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)[2::3]
    scaled = [Image.fromarray(small).resize((32, 32), Image.Resampling.BICUBIC) for small in grey]
    assert np.array_equal(digits.split("test").block(0, 599).images[..., 0], np.stack(scaled))


def test_a_scaled_digit_resembles_the_small_one():
    small = load_digits().images[2] * (255 / 16)
    large = digits.split("test").block(0, 1).images[0, ..., 0].astype(float)
    means = large.reshape(8, 4, 8, 4).mean(axis=(1, 3))
    assert np.corrcoef(means.ravel(), small.ravel())[0, 1] > 0.97  # bicubic blurs a little


def test_train_samples_class_by_class():
    sample = digits.train({"count": 40, "seed": 1}, {})
    assert sample.block(0, 40).labels.tolist() == [i % 10 for i in range(40)]
    assert sample.classes == 10


def test_the_default_count_of_1000_can_be_sampled():
    assert len(digits.train({"count": 1000, "seed": 0}, {})) == 1000


def test_more_test_images_than_there_are_is_told():
    with pytest.raises(DataError, match="`count: 600`, but there are only 599 images"):
        digits.test({"count": 600}, {})


def test_a_count_of_test_images_has_as_many_of_each_class():
    images = digits.test({"count": 100}, {})
    assert np.bincount(images.block(0, 100).labels).tolist() == [10] * 10
    assert images.note == ""


def test_all_train_images_can_be_sampled_and_more_cannot():
    assert sorted(digits.train({"count": 1198, "seed": 0}, {}).block(0, 1198).labels) == sorted(
        digits.split("train").block(0, 1198).labels
    )
    with pytest.raises(DataError, match="`count: 1199`, but there are only 1198 images"):
        digits.train({"count": 1199, "seed": 0}, {})
