"""Latents of one's own from a file, and a network's raw images in one."""

import numpy as np
import pytest

from farm.errors import DataError
from farm.images import latents
from farm.images.equipment import PLAIN
from tests.images.networks import telling

COUNT = 11  # a block of 8 and a part of the second
Z = np.random.default_rng(0).standard_normal((COUNT, 3))


def saved(path, **arrays):
    np.savez(path / "z.npz", **arrays)
    return path / "z.npz"


def of(path, network=None):
    network = network or telling()
    return latents.images(network, "weights", latents.read(path, network), 5, PLAIN)


def test_exactly_these_images_are_made(tmp_path):
    classes = [i % 5 - 1 for i in range(COUNT)]
    images = of(saved(tmp_path, z=Z, labels=classes))
    block = images.block(0, COUNT)
    assert (len(images), block.labels.tolist()) == (COUNT, classes)
    told = np.stack([Z[:, 0], np.array(classes) / 10, (5 + np.arange(COUNT)) / 1000], axis=1).astype(np.float32)
    assert np.array_equal(block.images[:, 0, 0], np.rint(np.clip(told + 1, 0, 2) * 127.5))
    for at in range(COUNT):
        assert np.array_equal(of(tmp_path / "z.npz").block(at, at + 1).images[0], block.images[at])


@pytest.mark.parametrize(("classes", "labels"), [(4, [i % 4 for i in range(COUNT)]), (None, [-1] * COUNT)])
def test_without_labels_classes_are_as_the_source_has_them(tmp_path, classes, labels):
    assert of(saved(tmp_path, z=Z), telling(classes=classes)).block(0, COUNT).labels.tolist() == labels


def test_raw_images_are_the_networks_own_floats(tmp_path):
    images = of(saved(tmp_path, z=Z.astype(np.float16)))
    assert list(latents.write_raw(tmp_path / "raw.npz", images)) == [8, 11]
    with np.load(tmp_path / "raw.npz") as file:
        assert list(file) == ["images"]
        floats = file["images"]
    assert (floats.dtype, floats.shape) == (np.float32, (COUNT, 3, 2, 3))
    assert np.array_equal(floats[:, 0, 0, 0], Z[:, 0].astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"latents": Z}, r"no array `z`: np.savez\('z.npz', z=latents of shape \(n, 3\)\)"),
        ({"z": Z[:, :2]}, r"`z` is float64 \(11, 2\), expected floats of shape \(n, 3\)"),
        ({"z": Z[0]}, r"`z` is float64 \(3,\), expected"),
        ({"z": Z[:0]}, r"`z` is float64 \(0, 3\), expected"),
        ({"z": np.ones((2, 3), int)}, r"`z` is int64 \(2, 3\), expected floats"),
        ({"z": Z * np.nan}, "`z` holds NaN or infinity"),
        ({"z": Z, "labels": [0, 1]}, r"`labels` is int64 \(2,\), expected integers of shape \(11,\)"),
        ({"z": Z, "labels": np.zeros(COUNT)}, r"`labels` is float64 \(11,\), expected integers"),
        ({"z": Z, "labels": [4] * COUNT}, "`labels` from 4 to 4, but the network's classes are 0 to 3"),
        ({"z": Z, "labels": [-2] * COUNT}, "`labels` from -2 to -2, but the network's classes are 0 to 3"),
        ({"z": np.array([[object()]])}, r"no .npz with `z` \(ValueError: Object arrays cannot be loaded"),
    ],
)
def test_latents_that_do_not_go_with_the_network_are_told(tmp_path, arrays, says):
    with pytest.raises(DataError, match=f"z.npz: {says}"):
        of(saved(tmp_path, **arrays))


def test_labels_for_a_network_without_classes_are_told(tmp_path):
    with pytest.raises(DataError, match="`labels` from 0 to 0, but the network has no classes: give those, or -1"):
        of(saved(tmp_path, z=Z, labels=[0] * COUNT), telling(classes=None))


@pytest.mark.parametrize("content", [None, b"", b"hello", b"PK\x03\x04 and no more"])
def test_a_file_that_is_no_npz_is_told(tmp_path, content):
    if content is not None:
        (tmp_path / "z.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"z.npz: no .npz with `z` .*: save one with np.savez"):
        of(tmp_path / "z.npz")


def test_an_array_alone_is_no_npz(tmp_path):
    np.save(tmp_path / "z.npy", Z)
    (tmp_path / "z.npy").rename(tmp_path / "z.npz")
    with pytest.raises(DataError, match=r"no .npz with `z`"):
        of(tmp_path / "z.npz")
