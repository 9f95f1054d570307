"""Which Parquet files of a folder make up a split."""

import pytest

from farm.data.splits import files_of
from farm.errors import DataError

SHARDED = ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet", "train-00000-of-00001.parquet"]


def folder_of(path, names):
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    return path


@pytest.mark.parametrize(
    ("names", "split", "expected"),
    [
        (SHARDED, "test", SHARDED[:2]),
        (SHARDED, "train", SHARDED[2:]),
        (SHARDED[:2], None, SHARDED[:2]),
        ([f"data/{name}" for name in SHARDED] + ["README.md"], "test", [f"data/{name}" for name in SHARDED[:2]]),
        (["test.parquet", "train.parquet"], "test", ["test.parquet"]),
        (["test/1.parquet", "test/0.parquet", "train/0.parquet"], "test", ["test/0.parquet", "test/1.parquet"]),
        (["test-00000-of-00001-0a1b2c3d.parquet"], None, ["test-00000-of-00001-0a1b2c3d.parquet"]),
        (["photos.parquet", ".hidden.parquet"], None, ["photos.parquet"]),
        (["0000.parquet", "0001.parquet"], None, ["0000.parquet", "0001.parquet"]),
    ],
)  # fmt: skip
def test_a_split_is_all_files_of_its_name(tmp_path, names, split, expected):
    found = files_of(folder_of(tmp_path, names), split)
    assert found == tuple(tmp_path / name for name in expected)


def test_a_file_is_a_split_of_its_own(tmp_path):
    assert files_of(tmp_path / "a.parquet", None) == (tmp_path / "a.parquet",)


@pytest.mark.parametrize(
    ("names", "split", "says"),
    [
        ([], None, "no .parquet files: give the folder that holds them"),
        (SHARDED, None, "has the splits test, train: say which with `split`"),
        (SHARDED, "val", "no split 'val': there is test, train"),
        (SHARDED[1:2], "test", "test-00001-of-00002.parquet: part 00000 of 2 lacks: fetch the folder again"),
        ([*SHARDED[:2], "test-00002-of-00003.parquet"], "test", "files of two versions beside each other"),
        ([*SHARDED[:2], "test.parquet"], "test", "files of two versions beside each other"),
        (["a/test.parquet", "b/test.parquet"], "test", "the same split in 'a', 'b': give one of these folders"),
    ],
)
def test_what_is_no_whole_split_is_told(tmp_path, names, split, says):
    with pytest.raises(DataError, match=says):
        files_of(folder_of(tmp_path, names), split)
