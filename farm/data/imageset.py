"""What a set of images is, shards of it, and pixels as a model's input. Knows no source and no model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from farm.axes import GREY, Preprocessing
from farm.data.rows import Rows, chained, open_rows
from farm.data.targets import Target
from farm.errors import DataError

Labels = NDArray[np.int64]
Pixels = NDArray[np.uint8]
Arguments = Mapping[str, Any]  # the checked parameters of a source or dataset, by name
Files = Mapping[str, Path]
Wrote = Callable[[int], None]

UNLABELLED = -1
MOST_CLASSES = 1 << 31
AXIS_ORDER = {"NCHW": (0, 3, 1, 2), "NHWC": (0, 1, 2, 3)}  # axes of (n, H, W, channels)
LUMA, LUMA_HALF, LUMA_BITS = np.array([19595, 38470, 7471], np.uint32), np.uint32(1 << 15), 16  # 0.299, 0.587, 0.114
FLOATS = {"f32": np.float32, "f16": np.float16}
BLOCK = 256  # images in a row group of a shard, or fewer large ones; its first index is a multiple of this
AT_ONCE_BYTES = 256 << 20  # of pixels that a shard's writer holds, or one image


class Block(NamedTuple):
    """Consecutive images of a set: uint8 (n, H, W, 3), RGB; their labels: int64 (n,), -1 where there is no class.

    targets: what is to be found in each, where that is more than a class: n or none.
    """

    images: Pixels
    labels: Labels
    targets: tuple[Target, ...] = ()


class ImageSet(Protocol):
    """Images by index, all of one size; memory does not grow with their number."""

    @property
    def classes(self) -> int | None:
        """The number of classes, where it is known."""

    @property
    def note(self) -> str:
        """What must be known wherever the images are used; empty for nothing."""

    def __len__(self) -> int:
        """How many images there are."""

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1. Raises IndexError unless 0 <= start <= stop <= len."""


