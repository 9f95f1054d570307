"""What a set of images is, which of its images are drawn, shards of it, and pixels as a model's input.

Knows indices, labels and pixels, not where images come from or which model they are for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from farm.errors import DataError
from farm.images.rows import Rows, open_rows
from farm.spec import Preprocessing

Labels = NDArray[np.int64]
Pixels = NDArray[np.uint8]
Parameters = Mapping[str, Any]
Files = Mapping[str, Path]

UNLABELLED = -1
LAYOUTS = {"NCHW": (0, 3, 1, 2), "NHWC": (0, 1, 2, 3)}  # axes of (n, H, W, channels)
FLOATS = {"f32": np.float32, "f16": np.float16}
BLOCK = 256  # images in a row group of a shard; its first index is a multiple of this


class Block(NamedTuple):
    """Consecutive images of a set.

    images: uint8 (n, H, W, 3), RGB. labels: int64 (n,), -1 where an image has no class.
    """

    images: Pixels
    labels: Labels


class ImageSet(Protocol):
    """Images by index, all of one size; memory does not grow with their number."""

    @property
    def classes(self) -> int | None:
        """The number of classes, where it is known."""

    def __len__(self) -> int:
        """How many images there are."""

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1. Raises IndexError unless 0 <= start <= stop <= len."""


