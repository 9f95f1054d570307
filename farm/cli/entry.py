"""Entries of a grid's `calibrations`, as one types them. Knows which source reads what was written."""

import math
from pathlib import Path
from typing import Any

import yaml

from farm.data.formats import FORMATS
from farm.data.setfolder import shard_name


def entry(name: str, **parameters: Any) -> str:
    """``{name: shards, path: fractals, count: 5000}``, in YAML's quotes where it needs them."""
    text = yaml.safe_dump(
        {"name": name, **parameters}, default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf
    )
    return str(text).strip()


def entry_of(layout: str, out: Path, count: int, shard: int) -> str:
    """The entry that calibrates with a set as it was written; empty if no source reads it.

    layout: a name of `FORMATS`. out: the set's folder, or its one Parquet file. count, shard: images of the set, and
    of each of its files. Raises DataError where what else lies there is in the way.
    """
    source, path = FORMATS[layout].source, out
    if source == "parquet" and out.suffix != ".parquet":
        if count > shard:
            return ""
        path = out / shard_name(0)
    _check(source, path)
    return entry(source, path=str(path), count=count)


def _check(source: str, path: Path) -> None:
    """Raise DataError where the source cannot read what lies there."""
    from farm.data import folder, parquet  # noqa: PLC0415 - Pillow is for those who make pictures

    if source == "folder":
        folder.open_folder(path)
    elif source == "parquet":
        parquet.open_parquet(path, labelled=False)
