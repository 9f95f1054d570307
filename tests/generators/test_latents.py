"""Latents of one's own from a file, and a network's raw images in one."""

import io
import zipfile

import numpy as np
import pytest

from farm.errors import DataError
from farm.generators import latents
from farm.generators.equipment import PLAIN
from tests.generators.networks import telling

COUNT = 11  # a block of 8 and a part of the second
Z = np.random.default_rng(0).standard_normal((COUNT, 3))


def saved(path, **arrays):
    np.savez(path / "z.npz", **arrays)
    return path / "z.npz"


def of(path, network=None):
    network = network or telling()
    return latents.images(path, network, "weights", 5, PLAIN)


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
    assert list(latents.write_raw(tmp_path / "raw.npz", images, images.floats)) == [8, 11]
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


@pytest.fixture
def whole(tmp_path):
    """The bytes of a sound file."""
    np.savez_compressed(tmp_path / "sound.npz", z=Z)
    return (tmp_path / "sound.npz").read_bytes()


def zipped(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, content)
    return buffer.getvalue()


def header(shape):
    """An array's beginning, and nothing after it."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def alone():
    buffer = io.BytesIO()
    np.save(buffer, Z)
    return buffer.getvalue()


BROKEN = {
    "absent": lambda _: None,
    "empty": lambda _: b"",
    "a text": lambda _: b"hello",
    "a zip's beginning": lambda _: b"PK\x03\x04 and no more",
    "cut in half": lambda whole: whole[: len(whole) // 2],
    "cut inside its directory": lambda whole: whole[:-30],
    "another byte": lambda whole: whole[:100] + bytes([whole[100] ^ 255]) + whole[101:],
    "no deflate stream": lambda whole: whole[:60] + b"\xff" * 40 + whole[100:],
    "an unknown compression": lambda whole: whole.replace(b"\x08\x00", b"\x63\x00"),
    "an array alone": lambda _: alone(),
    "a text within": lambda _: zipped("z.npy", b"hello"),
    "an array that is cut": lambda _: zipped("z.npy", header((4, 3)) + bytes(8)),
    "a header of too much": lambda _: zipped("z.npy", header((1 << 44, 512))),
    "a header beyond 64 bits": lambda _: zipped("z.npy", header((1 << 62, 1 << 62))),
    "labels that are none": lambda whole: appended(whole, "labels.npy", b"hello"),
}


def appended(whole, name, content):
    buffer = io.BytesIO(whole)
    with zipfile.ZipFile(buffer, "a") as file:
        file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_npz_or_damaged_or_too_large_is_told_by_name(tmp_path, whole, damage):
    content = damage(whole)
    assert content != whole
    if content is not None:
        (tmp_path / "z.npz").write_bytes(content)
    with pytest.raises(
        DataError, match=r"z.npz: (no .npz with `z` \(|its `\w+` is no array).*: save one with np.savez"
    ):
        latents.arrays(tmp_path / "z.npz")


def test_arrays_are_those_of_the_file_and_no_others(tmp_path):
    found = latents.arrays(saved(tmp_path, z=Z, labels=np.arange(COUNT), w=Z))
    assert found.keys() == {"z", "labels"}
    assert np.array_equal(found["z"], Z)