def check_range(start: int, stop: int, count: int) -> None:
    """Raise IndexError unless 0 <= start <= stop <= count."""
    if not 0 <= start <= stop <= count:
        raise IndexError(f"images {start} to {stop} of a set of {count}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Some images of a set, in a given order. chosen: int64 (n,), their indices in the set."""

    images: ImageSet
    chosen: NDArray[np.int64]
    classes: int | None

    def __len__(self) -> int:
        """How many images are selected."""
        return len(self.chosen)

    def block(self, start: int, stop: int) -> Block:
        """The selected images start, ..., stop - 1; read in the set's own order, which its cache likes."""
        check_range(start, stop, len(self))
        wanted = self.chosen[start:stop]
        if not len(wanted):
            return self.images.block(0, 0)
        order = np.argsort(wanted, kind="stable")
        parts = [self.images.block(i, i + 1) for i in wanted[order].tolist()]
        back = np.argsort(order, kind="stable")
        images = np.concatenate([part.images for part in parts])[back]
        return Block(images, np.concatenate([part.labels for part in parts])[back])


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The first images of a set."""

    images: ImageSet
    count: int
    classes: int | None

    def __len__(self) -> int:
        """How many images the prefix has."""
        return self.count

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1 of the set."""
        check_range(start, stop, self.count)
        return self.images.block(start, stop)


def first(images: ImageSet, count: int | None) -> ImageSet:
    """The first `count` images; all of them for None. Raises DataError if there are fewer."""
    if count is None:
        return images
    if count > len(images):
        there = len(images)
        raise DataError(f"`count: {count}`, but there are only {there} images: set `count` to {there} or less")
    return Prefix(images=images, count=count, classes=images.classes)


def draw(images: ImageSet, labels: Labels | None, count: int, seed: int, skip: int = 0) -> ImageSet:
    """Draw `count` images without repeats, after `skip` others: image i has class (i + skip) mod C.

    labels: int64 (len(images),), all in [0, C), where C is ``images.classes`` or else the greatest
    label + 1. Without labels (None) the whole set is shuffled as one class, and image i is any.
    Every prefix is balanced, and a smaller count gives a prefix of a larger one. Of one seed, the set
    that skips n images shares none with the first n.
    Raises DataError if the set, or a class of it, has too few images.
    """
    if labels is None:
        pools = [np.arange(len(images))]
    else:
        classes = images.classes or int(labels.max(initial=0)) + 1
        pools = [np.flatnonzero(labels == c) for c in range(classes)]
    _check_enough(pools, count, skip)
    chosen = np.empty(skip + count, np.int64)
    for c, pool in enumerate(pools):
        places = chosen[c :: len(pools)]
        places[:] = _shuffled(pool, seed, c)[: len(places)]
    return Selection(images=images, chosen=chosen[skip:], classes=images.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Images written by `write`; image 0 is the shard's first."""

    rows: Rows
    classes: int | None

    def __len__(self) -> int:
        """How many images the shard holds."""
        return len(self.rows)

    def block(self, start: int, stop: int) -> Block:
        """The shard's images start, ..., stop - 1. Raises DataError where the file is damaged."""
        check_range(start, stop, len(self))
        table = self.rows.read(start, stop)
        flat = table.column("image").combine_chunks().storage.flatten().to_numpy()
        shape = tuple(self.rows.schema.field("image").type.shape)
        return Block(flat.reshape(stop - start, *shape), table.column("label").to_numpy())


def write(path: Path, images: ImageSet, start: int, stop: int) -> None:
    """Write the images start, ..., stop - 1 as a Parquet file, at most `BLOCK` of them in memory.

    Columns: ``index`` int64, ``image`` Arrow fixed-shape tensor uint8 (H, W, 3), ``label`` int64 (-1 for
    none); ``classes`` in the schema's metadata where the number is known.
    """
    if start >= stop:
        raise ValueError(f"a shard of no images: {start} to {stop}")
    schema = _schema(images.block(start, start + 1).images.shape[1:], images.classes)
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        while start < stop:
            end = min(stop, (start // BLOCK + 1) * BLOCK)
            pixels, labels = images.block(start, end)
            tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(pixels))
            columns = [pa.array(np.arange(start, end)), tensor, pa.array(labels)]
            file.write_batch(pa.record_batch(columns, schema=schema))
            start = end


def read(path: Path) -> ImageSet:
    """A shard's images, one row group at a time. Raises DataError if the file is no shard, or damaged."""
    rows = open_rows(path, ("image", "label"))
    columns = {field.name: field.type for field in rows.schema}
    if "label" not in columns or not isinstance(columns.get("image"), pa.FixedShapeTensorType):
        told = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        raise DataError(f"{path}: no shard, which has a tensor `image` and a `label`, only {told}: make it again")
    classes = (rows.schema.metadata or {}).get(b"classes")
    return Shard(rows=rows, classes=int(classes) if classes else None)


def prepare(images: Pixels, preprocessing: Preprocessing) -> NDArray[Any]:
    """``(x * scale - mean) / std`` in float32 or, rounded from it, float16; or the raw pixels for input `u8`.

    images: uint8 (n, H, W, 3). Returns float32, float16 or uint8 (n, 3, H, W), or (n, H, W, 3) for layout
    `NHWC`: contiguous, writable, a copy. Raises DataError if the images' size is not the preprocessing's:
    farm does not resize behind one's back.
    """
    size = images.shape[1:3]
    if size != tuple(preprocessing.size):
        raise DataError(
            f"the images are {size[0]}x{size[1]} (height x width), the model takes "
            f"{preprocessing.size[0]}x{preprocessing.size[1]}: "
            "set `size` of the images or the model, or its `resize`"
        )
    laid = images.transpose(LAYOUTS[preprocessing.layout])
    if preprocessing.input == "u8":
        return np.array(laid, order="C")
    values = np.array(laid, np.float32, order="C")
    channels = (3, 1, 1) if preprocessing.layout == "NCHW" else (3,)
    values *= np.float32(preprocessing.scale)
    values -= np.asarray(preprocessing.mean, np.float32).reshape(channels)
    values /= np.asarray(preprocessing.std, np.float32).reshape(channels)
    return values.astype(FLOATS[preprocessing.input], copy=False)


def _schema(shape: tuple[int, ...], classes: int | None) -> pa.Schema:
    tensor = pa.fixed_shape_tensor(pa.uint8(), shape)
    fields = [("index", pa.int64()), ("image", tensor), ("label", pa.int64())]
    return pa.schema(fields, metadata=None if classes is None else {"classes": str(classes)})


def _shuffled(pool: NDArray[np.int64], seed: int, c: int) -> NDArray[np.int64]:
    """One class's indices in an order that depends on the seed and the class alone."""
    key = np.array([seed, c], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(pool)


def _check_enough(pools: list[NDArray[np.int64]], count: int, skip: int) -> None:
    """Class c's k-th image takes the place c + k * C, so the class that ends soonest sets the limit."""
    limits = [c + len(pool) * len(pools) for c, pool in enumerate(pools)]
    if skip + count <= min(limits):
        return
    scarce = limits.index(min(limits))
    has = f"class {scarce} has only {len(pools[scarce])} of them" if len(pools) > 1 else "no more"
    asked, together = (f"`count: {count}` after `skip: {skip}`", "`skip` + ") if skip else (f"`count: {count}`", "")
    raise DataError(
        f"{asked}, but there are {sum(map(len, pools))} images, and {has}: "
        f"set {together}`count` to {min(limits)} or less, or add images"
    )
