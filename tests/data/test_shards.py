"""A folder that `farm synth` has made, as a calibration set."""

import json

import numpy as np
import pytest

from farm.axes import Fit
from farm.data import imageset, setfolder, shards
from farm.errors import DataError
from tests.data.numbered import numbered

COUNT = 600
IMAGES = numbered([i % 3 for i in range(COUNT)], 3, (40, 50))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return written(tmp_path_factory.mktemp("sets") / "set")


def written(path, layout="shards", most=None, **notes):
    made = {"source": "numbered", "layout": layout, "shard_images": 256}
    with setfolder.claimed(path, made, COUNT, notes) as folder:
        for start, stop in list(folder.missing(verify=False))[:most]:
            folder.make(IMAGES, start, stop, 256, lambda _: None)
    return path


def source(folder, count=COUNT, skip=0, **more):
    return shards.source({"path": "set", "count": count, "skip": skip, **more}, {"images": folder})


def test_the_images_come_in_their_order_with_their_labels(folder):
    images = source(folder)
    assert (len(images), images.classes) == (COUNT, 3)
    assert np.array_equal(images.block(0, COUNT).images, IMAGES.block(0, COUNT).images)
    assert images.block(0, COUNT).labels.tolist() == [i % 3 for i in range(COUNT)]


@pytest.mark.parametrize("fit", [{}, {"fit": Fit(resize=32, size=(32, 32), interpolation="bilinear")}])
def test_what_was_known_when_they_were_made_is_known_of_them(tmp_path, fit):
    assert source(written(tmp_path / "set", note="not distilled"), 300, **fit).note == "not distilled"


def test_a_part_of_them_is_as_many_as_asked_for_after_what_is_skipped(folder):
    images = source(folder, 300, 200)
    assert len(images) == 300
    assert np.array_equal(images.block(10, 290).images, IMAGES.block(210, 490).images)


def test_they_can_be_made_to_fit_a_model(folder):
    images = source(folder, 4, 1, fit=Fit(resize=32, size=(32, 32), interpolation="bilinear"))
    block = images.block(0, 4)
    assert block.images.shape == (4, 32, 32, 3)
    assert block.images[:, 0, 0, 0].tolist() == [1, 2, 3, 4]
    assert block.labels.tolist() == [1, 2, 0, 1]


def test_more_than_there_are_is_told(folder):
    with pytest.raises(DataError, match=r"`count: 500` after `skip: 200`, but there are only 600 images: set `skip`"):
        source(folder, 500, 200)


def test_a_set_that_is_not_whole_yet_is_told(tmp_path):
    with pytest.raises(DataError, match="512 of 600 images are there: run the same `farm synth` again"):
        source(written(tmp_path / "set", most=2), 10)


def test_a_folder_of_another_format_is_told(tmp_path):
    with pytest.raises(DataError, match=r"in the format `hf`: .* or make it with --format shards"):
        source(written(tmp_path / "set", "hf"))


def test_a_folder_of_another_kind_is_told(tmp_path):
    with pytest.raises(DataError, match=r"no set.json: give a folder that `farm synth` has made"):
        source(tmp_path)


def test_a_shard_that_is_gone_is_told(tmp_path):
    path = written(tmp_path / "set")
    (path / "shard-00001.parquet").unlink()
    with pytest.raises(DataError, match=r"shard-00001.parquet: not a Parquet file"):
        source(path)


def test_the_same_set_has_the_same_content_however_often_it_was_made(tmp_path):
    """For it is what enters a grid's keys."""
    one, two = written(tmp_path / "one"), written(tmp_path / "two", most=1)
    written(two)
    for name in ("set.json", "shard-00000.parquet", "shard-00001.parquet", "shard-00002.parquet"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert json.loads((one / "set.json").read_text())["count"] == COUNT


def test_a_shard_alone_is_a_set_too(tmp_path, folder):
    assert np.array_equal(
        source(folder / "shard-00001.parquet", 100).block(0, 100).images, IMAGES.block(256, 356).images
    )


def test_a_shard_that_has_changed_is_told_when_it_is_read(tmp_path):
    path = written(tmp_path / "set")
    shard = path / "shard-00001.parquet"
    imageset.write(shard, numbered([0] * COUNT, 3, (40, 50)), 256, 512)
    images = source(path)
    assert len(images.block(0, 256).images) == 256
    with pytest.raises(DataError, match=r"shard-00001.parquet: has changed since it was made: `farm synth --verify`"):
        images.block(250, 260)


@pytest.mark.parametrize(
    "damage",
    [
        {"made": {}},
        {"made": []},
        {"count": "600"},
        {"count": 0},
        {"ranges": [{"start": "a"}]},
        {"ranges": [{"start": 3, "stop": 9, "bytes": 1, "sha256": ""}]},
        {"ranges": [{"start": 0, "stop": 257, "bytes": 1, "sha256": ""}]},
        {"ranges": [{"start": 0, "stop": 256, "bytes": 1, "sha256": ""}] * 2},
        {"made": {"layout": "shards", "shard_images": 0}},
    ],
)
def test_a_manifest_that_cannot_be_is_told(tmp_path, damage):
    path = written(tmp_path / "set")
    manifest = path / "set.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | damage))
    with pytest.raises(DataError, match=r"set.json: damaged .*: remove the folder, and make it again"):
        source(path)


def test_a_set_with_a_gap_is_not_whole(tmp_path):
    path = written(tmp_path / "set")
    manifest = path / "set.json"
    said = json.loads(manifest.read_text())
    said["ranges"][1]["start"], said["ranges"][1]["stop"] = 768, 1024  # as many images, but others
    manifest.write_text(json.dumps(said))
    with pytest.raises(DataError, match="of 600 images are there"):
        source(path)
