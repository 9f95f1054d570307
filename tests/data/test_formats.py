"""Forms of images on disk, read back by those who know them: farm's own sources, torchvision and Parquet."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from torchvision.datasets import ImageFolder

from farm.data import folder, imageset, parquet, real
from farm.data.formats import FORMATS
from farm.errors import DataError
from tests.data.numbered import numbered

COUNT, CLASSES = 290, 12


@pytest.fixture(params=["labelled", "unlabelled"])
def images(request):
    if request.param == "labelled":
        return numbered([i % CLASSES for i in range(COUNT)], CLASSES)
    return numbered([-1] * COUNT)


def nobody(_index):
    pass


def written(layout, images, path, start=0, stop=COUNT, together=256):
    FORMATS[layout].write(path, images, start, stop, together, nobody)
    return path


def test_shards_are_farms_own(images, tmp_path):
    shard = imageset.read(written("shards", images, tmp_path / "shard.parquet"))
    assert np.array_equal(shard.block(0, COUNT).images, images.block(0, COUNT).images)


def test_the_hugging_face_layout_is_read_by_farms_parquet_source(images, tmp_path):
    path = written("hf", images, tmp_path / "set.parquet")
    pictures = parquet.open_parquet(path, labelled=images.classes is not None)
    read_back, block = real.uniform(pictures, {}).block(0, COUNT), images.block(0, COUNT)
    assert np.array_equal(read_back.images, block.images)
    assert read_back.labels.tolist() == block.labels.tolist()
    assert pictures.classes == images.classes


def test_the_hugging_face_layout_names_its_features_and_its_images(images, tmp_path):
    file = pq.ParquetFile(written("hf", images, tmp_path / "set.parquet", 256, 280))
    features = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert features["img"] == {"_type": "Image"}
    if images.classes is None:
        assert file.schema_arrow.names == ["img"]
        assert set(features) == {"img"}
    else:
        assert features["label"] == {"names": [str(c) for c in range(CLASSES)], "_type": "ClassLabel"}
    assert file.read()["img"][3]["path"].as_py() == "00000259.png"


def test_an_image_folder_is_read_by_torchvision_and_by_farm(images, tmp_path):
    path = written("png", images, made(tmp_path / "folder"))
    block = images.block(0, COUNT)
    pictures = folder.open_folder(path)
    names = [picture.where.rpartition("/")[2] for picture in pictures.read(0, COUNT)]
    read_back, order = real.uniform(pictures, {}).block(0, COUNT), np.argsort(names)
    assert np.array_equal(read_back.images[order], block.images)
    assert read_back.labels[order].tolist() == block.labels.tolist()
    if images.classes is not None:
        theirs = {path.rpartition("/")[2]: label for path, label in ImageFolder(path).samples}
        assert theirs == {f"{i:08}.png": i % CLASSES for i in range(COUNT)}


def made(path):
    path.mkdir()
    return path


@pytest.mark.parametrize("layout", FORMATS)
def test_the_same_images_asked_for_in_other_parts_are_the_same_bytes(images, tmp_path, layout):
    for name, together in (("one", 256), ("two", 1024)):
        place = tmp_path / name if FORMATS[layout].single else made(tmp_path / name)
        written(layout, images, place, together=together)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def contents(path):
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    return [(file.relative_to(path).as_posix(), file.read_bytes()) for file in files]


@pytest.mark.parametrize("name", ["we: ird, set", "a:b", "file:c"])
def test_a_name_that_looks_like_a_url_is_a_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    images = numbered([i % CLASSES for i in range(3)], CLASSES)
    folder = made(Path(name))
    shard = imageset.read(written("shards", images, folder / "shard.parquet", stop=3))
    assert np.array_equal(shard.block(0, 3).images, images.block(0, 3).images)
    assert parquet.open_parquet(written("hf", images, folder / "hf.parquet", stop=3), labelled=True).count == 3
    with pytest.raises(DataError, match=r"none.parquet: not a Parquet file, or truncated .*No such file"):
        imageset.read(folder / "none.parquet")


@pytest.mark.parametrize("layout", ["png", "hf"])
@pytest.mark.parametrize(
    ("labels", "says"), [([0, 1, -1], "image 2 has no class, others have one"), ([-1, -1, 0], "2 has a class, others")]
)
def test_some_with_a_class_and_some_without_fit_only_into_shards(tmp_path, layout, labels, says):
    images = numbered(labels, 2)
    with pytest.raises(DataError, match=f"{says}.*: only the format `shards` holds both"):
        written(layout, images, tmp_path / "set" if layout == "hf" else made(tmp_path / "set"), stop=3)
    written("shards", images, tmp_path / "shard.parquet", stop=3)
