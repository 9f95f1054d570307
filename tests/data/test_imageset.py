"""Shards, sets of several of them, and preprocessing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from farm.axes import Preprocessing
from farm.data import imageset
from farm.errors import DataError
from tests.data.numbered import chosen, numbered


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


def tensors(*shape: int, kind: type = np.uint8) -> Callable[[Path], None]:
    """What writes one tensor of this shape, where a shard has images."""

    def make(path: Path) -> None:
        tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((1, *shape), kind))
        pq.write_table(pa.table({"image": tensor, "label": [0]}), path)

    return make


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (truncated, "not a Parquet file, or truncated"),
        (lambda path: path.write_text("hello"), "not a Parquet file, or truncated"),
        (Path.is_file, "not a Parquet file"),  # nothing is made
        (without_tensor, "no shard, .* only image binary, label int64"),
        (without_label, "no shard, .* only image extension"),
        (tensors(4, 5), "images of 4x5 uint8, not of HxWx3 uint8"),
        (tensors(4, 5, 1), "images of 4x5x1 uint8, not"),
        (tensors(4, 5, 4), "images of 4x5x4 uint8, not"),
        (tensors(2, 4, 5, 3), "images of 2x4x5x3 uint8, not"),
        (tensors(4, 5, 3, kind=np.float32), "images of 4x5x3 float, not"),
    ],
)
def test_a_file_that_is_no_shard_is_refused(tmp_path, make, says):
    make(tmp_path / "shard.parquet")
    with pytest.raises(DataError, match=rf"shard.parquet: {says}.*again"):
        imageset.read(tmp_path / "shard.parquet")


def damage(path, group):
    """Overwrite a part of a row group's images."""
    content = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(group).column(1).dictionary_page_offset
    content[start : start + 40] = b"\xff" * 40
    path.write_bytes(bytes(content))


def test_a_damaged_row_group_is_told_when_it_is_read(tmp_path):
    path = tmp_path / "shard.parquet"
    imageset.write(path, numbered([0] * 300), 0, 300)
    damage(path, 1)
    shard = imageset.read(path)
    assert len(shard.block(0, 256).images) == 256
    with pytest.raises(DataError, match="row group 1 cannot be read"):
        shard.block(256, 300)


@pytest.mark.parametrize("together", [256, 512, 1024])
def test_how_many_images_are_asked_for_at_once_changes_no_byte(tmp_path, together):
    images, ranges, progress = numbered([i % 4 for i in range(1500)], 4), [], []

    class Watched:
        classes = 4

        def __len__(self):
            return len(images)

        def block(self, start, stop):
            ranges.append((start, stop))
            return images.block(start, stop)

    imageset.write(tmp_path / "plain", images, 100, 1500)
    imageset.write(tmp_path / "asked", Watched(), 100, 1500, together=together, wrote=progress.append)
    assert (tmp_path / "asked").read_bytes() == (tmp_path / "plain").read_bytes()
    real = [(start, stop) for start, stop in ranges if start < stop]
    assert [stop % together == 0 or stop == 1500 for _, stop in real] == [True] * len(real)
    assert max(stop - start for start, stop in real) <= together
    assert progress == [stop for _, stop in real]
    assert progress[-1] == 1500


@pytest.mark.parametrize(
    ("size", "workers", "count"),
    [((32, 32), 1, 256), ((32, 32), 4, 1024), ((224, 224), 16, 1536), ((1024, 1024), 8, 64), ((4000, 4000), 2, 4)],
)
def test_a_block_a_worker_is_asked_for_but_not_more_than_memory_should_hold(size, workers, count):
    assert imageset.at_once(size, workers) == count


