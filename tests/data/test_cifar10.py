"""CIFAR-10 in its three forms. The official files are not at hand, so small ones in their format are made."""

import hashlib
import os
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from farm.data import cifar10
from farm.errors import DataError
from tests.data.files import encode, pixels, write_parquet

SHARED = Path(os.environ.get("FARM_SHARED", Path(__file__).parents[3] / "shared"))
DATA = SHARED / "data" / "cifar10"
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")


def batch(seed):
    images = pixels(20, (32, 32), seed)
    return images, {
        "data": images.transpose(0, 3, 1, 2).reshape(20, -1),
        "labels": [i % 10 for i in range(20)],
    }


@pytest.fixture
def official(tmp_path, monkeypatch):
    """A folder in the official format, and torchvision told its MD5 sums."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    contents = {name: batch(seed)[1] for seed, name in enumerate((*BATCHES, "test_batch"))}
    contents["batches.meta"] = {"label_names": [str(i) for i in range(10)]}
    sums = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in BATCHES])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    return folder


def pack(folder):
    archive = folder.parent / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as target:
        target.add(folder, folder.name)
    return archive


def test_the_official_folder_gives_the_test_split_in_order(official):
    images = cifar10.test({"count": None}, {"images": official})
    assert (len(images), images.classes) == (20, 10)
    assert np.array_equal(images.block(0, 20).images, batch(5)[0])
    assert images.block(3, 5).labels.tolist() == [3, 4]


def test_the_official_folder_gives_the_train_split_class_by_class(official):
    sample = cifar10.train({"count": 30, "seed": 0}, {"images": official})
    assert sample.block(0, 30).labels.tolist() == [i % 10 for i in range(30)]


def test_the_archive_is_unpacked_beside_itself_once(official):
    archive = pack(official)
    shutil.rmtree(official)
    for _ in range(2):
        assert len(cifar10.test({"count": None}, {"images": archive})) == 20
    assert sorted(path.name for path in archive.parent.iterdir()) == [official.name, archive.name]


def test_a_parquet_file_needs_no_class_names(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [encode(image) for image in pixels(20)], list(range(10)) * 2)
    assert cifar10.test({"count": 4}, {"images": path}).classes == 10
    assert cifar10.train({"count": 15, "seed": 0}, {"images": path}).block(10, 12).labels.tolist() == [0, 1]


def test_a_parquet_file_with_an_eleventh_class_is_refused(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [encode(pixels(1)[0])], [10])
    with pytest.raises(DataError, match="row 0: label 10, expected 0 to 9"):
        cifar10.test({"count": None}, {"images": path})


def test_a_changed_official_file_is_refused_before_it_is_unpickled(official):
    (official / "test_batch").write_bytes(pickle.dumps(batch(9)[1]))
    with pytest.raises(DataError, match=r"a file is missing or its MD5 sum is wrong .* again"):
        cifar10.test({"count": None}, {"images": official})


def test_an_official_folder_of_another_name_is_refused(official):
    with pytest.raises(DataError, match="official folder is called cifar-10-batches-py: rename"):
        cifar10.test({"count": None}, {"images": official.rename(official.parent / "cifar")})


def truncate(archive):
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("damage", [truncate, lambda archive: archive.write_bytes(b"<html>404")])
def test_a_damaged_archive_is_refused_and_leaves_nothing(official, damage):
    archive = pack(official)
    shutil.rmtree(official)
    damage(archive)
    with pytest.raises(DataError, match=r"tar.gz: not a tar.gz archive, or truncated .*: download it again"):
        cifar10.test({"count": None}, {"images": archive})
    assert list(archive.parent.iterdir()) == [archive]


def test_an_archive_of_something_else_is_refused(tmp_path):
    (tmp_path / "other").mkdir()
    archive = pack(tmp_path / "other")
    with pytest.raises(DataError, match="no folder cifar-10-batches-py in it: download the official archive"):
        cifar10.test({"count": None}, {"images": archive})


real = pytest.mark.skipif(not (DATA / "test.parquet").exists(), reason=f"no CIFAR-10 in {DATA}: set FARM_SHARED")


@real
@pytest.mark.cifar10
def test_the_real_test_split_has_its_10000_images_and_first_labels():
    images = cifar10.test({"count": None}, {"images": DATA / "test.parquet"})
    assert (len(images), images.classes) == (10_000, 10)
    block = images.block(0, 10)
    assert block.images.shape == (10, 32, 32, 3)
    assert block.labels.tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]  # cat, ship, ship, airplane, frog, ...


@real
@pytest.mark.cifar10
def test_the_real_train_split_is_sampled_class_by_class():
    sample = cifar10.train({"count": 300, "seed": 0}, {"images": DATA / "train.parquet"})
    assert sample.block(290, 300).labels.tolist() == list(range(10))
