"""Formats in which a range of images can be written. Owns what each looks like; knows no set and no manifest."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from farm.data.imageset import BLOCK, UNLABELLED, ImageSet, Labels, Pixels, Wrote, parquet_file, parts, write
from farm.errors import DataError

Writer = Callable[[Path, ImageSet, int, int, int, Wrote], None]

ENCODED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
DIGITS = 8  # of an image's number in its name, and most of a class's
FAST = 1  # zlib's level


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """write: puts a range into a path, of one file if `single`, else a folder. source: the name of what reads it."""

    write: Writer
    single: bool
    source: str
    doc: str


def write_hf(path: Path, images: ImageSet, start: int, stop: int, together: int, wrote: Wrote) -> None:
    """A Parquet file of ``img`` {bytes, path}, and ``label`` where there are classes."""
    labelled = _labelled(images, start)
    columns: dict[str, pa.DataType] = {"img": ENCODED}
    features: dict[str, dict[str, object]] = {"img": {"_type": "Image"}}
    if labelled:
        names = [str(label) for label in range(images.classes or 0)]  # their number is that of the classes
        columns["label"] = pa.int64()
        features["label"] = {"names": names, "_type": "ClassLabel"} if names else {"dtype": "int64", "_type": "Value"}
    schema = pa.schema(columns, metadata={"huggingface": json.dumps({"info": {"features": features}})})
    with parquet_file(path, schema, "snappy") as file:
        for at, part in parts(images, start, stop, together, BLOCK, wrote):
            _check_alike(part.labels, at, labelled=labelled)
            rows = [{"bytes": png, "path": name_of(index)} for index, png in enumerate(_encoded(part.images), at)]
            arrays = [pa.array(rows, ENCODED), *([pa.array(part.labels)] if labelled else [])]
            file.write_batch(pa.record_batch(arrays, schema=schema))


def write_png(path: Path, images: ImageSet, start: int, stop: int, together: int, wrote: Wrote) -> None:
    """A file an image, named after its index, in its class's subfolder where there are classes."""
    digits = DIGITS if images.classes is None else len(str(images.classes - 1))
    labelled = _labelled(images, start)
    for at, part in parts(images, start, stop, together, together, wrote):
        _check_alike(part.labels, at, labelled=labelled)
        for index, (label, png) in enumerate(zip(part.labels.tolist(), _encoded(part.images), strict=True), at):
            folder = path / f"{label:0{digits}}" if labelled else path
            folder.mkdir(exist_ok=True)
            (folder / name_of(index)).write_bytes(png)


def name_of(index: int) -> str:
    """An image's file name."""
    return f"{index:0{DIGITS}}.png"


def _encoded(pixels: Pixels) -> Iterator[bytes]:
    from PIL import Image  # noqa: PLC0415 - for those who ask for pictures

    for image in pixels:
        target = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image)).save(target, "PNG", compress_level=FAST)
        yield target.getvalue()


def _labelled(images: ImageSet, start: int) -> bool:
    return bool(images.block(start, start + 1).labels[0] != UNLABELLED)


def _check_alike(labels: Labels, start: int, *, labelled: bool) -> None:
    other = np.flatnonzero((labels != UNLABELLED) != labelled)
    if len(other):
        ours, theirs = ("no class", "one") if labelled else ("a class", "none")
        has = f"image {start + int(other[0])} has {ours}, others have {theirs}"
        raise DataError(f"{has}: only the format `shards` holds both")


FORMATS = {
    "shards": Format(write=write, single=True, source="shards", doc="farm's Parquet shards, to calibrate with"),
    "png": Format(write=write_png, single=False, source="folder", doc="an ImageFolder: one subfolder a class, or none"),
    "hf": Format(
        write=write_hf,
        single=True,
        source="parquet",
        doc="Parquet in the Hugging Face layout: img {bytes, path}, label",
    ),
}
