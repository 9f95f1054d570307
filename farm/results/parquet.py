"""Parquet as farm reads it: whole, and of the columns, types and values that it must have. Knows no file's place."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from farm.codec import decode
from farm.columns import described, schema_of
from farm.measuring.verdict import Mismatch

Properties = Mapping[str, Any]
TIMES = tuple(int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) for year in (1, 9999))  # milliseconds
IN_JSON: Mapping[str, Any] = {  # columns of JSON, and what they hold
    "versions": Mapping[str, str],
    "figures": Mapping[str, float],
    "mismatches": tuple[Mismatch, ...],
    "asked": Properties,
    "properties": Properties,
}


def parsed(content: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The table of a Parquet file's content, or some of its columns. Raises ValueError if it is damaged."""
    try:  # not pq.read_table, which imports data sets and compute functions first
        table = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True).read(columns)
        table.validate(full=True)  # texts that are none
    except (pa.ArrowException, OSError) as error:  # of memory: no disk has failed
        raise ValueError(str(error)) from error
    return table


def conformed(table: pa.Table, rows: Sequence[type], columns: Collection[str] | None = None) -> pa.Table:
    """The columns that these dataclasses say, as they say them; others are left out.

    columns: that must be there; None for all that have no default. Raises ValueError or one of Arrow's where a column
    lacks, or a value in it is of another type, none, or none of those that there are.
    """
    schema = pa.schema([field for field in schema_of(*rows) if field.name in table.column_names])
    defaults, hints, ratios = _said(tuple(rows))
    needed = columns or [name for name in schema_of(*rows).names if defaults[name] is MISSING]
    lacking = sorted(set(needed) - set(schema.names))
    if lacking:
        raise ValueError(f"it has no column {lacking[0]}")
    table = table.select(schema.names).cast(schema.with_metadata(table.schema.metadata))
    for place, name in enumerate(schema.names):
        column = table[name]
        if column.null_count and isinstance(defaults[name], str | int | float):  # of a farm that did not tell it yet
            column = column.fill_null(defaults[name])
            table = table.set_column(place, schema.field(place), column)
        try:
            _check(column, hints[name], ratio=name in ratios)
            if name in IN_JSON and pa.types.is_string(column.type):
                _check_json(column, IN_JSON[name])
        except (ValueError, RecursionError) as error:
            raise ValueError(f"column {name}: {error}") from error
    return table


@cache
def _said(rows: tuple[type, ...]) -> tuple[Mapping[str, Any], Mapping[str, Any], Collection[str]]:
    """What dataclasses say of their fields by name: defaults, types, and which are ratios."""
    defaults = {field.name: field.default for row in rows for field in fields(row)}
    hints = {name: hint for row in rows for name, hint in get_type_hints(row).items()}
    return defaults, hints, {column.name for column in described(*rows) if column.unit == "ratio"}


def _check(column: pa.ChunkedArray, hint: Any, *, ratio: bool) -> None:
    """Raises ValueError for a value that a column may not have. hint: of its field. ratio: whether it holds ratios."""
    optional = NoneType in get_args(hint)
    kind = next(part for part in get_args(hint) if part is not NoneType) if optional else hint
    if column.null_count and not optional:
        raise ValueError("a value is missing")
    if pa.types.is_list(column.type):
        kind, column = get_args(kind)[0], pc.list_flatten(column)
        if column.null_count:
            raise ValueError("a value in a list is missing")
    if pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
        raise ValueError("a value is not a number")
    if pa.types.is_timestamp(column.type):
        ends = pc.min_max(column.cast(pa.int64())).as_py().values()
        if any(end is not None and not TIMES[0] <= end <= TIMES[1] for end in ends):
            raise ValueError("a time is in no year from 1 to 9998")
    if ratio and pc.any(pc.less_equal(column, 0.0)).as_py():
        raise ValueError("a ratio is not above 0")
    if get_origin(kind) is Literal:
        for value in pc.unique(column.drop_null()).to_pylist():
            decode(kind, value)


def _check_json(column: pa.ChunkedArray, kind: Any) -> None:
    """Raises ValueError for a text that does not hold a value of this type."""
    for value in pc.unique(column.drop_null()).to_pylist():
        decode(kind, json.loads(value))
