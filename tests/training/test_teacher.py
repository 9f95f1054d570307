"""What a student learns from, read from files."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from farm.errors import DataError
from farm.images import imageset, noise
from farm.images.imageset import Block
from farm.training.teacher import as_set, read


def picture(value, size=(32, 32)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (value, 2 * value, 3 * value)).save(buffer, "PNG")
    return buffer.getvalue()


def parquet(path, count=12, label=lambda i: i % 3, size=(32, 32)):
    rows = [{"img": {"bytes": picture(i, size), "path": None}, "label": label(i)} for i in range(count)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


class Classed:
    """A small set with classes, for a shard."""

    classes = 4

    def __len__(self):
        return 20

    def block(self, start, stop):
        pixels = noise.source({"count": 20, "seed": 0, "size": (32, 32)}, {}).block(start, stop).images
        return Block(pixels, np.arange(start, stop) % 4)


def test_a_parquet_file_is_a_teacher(tmp_path):
    found = read(parquet(tmp_path / "images.parquet"))
    assert (len(found), found.classes, found.z) == (12, 3, None)
    assert found.labels.tolist() == [i % 3 for i in range(12)]
    assert found.images[5, :, 0, 0].tolist() == [5, 10, 15]


def test_an_image_folder_is_a_teacher(tmp_path):
    for name, value in (("cat", 7), ("dog", 9)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(picture(value))
    found = read(tmp_path)
    assert (found.labels.tolist(), found.classes) == ([0, 1], 2)
    assert found.images[:, 0, 3, 3].tolist() == [7, 9]


def test_a_shard_is_a_teacher_and_comes_back_as_a_set(tmp_path):
    imageset.write(tmp_path / "shard.parquet", Classed(), 0, 20)
    found = read(tmp_path / "shard.parquet")
    back = as_set(found, 10)
    assert (len(back), back.classes) == (10, 4)
    assert np.array_equal(back.block(2, 9).images, Classed().block(2, 9).images)
    assert back.block(2, 9).labels.tolist() == [2, 3, 0, 1, 2, 3, 0]


def test_latents_belong_to_their_images(tmp_path):
    path, z = parquet(tmp_path / "images.parquet"), np.random.default_rng(0).normal(size=(12, 5))
    np.savez(tmp_path / "z.npz", z=z, labels=np.arange(12) % 3)
    found = read(path, tmp_path / "z.npz")
    assert np.array_equal(found.z.numpy(), z.astype(np.float32))


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"z": np.zeros((11, 5))}, "11 latents for 12 images"),
        ({"z": np.zeros((12, 5)), "labels": np.zeros(12, np.int64)}, "its `labels` are others"),
        ({"labels": np.arange(12) % 3}, "no array `z`"),
        ({"z": np.zeros(12)}, "no array `z`"),
        ({"z": np.full((12, 5), np.nan)}, "no array `z`"),
        ({"z": np.array([{}] * 12)}, "not an .npz file, or damaged"),
    ],
)
def test_latents_of_something_else_are_told(tmp_path, arrays, says):
    np.savez(tmp_path / "z.npz", **arrays)
    with pytest.raises(DataError, match=rf"z.npz: {says}"):
        read(parquet(tmp_path / "images.parquet"), tmp_path / "z.npz")


def test_a_file_that_is_no_npz_is_told(tmp_path):
    (tmp_path / "z.npz").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"z.npz: not an .npz file, or damaged"):
        read(parquet(tmp_path / "images.parquet"), tmp_path / "z.npz")


def test_images_of_another_size_or_without_a_class_are_told(tmp_path):
    with pytest.raises(DataError, match="images of 16x16: DiStyleGAN makes 32x32"):
        read(parquet(tmp_path / "small.parquet", size=(16, 16)))
    imageset.write(tmp_path / "noise.parquet", noise.source({"count": 9, "seed": 0, "size": (32, 32)}, {}), 0, 9)
    with pytest.raises(DataError, match="an image without a class: a class-conditional student needs"):
        read(tmp_path / "noise.parquet")
