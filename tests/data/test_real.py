"""Real images of every kind: fitted to one size, in order or sampled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, functional

from farm.axes import Fit
from farm.data import cifar10, digits, folder, parquet, real
from farm.errors import DataError
from tests.data.files import encode, pixels, write_parquet

SHORT = "not balanced, for lack of images: 1 of {}; up to {} of each other class"
FIT = Fit(resize=12, size=(8, 10), interpolation="bicubic")
SIZES = [(6, 5), (20, 31), (40, 9), (12, 12), (3, 70), (13, 14)]
IMAGES = [pixels(1, size, seed)[0] for seed, size in enumerate(SIZES)]


def pictures_of(images, indices_read=None):
    """Pictures by hand, of two classes in turn; which of them were read is appended to `indices_read`."""

    def read(start, stop):
        for index in range(start, stop):
            if indices_read is not None:
                indices_read.append(index)
            yield real.Picture(Image.fromarray(images[index]), f"picture {index}")

    return real.Pictures(count=len(images), read=read, labels=np.arange(len(images)) % 2, classes=2)


def expected(image):
    picture = functional.resize(Image.fromarray(image), [12], InterpolationMode.BICUBIC)
    return np.asarray(functional.center_crop(picture, [8, 10]))


def in_a_folder(path):
    for index, image in enumerate(IMAGES):
        (path / "ab"[index % 2]).mkdir(exist_ok=True)
        (path / "ab"[index % 2] / f"{index}.png").write_bytes(encode(image))
    return path


def in_parquet(path):
    return write_parquet(path / "a.parquet", [encode(image) for image in IMAGES], [i % 2 for i in range(len(IMAGES))])


KINDS = {
    "folder": (folder.dataset, folder.source, in_a_folder, [0, 2, 4, 1, 3, 5]),
    "parquet": (parquet.dataset, parquet.source, in_parquet, range(6)),
    "cifar10": (cifar10.test, cifar10.train, in_parquet, range(6)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_of_any_sizes_is_fitted(kind, tmp_path):
    open_dataset, _, make, order = KINDS[kind]
    images = open_dataset({"count": None, "fit": FIT}, {"images": make(tmp_path)})
    assert np.array_equal(images.block(0, 6).images, [expected(IMAGES[index]) for index in order])


@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_a_source_of_any_sizes_is_fitted(kind, tmp_path):
    _, open_source, make, _ = KINDS[kind]
    images = open_source({"count": 6, "seed": 0, "fit": FIT}, {"images": make(tmp_path)}).block(0, 6).images
    assert sorted(map(bytes, images)) == sorted(expected(image).tobytes() for image in IMAGES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fit", [{}, {"fit": None}])
def test_without_fit_other_sizes_are_told(kind, fit, tmp_path):
    open_dataset, _, make, _ = KINDS[kind]
    images = open_dataset({"count": None, **fit}, {"images": make(tmp_path)})
    with pytest.raises(DataError, match=r"first one 6x5: resize the images to one size"):
        images.block(0, 6)


@pytest.mark.parametrize("opened", [digits.test, digits.train])
def test_digits_are_fitted(opened):
    plain = opened({"count": 5, "seed": 0}, {}).block(0, 5).images
    fitted = opened({"count": 5, "seed": 0, "fit": FIT}, {}).block(0, 5).images
    assert np.array_equal(fitted, [expected(image) for image in plain])


@given(data=st.data())
def test_any_slicing_gives_the_same_images(data):
    images = real.uniform(pictures_of(IMAGES), {"fit": FIT})
    start = data.draw(st.integers(0, 6))
    stop = data.draw(st.integers(start, 6))
    block = images.block(start, stop)
    assert np.array_equal(block.images, np.reshape([expected(image) for image in IMAGES[start:stop]], (-1, 8, 10, 3)))
    assert block.labels.tolist() == [index % 2 for index in range(start, stop)]


def test_pictures_are_read_when_they_are_asked_for():
    indices_read = []
    images = real.dataset(pictures_of(IMAGES, indices_read), {"count": None, "fit": FIT})
    assert indices_read == [0]  # the first one, to see that it can be used
    images.block(3, 5)
    assert indices_read == [0, 3, 4]


def of_classes(labels, **more):
    """Pictures whose pixels tell their index."""

    def read(start, stop):
        for index in range(start, stop):
            yield real.Picture(Image.new("RGB", (2, 2), (index, 0, 0)), f"picture {index}")

    return real.Pictures(count=len(labels), read=read, labels=np.array(labels), **more)


def test_a_count_of_a_dataset_is_the_sample_of_a_source_in_the_datasets_own_order():
    pictures = of_classes([0] * 40 + [1] * 40, classes=2)
    part = real.dataset(pictures, {"count": 10}).block(0, 10)
    sample = real.source(pictures, {"count": 10, "seed": 0}).block(0, 10)
    indices = part.images[:, 0, 0, 0].tolist()
    assert indices == sorted(sample.images[:, 0, 0, 0].tolist()) != list(range(10))
    assert part.labels.tolist() == [0] * 5 + [1] * 5


def test_a_count_of_all_images_is_the_whole_dataset():
    pictures = of_classes([0] * 3 + [1])
    whole, every = (real.dataset(pictures, {"count": count}).block(0, 4) for count in (None, 4))
    assert np.array_equal(whole.images, every.images)


@pytest.mark.parametrize(
    ("count", "note"),
    [
        (None, "left out: a.txt; no images of 1 of 4 classes: hen"),
        (2, "left out: a.txt; no images of 2 of 4 classes: cow, hen"),
        (6, f"left out: a.txt; no images of 1 of 4 classes: hen; {SHORT.format('cow', 3)}"),
    ],
)
def test_what_must_be_known_of_a_dataset_is_noted(count, note):
    pictures = of_classes(
        [0] * 3 + [1] * 3 + [2], classes=4, names=("cat", "dog", "cow", "hen"), note="left out: a.txt"
    )
    assert real.dataset(pictures, {"count": count}).note == note


def test_what_must_be_known_of_a_sample_is_noted():
    pictures = of_classes([0] * 9 + [1])
    assert real.source(pictures, {"count": 2, "seed": 0}).note == ""
    assert real.source(pictures, {"count": 5, "seed": 0}).note == SHORT.format("class 1", 4)
    assert real.source(pictures, {"count": 5, "seed": 0, "skip": 2}).note == "no images of 1 of 2 classes: class 1"


def test_images_outside_the_set_are_an_index_error():
    with pytest.raises(IndexError, match="of a set of 6"):
        real.uniform(pictures_of(IMAGES), {"fit": FIT}).block(3, 7)


def test_a_source_skips_what_another_took():
    pictures = pictures_of(list(pixels(12)))
    taken, rest = (real.source(pictures, {"count": 6, "seed": 4, **more}).block(0, 6) for more in ({}, {"skip": 6}))
    assert rest.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert not set(map(bytes, taken.images)) & set(map(bytes, rest.images))
