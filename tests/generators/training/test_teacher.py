"""What a student learns from, read from files."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from farm.data import imageset, setfolder
from farm.data.imageset import Block
from farm.errors import DataError
from farm.generators import noise
from farm.generators.distylegan.training.teacher import Teacher, as_set, read, sample
from tests.data.numbered import numbered


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
    back = as_set(found)
    assert (len(back), back.classes) == (20, 4)
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
        ({"z": np.array([{}] * 12)}, "no .npz with `z`"),
    ],
)
def test_latents_of_something_else_are_told(tmp_path, arrays, says):
    np.savez(tmp_path / "z.npz", **arrays)
    with pytest.raises(DataError, match=rf"z.npz: {says}"):
        read(parquet(tmp_path / "images.parquet"), tmp_path / "z.npz")


def folder_of(path, labels):
    """An image folder: image i, as bright as i, in its class's subfolder."""
    for i, label in enumerate(labels):
        (path / str(label)).mkdir(parents=True, exist_ok=True)
        (path / str(label) / f"{i:08}.png").write_bytes(picture(i))
    return path


def test_latents_without_labels_are_of_class_i_mod_c(tmp_path):
    z = np.random.default_rng(0).normal(size=(12, 5))
    np.savez(tmp_path / "z.npz", z=z)
    found = read(parquet(tmp_path / "images.parquet"), tmp_path / "z.npz")
    assert np.array_equal(found.z.numpy(), z.astype(np.float32))


@pytest.mark.parametrize(
    ("labels", "says"),
    [({}, "without `labels` latent i is of class i mod C"), ({"labels": np.arange(12) % 3}, "its `labels` are others")],
)
def test_latents_in_another_order_than_an_image_folder_is_read_in_are_refused(tmp_path, labels, says):
    np.savez(tmp_path / "z.npz", z=np.zeros((12, 5)), **labels)
    images = folder_of(tmp_path / "images", [i % 3 for i in range(12)])
    with pytest.raises(DataError, match=rf"z.npz: {says}, and the images lie in another order.* --format shards, or"):
        read(images, tmp_path / "z.npz")


def test_latents_in_a_folders_own_order_say_so_by_their_labels(tmp_path):
    labels = np.repeat(np.arange(3), 4)
    np.savez(tmp_path / "z.npz", z=np.arange(12.0)[:, None], labels=labels)
    found = read(folder_of(tmp_path / "images", labels), tmp_path / "z.npz")
    assert found.images[:, 0, 0, 0].tolist() == found.z[:, 0].tolist() == list(range(12))


def teacher(labels, classes):
    images = torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 32, 32)
    return Teacher(images=images, labels=torch.tensor(labels), classes=classes)


@pytest.mark.parametrize(("most", "count"), [(10, 10), (1000, 21)])
def test_a_sample_has_as_many_of_each_class_as_the_scarcest_allows(most, count):
    found = sample(teacher([0] * 50 + [1] * 7 + [2] * 60, 3), most, seed=1)
    block = found.block(0, len(found))
    assert block.labels.tolist() == [i % 3 for i in range(count)]
    assert len(set(block.images[:, 0, 0, 0].tolist())) == count


def test_a_sample_of_a_teacher_that_lacks_a_class_is_any_of_its_images():
    found = sample(teacher([0] * 20 + [2] * 20, 3), 30, seed=1)
    assert len(found) == 30
    assert 5 < np.bincount(found.block(0, 30).labels)[0] < 25


def test_images_of_another_size_or_without_a_class_are_told(tmp_path):
    with pytest.raises(DataError, match="images of 16x16: DiStyleGAN makes 32x32"):
        read(parquet(tmp_path / "small.parquet", size=(16, 16)))
    imageset.write(tmp_path / "noise.parquet", noise.source({"count": 9, "seed": 0, "size": (32, 32)}, {}), 0, 9)
    with pytest.raises(DataError, match="an image without a class: a class-conditional student needs"):
        read(tmp_path / "noise.parquet")


def test_an_image_folder_that_farm_synth_made_is_an_image_folder(tmp_path):
    path, images = tmp_path / "photos", numbered([i % 3 for i in range(7)], 3, (32, 32))
    made = {"source": "numbered", "layout": "png", "shard_images": 256}
    with setfolder.claimed(path, made, 7, {}) as folder:
        for start, stop in folder.missing(verify=False):
            folder.make(images, start, stop, 256, lambda _: None)
    assert sorted(read(path).labels.tolist()) == [0, 0, 0, 1, 1, 2, 2]