def test_large_images_lie_in_small_row_groups(tmp_path, monkeypatch):
    assert imageset.row_group((6000, 5000)) == 2
    monkeypatch.setattr(imageset, "AT_ONCE_BYTES", imageset.AT_ONCE_BYTES // 100**2)
    imageset.write(tmp_path / "large", numbered(list(range(5)), None, (60, 50)), 0, 5)
    groups = pq.ParquetFile(tmp_path / "large").metadata
    assert [groups.row_group(at).num_rows for at in range(groups.num_row_groups)] == [2, 2, 1]


def test_the_size_of_images_is_known_without_computing_any():
    assert imageset.size_of(numbered([0], None)) == (2, 3)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A set of 700 images, and the same in three shards."""
    images, folder = numbered([i % 4 for i in range(700)], 4), tmp_path_factory.mktemp("several")
    paths = [folder / f"{start}.parquet" for start in (0, 256, 512)]
    for path, start in zip(paths, (0, 256, 512), strict=True):
        imageset.write(path, images, start, min(start + 256, 700))
    return images, imageset.read(*paths)


@settings(max_examples=40)
@given(ranges=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 700)), min_size=1, max_size=4))
def test_shards_that_are_joined_are_one_set_in_any_order_and_slicing(several, ranges):
    images, joined = several
    assert (len(joined), joined.classes) == (700, 4)
    for start, stop in map(sorted, ranges):
        block, wanted = joined.block(start, stop), images.block(start, stop)
        assert np.array_equal(block.images, wanted.images)
        assert np.array_equal(block.labels, wanted.labels)


def test_of_many_shards_one_row_group_is_in_memory(several):
    _, joined = several
    rows, _ = joined.read.args
    for start in (600, 0, 300):
        joined.block(start, start + 50)
        number, table = rows.last
        low, high = rows.offsets[number : number + 2].tolist()
        assert low < start + 50 <= high == low + table.num_rows


def test_a_damaged_row_group_of_one_shard_of_several_is_told_with_its_file(tmp_path):
    for name in ("one", "two"):
        imageset.write(tmp_path / name, numbered([0] * 300), 0, 300)
    damage(tmp_path / "two", 0)
    joined = imageset.read(tmp_path / "one", tmp_path / "two")
    assert len(joined.block(0, 300).images) == 300
    with pytest.raises(DataError, match=r"two: row group 0 cannot be read"):
        joined.block(290, 310)


def test_images_outside_joined_shards_are_an_index_error(several):
    with pytest.raises(IndexError, match="of a set of 700"):
        several[1].block(699, 701)


def test_one_shard_needs_no_joining(tmp_path):
    imageset.write(tmp_path / "one", numbered([0] * 5), 0, 5)
    assert chosen(imageset.read(tmp_path / "one")) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("classes", "size"), [(3, (2, 3)), (4, (3, 3))])
def test_shards_that_do_not_go_together_are_told(tmp_path, classes, size):
    imageset.write(tmp_path / "one", numbered([0] * 5, 4), 0, 5)
    imageset.write(tmp_path / "two", numbered([0] * 5, classes, size), 0, 5)
    with pytest.raises(DataError, match=rf"two: images of .*{classes}, those of .*one are of \(2, 3\), classes 4"):
        imageset.read(tmp_path / "one", tmp_path / "two")


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


@pytest.mark.parametrize(("layout", "axis"), [("NCHW", 1), ("NHWC", 3)])
@pytest.mark.parametrize("given", ["f32", "u8"])
def test_prepare_gives_a_grey_model_the_brightness_that_pillow_computes(layout, axis, given):
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    how = Preprocessing(size=(5, 6), mean=(0.5,) * 3, std=(0.25,) * 3, layout=layout, input=given, mode="grey")
    grey = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])
    expected = grey if given == "u8" else (grey / 255 - 0.5) / 0.25
    prepared = imageset.prepare(images, how)
    assert prepared.shape == np.expand_dims(grey, axis).shape
    np.testing.assert_allclose(prepared.squeeze(axis), expected, atol=1e-6)


def test_grey_images_stay_the_same_bytes_in_a_grey_model():
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    how = Preprocessing(size=(16, 16), input="u8", layout="NHWC", mode="grey")
    assert np.array_equal(imageset.prepare(grey.repeat(3, axis=3), how), grey)


def test_prepare_turns_channels_round_before_it_normalises():
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    bgr, rgb = (imageset.prepare(given, Preprocessing(**NORMALISED, mode=mode))
                for given, mode in ((images, "bgr"), (images[..., ::-1], None)))  # fmt: skip
    assert np.array_equal(bgr, rgb)


def test_prepare_says_both_sizes_when_they_differ():
    with pytest.raises(DataError, match=r"images are 8x9 .* model takes 32x33: set the model's `resize`"):
        imageset.prepare(np.zeros((1, 8, 9, 3), np.uint8), Preprocessing(size=(32, 33)))
