"""A table as other programs read it: CSV, Markdown, Arrow. Pure."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from farm.grid.cell import Claims
from farm.record import SCHEMA_VERSION
from farm.report.columns import JUDGED
from farm.report.judged import Judged
from farm.results import tables

MARKDOWN = re.compile(r"[\\`*_{}\[\]<>|~#&]")


def as_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Comma-separated, a header first; empty for null."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_plain(value) for value in row] for row in rows)
    return sink.getvalue()


def as_markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """GitHub's table, which shows every text as it is, in one line; empty for null."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(escaped(_plain(value)) for value in line)} |\n" for line in lines)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return MARKDOWN.sub(r"\\\g<0>", " ".join(text.split()))


def as_arrow(rows: Sequence[Mapping[str, Any]], claims: Claims | None) -> pa.Table:
    """The columns of ``records.parquet`` and the judged ones, which a reader of records leaves out.

    claims: what all rows are held against, where that is one and the same.
    """
    names = {each.name: each for each in tables.schema_of(Judged) if each.name in JUDGED}
    schema = pa.schema([*tables.RECORD_SCHEMA, *names.values()], metadata={"farm_schema": str(SCHEMA_VERSION)})
    if claims is not None:
        schema = schema.with_metadata({**schema.metadata, tables.CLAIMS: claims.model_dump_json()})
    return pa.Table.from_pylist(list(rows), schema=schema)


def _plain(value: object) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)
