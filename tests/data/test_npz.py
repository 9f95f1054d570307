"""Images in NumPy's .npz."""

import zipfile
from contextlib import suppress

import numpy as np
import pytest

from farm.data import npz
from farm.errors import DataError

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
GREY = RGB[..., 0]
LABELS = np.array([0, 1, 2, 0, 1, 2])


def opened(path, arrays, split=None, **more):
    np.savez_compressed(path / "a.npz", **arrays)
    return npz.dataset({"count": None, "split": split, **more}, {"images": path / "a.npz"})


@pytest.mark.parametrize(
    ("arrays", "split"),
    [
        ({"images": RGB, "labels": LABELS}, None),
        ({"x": RGB, "y": LABELS.astype(np.uint8)}, None),
        ({"x_test": RGB, "y_test": LABELS[:, None], "x_train": RGB[:2], "y_train": LABELS[:2]}, "test"),
        ({"test_images": RGB, "test_labels": LABELS[:, None], "val_images": RGB[:1], "val_labels": LABELS[:1]}, "test"),
        ({"x_holdout": RGB, "y_holdout": LABELS}, "holdout"),
        ({"x_test": RGB, "y_test": LABELS}, None),
    ],
)
def test_arrays_are_found_by_their_names(tmp_path, arrays, split):
    images = opened(tmp_path, arrays, split)
    block = images.block(0, 6)
    assert np.array_equal(block.images, RGB)
    assert block.labels.tolist() == LABELS.tolist()
    assert images.note == ""


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5, 4, 1)])
def test_grey_images_are_grey_in_all_channels(tmp_path, shape):
    images = opened(tmp_path, {"images": GREY.reshape(shape), "labels": LABELS})
    assert np.array_equal(images.block(0, 6).images, GREY[..., None].repeat(3, axis=3))
    assert images.converted == {"grey": 6}


def test_classes_name_its_numbers(tmp_path):
    images = opened(tmp_path, {"images": RGB, "labels": LABELS}, classes=("background", "2", "1", "0"))
    assert images.block(0, 3).labels.tolist() == [3, 2, 1]
    assert images.classes == 4


def test_a_source_needs_no_labels_and_balances_by_those_there_are(tmp_path):
    np.savez(tmp_path / "a.npz", images=RGB, labels=LABELS)
    images = npz.source({"count": 3, "seed": 0, "split": None}, {"images": tmp_path / "a.npz"})
    assert sorted(images.block(0, 3).labels.tolist()) == [0, 1, 2]
    np.savez(tmp_path / "a.npz", images=RGB)
    images = npz.source({"count": 3, "seed": 0, "split": None}, {"images": tmp_path / "a.npz"})
    assert images.block(0, 3).labels.tolist() == [-1] * 3


@pytest.mark.parametrize(
    ("arrays", "split", "says"),
    [
        ({"pictures": RGB}, None, "no array `images`, `x`, `test_images` or `x_test`, only pictures: name the arrays"),
        ({"images": RGB}, None, "no array `labels`, only images: a dataset needs a class for each image"),
        ({"images": RGB, "labels": LABELS}, "test", "no array `test_images` or `x_test`, only images, labels"),
        ({"x_test": RGB, "x_train": RGB, "y_test": LABELS}, None, "has the splits test, train: say which"),
        ({"images": RGB / 255, "labels": LABELS}, None, r"`images` is float64 \(6, 5, 4, 3\), not uint8 .* last"),
        ({"images": RGB.transpose(0, 3, 1, 2), "labels": LABELS}, None, r"`images` is uint8 \(6, 3, 5, 4\)"),
        ({"images": RGB[:0], "labels": LABELS[:0]}, None, r"`images` is uint8 \(0, 5, 4, 3\)"),
        ({"images": RGB, "labels": LABELS[:5]}, None, r"`labels` is int64 \(5,\), not 6 integers"),
        ({"images": RGB, "labels": LABELS / 2}, None, r"`labels` is float64 \(6,\), not 6 integers"),
        ({"images": RGB, "labels": LABELS - 1}, None, "`labels`: label -1 of image 0, expected 0 or more"),
        ({"images": RGB, "labels": LABELS + 2**40}, None, "label 1099511627776 of image 0, expected 0 to 2147483647"),
        ({"images": np.array([{}]), "labels": LABELS[:1]}, None, r"not an .npz of arrays, or damaged \(Object arrays"),
    ],
)  # fmt: skip
def test_arrays_that_are_something_else_are_told(tmp_path, arrays, split, says):
    with pytest.raises(DataError, match=f"a.npz: .*{says}"):
        opened(tmp_path, arrays, split)


@pytest.mark.parametrize("spoil", [lambda content: b"", lambda content: content[:-50], lambda content: b"hello"])
def test_a_damaged_file_is_told(tmp_path, spoil):
    np.savez(tmp_path / "a.npz", images=RGB, labels=LABELS)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(spoil(content))
    with pytest.raises(DataError, match=r"a.npz: not an .npz of arrays, or damaged"):
        npz.dataset({"count": None, "split": None}, {"images": tmp_path / "a.npz"})


@pytest.mark.parametrize("at", range(0, 400, 13))
def test_a_file_with_another_byte_is_taken_or_told(tmp_path, at):
    np.savez_compressed(tmp_path / "a.npz", images=RGB, labels=LABELS)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[at] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(content)
    with suppress(DataError):
        npz.dataset({"count": None, "split": None}, {"images": tmp_path / "a.npz"})


def test_an_array_that_says_it_is_larger_than_memory_is_refused(tmp_path):
    header = (
        b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|u1', 'fortran_order': False, 'shape': (999999999, 999, 999, 3), }"
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", header.ljust(127) + b"\n")
        archive.writestr("labels.npy", header.ljust(127) + b"\n")
    with pytest.raises(DataError, match=r"a.npz: `images` takes 2,788,\d\d\d GiB, 8 at most"):
        npz.dataset({"count": None, "split": None}, {"images": tmp_path / "a.npz"})


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": RGB, "images": RGB}, "has images in `images` and in `x`: leave one of them out"),
        ({"x_test": RGB, "test_images": RGB}, "has images in `test_images` and in `x_test`"),
        ({"x_test": RGB, "images": RGB}, "has the splits test, and images in `images`: say which with `split: test`"),
    ],
)
def test_images_by_two_names_are_told(tmp_path, arrays, says):
    with pytest.raises(DataError, match=says):
        opened(tmp_path, arrays)


def test_members_that_are_no_npy_are_told(tmp_path):
    np.savez(tmp_path / "b.npz", images=RGB, labels=LABELS)
    with zipfile.ZipFile(tmp_path / "b.npz") as sound, zipfile.ZipFile(tmp_path / "a.npz", "w") as odd:
        for name in sound.namelist():
            odd.writestr(name.removesuffix(".npy"), sound.read(name))
    with pytest.raises(DataError, match=r"`images` is called so without .npy in the archive"):
        npz.dataset({"count": None, "split": None}, {"images": tmp_path / "a.npz"})


def test_one_array_alone_is_no_npz(tmp_path):
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, RGB)
    with pytest.raises(DataError, match=r"a.npz: not an .npz of arrays"):
        npz.dataset({"count": None, "split": None}, {"images": tmp_path / "a.npz"})


def test_an_array_larger_than_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MOST_BYTES", RGB.nbytes - 1)
    with pytest.raises(DataError, match="`images` takes 0 GiB, 0 at most: save the images as Parquet"):
        opened(tmp_path, {"images": RGB, "labels": LABELS})