def check_range(start: int, stop: int, count: int) -> None:
    """Raise IndexError unless 0 <= start <= stop <= count."""
    if not 0 <= start <= stop <= count:
        raise IndexError(f"images {start} to {stop} of a set of {count}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A set of `count` images that a function computes. read: start, stop -> the images start, ..., stop - 1."""

    count: int
    read: Callable[[int, int], Block]
    classes: int | None = None
    note: str = ""

    def __len__(self) -> int:
        return self.count

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1. Raises what `read` raises."""
        check_range(start, stop, self.count)
        return self.read(start, stop)


def size_of(images: ImageSet) -> tuple[int, int]:
    """Height and width of a set's images, in pixels; computes none."""
    height, width = images.block(0, 0).images.shape[1:3]
    return height, width


def stray_label(labels: Labels, classes: int | None) -> tuple[int, str] | None:
    """The place of the first label that is not in 0, ..., classes - 1, and which are expected, in words.

    classes: None where their number is not known; then a label is one of 31 bits, as predictions keep it.
    """
    most = MOST_CLASSES if classes is None else classes
    stray = (labels < 0) | (labels >= most)
    expected = "0 or more" if classes is None and labels[stray.argmax()] < 0 else f"0 to {most - 1}"
    return (int(stray.argmax()), expected) if stray.any() else None


def cuts(start: int, stop: int, step: int) -> Iterator[tuple[int, int]]:
    """Ranges that make up start, ..., stop - 1, each but the last ending at a multiple of `step`."""
    while start < stop:
        end = min(stop, (start // step + 1) * step)
        yield start, end
        start = end


def at_once(size: tuple[int, int], workers: int) -> int:
    """How many images to ask a set for: a row group for each worker, no more than `AT_ONCE_BYTES` hold."""
    group = row_group(size)
    return group * max(1, min(workers, AT_ONCE_BYTES // (group * size[0] * size[1] * 3)))


def row_group(size: tuple[int, int]) -> int:
    """Images in a row group: `BLOCK`, or the greatest power of two that `AT_ONCE_BYTES` hold. size: height, width."""
    most = AT_ONCE_BYTES // (size[0] * size[1] * 3)
    return min(BLOCK, 1 << max(0, most.bit_length() - 1))


def write(
    path: Path, images: ImageSet, start: int, stop: int, together: int | None = None, wrote: Wrote = lambda _: None
) -> None:
    """Write the images start, ..., stop - 1 as a Parquet file, at most `together` of them in memory.

    Columns: ``index`` int64, ``image`` Arrow fixed-shape tensor uint8 (H, W, 3), ``label`` int64 (-1 for
    none); ``classes`` in the schema's metadata where the number is known. together: a multiple of `row_group`, which
    it is by default; it changes no byte. wrote: told the index after the last image that is written, again and again.
    """
    if start >= stop:
        raise ValueError(f"a shard of no images: {start} to {stop}")
    size, classes = size_of(images), images.classes
    image, group = pa.fixed_shape_tensor(pa.uint8(), (*size, 3)), row_group(size)
    columns = [("index", pa.int64()), ("image", image), ("label", pa.int64())]
    schema = pa.schema(columns, metadata=None if classes is None else {"classes": str(classes)})
    with parquet_file(path, schema, "zstd") as file:
        for at, part in parts(images, start, stop, together or group, group, wrote):
            tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(part.images))
            arrays = [pa.array(np.arange(at, at + len(part.labels))), tensor, pa.array(part.labels)]
            file.write_batch(pa.record_batch(arrays, schema=schema))


def parts(
    images: ImageSet, start: int, stop: int, together: int, group: int, wrote: Wrote
) -> Iterator[tuple[int, Block]]:
    """Images asked for `together`, given in parts that end at multiples of `group`, and where each part begins."""
    for low, high in cuts(start, stop, together):
        block = images.block(low, high)
        for begin, end in cuts(low, high, group):
            part = slice(begin - low, end - low)
            yield begin, Block(block.images[part], block.labels[part])
        wrote(high)


@contextmanager
def parquet_file(path: Path, schema: pa.Schema, compression: str) -> Iterator[pq.ParquetWriter]:
    """A Parquet file to be written. By itself ParquetWriter takes a path such as `a: b` for a URL."""
    with pa.OSFile(str(path), "wb") as sink, pq.ParquetWriter(sink, schema, compression=compression) as file:
        yield file


def read(*paths: Path) -> Computed:
    """The images of one shard or more that `write` has written, in this order, one row group in memory.

    Raises DataError if a file is no shard, they do not go together, or, when it is read, one is damaged.
    """
    files = [open_rows(path, ("image", "label")) for path in paths]
    kinds = [_size_and_classes(path, rows.schema) for path, rows in zip(paths, files, strict=True)]
    for path, kind in zip(paths, kinds, strict=True):
        if kind != kinds[0]:
            other, first = (f"{size}, classes {classes}" for size, classes in (kind, kinds[0]))
            raise DataError(f"{path}: images of {other}, those of {paths[0]} are of {first}: make the set again")
    rows, (size, classes) = chained(files), kinds[0]
    return Computed(count=len(rows), read=partial(_block, rows, size), classes=classes)


def _block(rows: Rows, size: tuple[int, int], start: int, stop: int) -> Block:
    table = rows.read(start, stop)
    flat = table.column("image").combine_chunks().storage.flatten().to_numpy()
    return Block(flat.reshape(stop - start, *size, 3), table.column("label").to_numpy())


def _size_and_classes(path: Path, schema: pa.Schema) -> tuple[tuple[int, int], int | None]:
    columns = {field.name: field.type for field in schema}
    if "label" not in columns or not isinstance(columns.get("image"), pa.FixedShapeTensorType):
        has = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        raise DataError(f"{path}: no shard, which has a tensor `image` and a `label`, only {has}: make it again")
    shape, pixel = columns["image"].shape, columns["image"].value_type
    if shape[2:] != [3] or pixel != pa.uint8():
        raise DataError(f"{path}: images of {'x'.join(map(str, shape))} {pixel}, not of HxWx3 uint8: make it again")
    classes = (schema.metadata or {}).get(b"classes")
    return (shape[0], shape[1]), int(classes) if classes else None


def prepare(images: Pixels, preprocessing: Preprocessing) -> NDArray[Any]:
    """``(x * scale - mean) / std`` in float32 or, rounded from it, float16; or the raw pixels for input `u8`.

    images: uint8 (n, H, W, 3), RGB. Returns float32, float16 or uint8 (n, C, H, W), or (n, H, W, C) for layout `NHWC`:
    contiguous, writable, a copy. C is 3, or 1 of a grey model. Raises DataError if the images' size is not the
    preprocessing's: farm does not resize behind one's back.
    """
    if misfit := other_size(images.shape[1:3], preprocessing):
        raise DataError(misfit)
    laid = _in_mode(images, preprocessing.mode).transpose(AXIS_ORDER[preprocessing.layout])
    if preprocessing.input == "u8":
        return np.array(laid, order="C")
    values = np.array(laid, np.float32, order="C")
    channels = (-1, 1, 1) if preprocessing.layout == "NCHW" else (-1,)
    values *= np.float32(preprocessing.scale)
    values -= np.asarray(preprocessing.mean[: preprocessing.channels], np.float32).reshape(channels)
    values /= np.asarray(preprocessing.std[: preprocessing.channels], np.float32).reshape(channels)
    return values.astype(FLOATS[preprocessing.input], copy=False)


def other_size(size: Sequence[int], preprocessing: Preprocessing) -> str:
    """Why images of this size, height and width, do not fit a model; empty if they do."""
    if tuple(size) == tuple(preprocessing.size):
        return ""
    model = "x".join(map(str, preprocessing.size))
    text = f"the images are {size[0]}x{size[1]} (height x width), the model takes {model}"
    return f"{text}: set the model's `resize`, or, where it is free, `size` of the model or of a set that is made"


def _in_mode(images: Pixels, mode: str | None) -> Pixels:
    """uint8 (n, H, W, C): RGB, turned round, or the brightness of ITU-R 601-2 to the byte as Pillow computes it."""
    if mode == GREY:
        return ((images @ LUMA + LUMA_HALF) >> LUMA_BITS).astype(np.uint8)[..., None]
    return images[..., ::-1] if mode == "bgr" else images
