"""Selections, prefixes, shards and preprocessing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import DataError
from farm.images import imageset
from farm.images.imageset import Block
from farm.spec import Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """Images whose pixels tell their index: a real set, only small."""

    labels: np.ndarray
    classes: int | None
    size: tuple[int, int] = (2, 3)

    def __len__(self) -> int:
        return len(self.labels)

    def block(self, start: int, stop: int) -> Block:
        imageset.check_range(start, stop, len(self))
        pixels = np.broadcast_to(np.arange(start, stop)[:, None, None, None], (stop - start, *self.size, 3))
        return Block(pixels.astype(np.uint8), self.labels[start:stop])


def numbered(labels: list[int], classes: int | None = None) -> Numbered:
    return Numbered(labels=np.array(labels, np.int64), classes=classes)


def balanced(classes: int, each: int) -> Numbered:
    return numbered([c for c in range(classes) for _ in range(each)], classes)


def chosen(images: imageset.ImageSet) -> list[int]:
    return images.block(0, len(images)).images[:, 0, 0, 0].tolist()


@given(classes=st.integers(1, 5), each=st.integers(1, 9), seed=st.integers(0, 2**63 - 1), data=st.data())
def test_every_prefix_of_a_drawn_set_is_balanced(classes, each, seed, data):
    images = balanced(classes, each)
    count = data.draw(st.integers(1, len(images)))
    labels = imageset.draw(images, images.labels, count, seed).block(0, count).labels
    assert labels.tolist() == [i % classes for i in range(count)]


@given(classes=st.integers(1, 5), each=st.integers(1, 9), seed=st.integers(0, 2**63 - 1), data=st.data())
def test_a_larger_count_only_appends_and_nothing_is_drawn_twice(classes, each, seed, data):
    images = balanced(classes, each)
    count = data.draw(st.integers(1, len(images)))
    every = chosen(imageset.draw(images, images.labels, len(images), seed))
    assert chosen(imageset.draw(images, images.labels, count, seed)) == every[:count]
    assert sorted(every) == list(range(len(images)))


def test_what_a_seed_draws_stays_as_it_is():
    """If it has to change, the stage `synthesize` needs a new version."""
    images = balanced(2, 5)
    assert chosen(imageset.draw(images, images.labels, 10, 0)) == [4, 5, 1, 7, 2, 9, 0, 6, 3, 8]


def test_another_seed_draws_in_another_order():
    images = balanced(2, 50)
    orders = {tuple(chosen(imageset.draw(images, images.labels, 100, seed))) for seed in range(3)}
    assert len(orders) == 3


def test_the_order_of_one_class_does_not_depend_on_the_others():
    few, many = numbered([0, 1] * 8), numbered([0, 1] * 8 + [1] * 5)
    zeros = [chosen(imageset.draw(images, images.labels, 16, 3))[::2] for images in (few, many)]
    assert zeros[0] == zeros[1]


def test_a_set_without_labels_is_shuffled_as_a_whole():
    images = numbered([-1] * 30)
    drawn = imageset.draw(images, None, 30, 0)
    assert chosen(drawn) != list(range(30))
    assert sorted(chosen(drawn)) == list(range(30))
    assert set(drawn.block(0, 30).labels) == {-1}


@pytest.mark.parametrize(
    ("labels", "classes", "most", "says"),
    [
        ([0, 1, 0, 1], None, 4, "class 0 has only 2"),
        ([0, 0, 0, 1], None, 3, "class 1 has only 1"),
        ([0, 0, 0, 0, 1, 1], 2, 5, "class 1 has only 2"),
        ([0, 0, 2, 2], None, 1, "class 1 has only 0"),
        ([0, 0, 1, 1], 3, 2, "class 2 has only 0"),
        (None, None, 7, "no more"),
    ],
)
def test_asking_for_more_than_there_is_says_how_many_there_are(labels, classes, most, says):
    images = numbered(labels or [-1] * 7, classes)
    known = None if labels is None else images.labels
    assert len(imageset.draw(images, known, most, 0)) == most
    with pytest.raises(DataError, match=rf"there are {len(images)} images, and {says}.*`count` to {most} or less"):
        imageset.draw(images, known, most + 1, 0)


@given(classes=st.integers(1, 4), skip=st.integers(0, 12), count=st.integers(1, 12), seed=st.integers(0, 9))
def test_a_set_that_skips_goes_on_where_the_skipped_one_ends(classes, skip, count, seed):
    images = balanced(classes, 24)
    every = imageset.draw(images, images.labels, skip + count, seed)
    rest = imageset.draw(images, images.labels, count, seed, skip)
    assert chosen(rest) == chosen(every)[skip:]
    assert rest.block(0, count).labels.tolist() == [(i + skip) % classes for i in range(count)]


def test_a_set_without_labels_can_skip_too():
    images = numbered([-1] * 30)
    parts = [chosen(imageset.draw(images, None, 10, 0, skip)) for skip in (0, 10, 20)]
    assert sorted(i for part in parts for i in part) == list(range(30))


def test_skipping_so_many_that_too_few_are_left_says_how_many_there_are():
    images = balanced(2, 5)
    assert len(imageset.draw(images, images.labels, 4, 0, 6)) == 4
    with pytest.raises(DataError, match=r"`count: 5` after `skip: 6`.* set `skip` \+ `count` to 10 or less"):
        imageset.draw(images, images.labels, 5, 0, 6)


@given(data=st.data())
def test_any_slicing_of_a_selection_gives_the_same_images(data):
    images = balanced(3, 7)
    drawn = imageset.draw(images, images.labels, 20, 5)
    start = data.draw(st.integers(0, 20))
    stop = data.draw(st.integers(start, 20))
    part, whole = drawn.block(start, stop), drawn.block(0, 20)
    assert np.array_equal(part.images, whole.images[start:stop])
    assert np.array_equal(part.labels, whole.labels[start:stop])


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (0, 4), (3, 2)])
@pytest.mark.parametrize("of", [lambda s: s, lambda s: imageset.first(s, 3)], ids=["drawn", "prefix"])
def test_images_outside_a_set_are_an_index_error(of, start, stop):
    images = balanced(1, 9)
    with pytest.raises(IndexError, match="of a set of 3"):
        of(imageset.draw(images, images.labels, 3, 0)).block(start, stop)


def test_first_keeps_the_order_and_refuses_more_than_there_are():
    images = numbered([0, 0, 1, 1], 2)
    assert imageset.first(images, None) is images
    assert chosen(imageset.first(images, 3)) == [0, 1, 2]
    with pytest.raises(DataError, match="`count: 5`, but there are only 4 images: set `count` to 4"):
        imageset.first(images, 5)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 700), (100, 612), (255, 257), (256, 512)])
@pytest.mark.parametrize("classes", [None, 4])
def test_a_shard_gives_back_what_was_written(tmp_path, start, stop, classes):
    images = numbered([i % 4 for i in range(700)], classes)
    path = tmp_path / "shard.parquet"
    imageset.write(path, images, start, stop)
    shard = imageset.read(path)
    wanted = images.block(start, stop)
    assert (len(shard), shard.classes) == (stop - start, classes)
    assert np.array_equal(shard.block(0, len(shard)).images, wanted.images)
    assert np.array_equal(shard.block(0, len(shard)).labels, wanted.labels)
    assert pq.read_table(path).column("index").to_pylist() == list(range(start, stop))


def test_any_slice_of_a_shard_is_a_slice_of_the_set(tmp_path):
    images = numbered([i % 4 for i in range(700)], 4)
    imageset.write(tmp_path / "shard.parquet", images, 100, 700)
    shard = imageset.read(tmp_path / "shard.parquet")
    for start, stop in [(0, 0), (599, 600), (150, 160), (155, 157), (0, 600), (10, 500)]:
        block = shard.block(start, stop)
        assert np.array_equal(block.images, images.block(100 + start, 100 + stop).images)
        assert block.labels.tolist() == images.labels[100 + start : 100 + stop].tolist()


def test_a_shards_row_groups_start_at_multiples_of_the_block(tmp_path):
    imageset.write(tmp_path / "shard.parquet", numbered([0] * 700), 100, 700)
    groups = pq.ParquetFile(tmp_path / "shard.parquet").metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [156, 256, 188]


def test_the_same_images_written_twice_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        imageset.write(tmp_path / name, numbered([0] * 300), 0, 300)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_shard_of_no_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no images: 3 to 3"):
        imageset.write(tmp_path / "shard.parquet", numbered([0] * 5), 3, 3)


def truncated(path: Path) -> None:
    imageset.write(path, numbered([0] * 300), 0, 300)
    path.write_bytes(path.read_bytes()[:-100])


def without_tensor(path: Path) -> None:
    pq.write_table(pa.table({"image": [b"x"], "label": [0]}), path)


def without_label(path: Path) -> None:
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((1, 2, 2, 3), np.uint8))
    pq.write_table(pa.table({"image": tensor}), path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (truncated, "not a Parquet file, or truncated"),
        (lambda path: path.write_text("hello"), "not a Parquet file, or truncated"),
        (Path.is_file, "not a Parquet file"),  # nothing is made
        (without_tensor, "no shard, .* only image binary, label int64"),
        (without_label, "no shard, .* only image extension"),
    ],
)
def test_a_file_that_is_no_shard_is_refused(tmp_path, make, says):
    make(tmp_path / "shard.parquet")
    with pytest.raises(DataError, match=rf"shard.parquet: {says}.*again"):
        imageset.read(tmp_path / "shard.parquet")


def test_a_damaged_row_group_is_told_when_it_is_read(tmp_path):
    path = tmp_path / "shard.parquet"
    imageset.write(path, numbered([0] * 300), 0, 300)
    content = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(1).column(1).dictionary_page_offset
    content[start : start + 40] = b"\xff" * 40
    path.write_bytes(bytes(content))
    shard = imageset.read(path)
    assert len(shard.block(0, 256).images) == 256
    with pytest.raises(DataError, match="row group 1 cannot be read"):
        shard.block(256, 300)


def test_prepare_scales_subtracts_divides_and_puts_channels_first():
    images = np.array([[[[0, 51, 255]]]], np.uint8)
    prepared = imageset.prepare(
        images, Preprocessing(size=(1, 1), mean=(0.5, 0.2, 0.0), std=(0.5, 0.1, 2.0), scale=1 / 255)
    )
    assert prepared.dtype == np.float32
    assert prepared.shape == (1, 3, 1, 1)
    assert prepared.flags["C_CONTIGUOUS"]
    np.testing.assert_allclose(prepared.ravel(), [-1.0, 0.0, 0.5], atol=1e-6)


def test_prepare_keeps_rows_and_columns_apart():
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    prepared = imageset.prepare(images, Preprocessing(size=(5, 6), scale=1.0))
    assert np.array_equal(prepared, images.transpose(0, 3, 1, 2))


NORMALISED = {"size": (5, 6), "mean": (0.5, 0.2, 0.1), "std": (0.5, 0.1, 2.0)}


@pytest.mark.parametrize(("layout", "axes"), [("NCHW", (0, 3, 1, 2)), ("NHWC", (0, 1, 2, 3))])
@pytest.mark.parametrize(("given", "dtype"), [("f32", np.float32), ("f16", np.float16)])
def test_prepare_normalises_in_any_layout_and_precision(layout, axes, given, dtype):
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    expected = (images / 255 - NORMALISED["mean"]) / NORMALISED["std"]
    prepared = imageset.prepare(images, Preprocessing(**NORMALISED, layout=layout, input=given))
    assert prepared.dtype == dtype
    assert prepared.flags["C_CONTIGUOUS"]
    assert prepared.shape == expected.transpose(axes).shape
    np.testing.assert_allclose(prepared, expected.transpose(axes), rtol=np.finfo(dtype).eps, atol=3e-6)


def test_prepare_computes_in_float32_before_it_rounds_to_float16():
    images = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    full, half = (
        imageset.prepare(images, Preprocessing(size=(16, 16), mean=(0.4914, 0.4822, 0.4465), input=given))
        for given in ("f32", "f16")
    )
    assert np.array_equal(half, full.astype(np.float16))


@pytest.mark.parametrize(("layout", "axes"), [("NCHW", (0, 3, 1, 2)), ("NHWC", (0, 1, 2, 3))])
def test_prepare_leaves_raw_pixels_alone(layout, axes):
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    images.flags.writeable = False  # as Arrow's are, which torch.from_numpy warns of
    prepared = imageset.prepare(images, Preprocessing(**NORMALISED, layout=layout, input="u8"))
    assert prepared.dtype == np.uint8
    assert prepared.flags["C_CONTIGUOUS"]
    assert prepared.flags["WRITEABLE"]
    assert np.array_equal(prepared, images.transpose(axes))


def test_prepare_says_both_sizes_when_they_differ():
    with pytest.raises(DataError, match=r"images are 8x9 .* model takes 32x33: set `size`"):
        imageset.prepare(np.zeros((1, 8, 9, 3), np.uint8), Preprocessing(size=(32, 33)))
