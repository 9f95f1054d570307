"""Images in Parquet files of the Hugging Face layout: ``img`` or ``image`` {bytes, path}, and maybe ``label``."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from farm.data import real
from farm.data.classes import in_order, order
from farm.data.imageset import UNLABELLED, Arguments, Files, ImageSet, Labels, stray_label
from farm.data.picture import PictureError, decode
from farm.data.rows import Rows, chained, open_rows
from farm.data.sampling import some
from farm.data.splits import files_of
from farm.errors import DataError

IMAGE_COLUMNS = ("img", "image")


def dataset(parameters: Arguments, files: Files) -> ImageSet:
    """`count` rows of ``files["images"]``, class by class, or all. Raises DataError as `open_parquet`."""
    pictures = open_parquet(files["images"], labelled=True, split=parameters.get("split"))
    return real.dataset(in_order(pictures, order(parameters, files)), parameters)


def source(parameters: Arguments, files: Files) -> ImageSet:
    """`count` rows of ``files["images"]``, class by class where there are labels. Raises DataError if too few."""
    pictures = open_parquet(files["images"], labelled=False, split=parameters.get("split"))
    return real.source(in_order(pictures, order(parameters, files)), parameters)


def open_parquet(path: Path, *, labelled: bool, classes: int | None = None, split: str | None = None) -> real.Pictures:
    """Open a file, or the files of a folder's `split`, and check everything but the images.

    labelled: a label column must be there. classes: their number, if known beforehand; else that of the ``ClassLabel``
    names in the schema's ``huggingface`` metadata. Raises DataError if a file is no Parquet, lacks a column or is of
    another schema, if there are no rows or labels out of range, and as `splits.files_of`.
    """
    paths = files_of(path, split)
    whole = _opened(paths)
    image, has_labels = _image_column(path, whole.schema), "label" in whole.schema.names
    if labelled and not has_labels:
        raise DataError(f"{path}: no column `label`, only {whole.schema.names}: a dataset needs a class for each image")
    if not len(whole):
        raise DataError(f"{path}: no rows: give a file that holds images")
    rows = _opened(paths, (image,))
    names = _class_names(whole.schema)
    classes = classes if classes is not None else len(names) or None
    labels = _labels(rows, classes) if has_labels else None
    return real.Pictures(count=len(rows), read=partial(_read, rows), labels=labels, classes=classes, names=names)


def _opened(paths: Sequence[Path], columns: tuple[str, ...] = ()) -> Rows:
    """The rows of files, one after another. Raises DataError where one has not the first one's columns."""
    parts = [open_rows(path, columns) for path in paths]
    for part in parts:
        if not part.schema.equals(parts[0].schema) or _class_names(part.schema) != _class_names(parts[0].schema):
            has, first = (_columns(rows.schema) for rows in (part, parts[0]))
            raise DataError(f"{part.path}: has {has}, but {parts[0].path} has {first}: save both alike")
    return chained(parts)


def _columns(schema: pa.Schema) -> str:
    names = _class_names(schema)
    classes = f", of the classes {some(names, len(names))}" if names else ""
    return f"{', '.join(f'{one.name} {one.type}' for one in schema)}{classes}"


def _read(rows: Rows, start: int, stop: int) -> Iterator[real.Picture]:
    for row, value in enumerate(rows.read(start, stop).column(0), start):
        where = rows.where(row)
        encoded = (value.as_py() or {}).get("bytes")
        if encoded is None:
            raise PictureError(where, "no image bytes: embed the images in the file, a path is not followed")
        image, kind = decode(encoded, where)
        yield real.Picture(image, where, kind=kind)


def _image_column(path: Path, schema: pa.Schema) -> str:
    for name in IMAGE_COLUMNS:
        if name in schema.names:
            kind = schema.field(name).type
            if _holds_bytes(kind):
                return name
            text = f"{path}: column `{name}` is {kind}, not a struct with binary `bytes`: save it with `datasets`"
            raise DataError(text)
    raise DataError(f"{path}: no column `img` or `image`, only {schema.names}: rename the column of images")


def _holds_bytes(kind: pa.DataType) -> bool:
    at = kind.get_field_index("bytes") if pa.types.is_struct(kind) else -1
    return at >= 0 and (pa.types.is_binary(kind.field(at).type) or pa.types.is_large_binary(kind.field(at).type))


def _labels(rows: Rows, classes: int | None) -> Labels:
    column = rows.column("label")
    if not pa.types.is_integer(column.type):
        raise DataError(
            f"{rows.path}: column `label` is {column.type}, not an integer: give each class a number from 0 up"
        )
    labels: Labels = column.cast(pa.int64(), safe=False).fill_null(UNLABELLED).to_numpy().copy()
    if stray := stray_label(labels, classes):
        row, expected = stray
        change = "correct the row, or drop the column `label` to use the images without classes"
        raise DataError(f"{rows.where(row)}: label {column[row].as_py()}, expected {expected}: {change}")
    return labels


def _class_names(schema: pa.Schema) -> tuple[str, ...]:
    """The names that the Hugging Face metadata gives the classes; none if it gives none."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features["label"]["names"]
    except (KeyError, TypeError, ValueError):
        return ()  # metadata is optional, and of many versions
    return tuple(map(str, names)) if isinstance(names, list) else ()
