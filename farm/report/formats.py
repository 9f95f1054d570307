"""A table as other programs read it: CSV, Markdown, Arrow. Pure."""

import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from farm.analysis.rows import ASSESSED, Assessment
from farm.codec import iso
from farm.columns import schema_of
from farm.grid.settings import Claims
from farm.results import tables
from farm.shown import harmless, visible

MARKDOWN = re.compile(r"[\\`*_{}\[\]<>|~#&]")


def as_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Comma-separated, a header first; empty for null. Texts that a spreadsheet would run have an apostrophe before."""
    sink, texts = io.StringIO(), [[_plain(value) for value in row] for row in rows]
    semicolons = any(";" in text for row in texts for text in row)  # which some spreadsheets take for commas
    writer = csv.writer(sink, lineterminator="\n", quoting=csv.QUOTE_ALL if semicolons else csv.QUOTE_MINIMAL)
    writer.writerow(header)
    writer.writerows(texts)
    return sink.getvalue()


def as_markdown(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = ()) -> str:
    """GitHub's table, which shows every text as it is, in one line. numbers: columns on the right, counted from 0."""
    rule = ["---:" if index in numbers else "---" for index in range(len(header))]
    lines = [list(map(escaped, header)), rule, *(list(map(escaped, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def as_bullets(lines: Iterable[str]) -> str:
    """Markdown's list, a point a line, which shows every text as it is; lines that hang below one are a list in it."""
    parts = (line.split("\n    ") for line in lines)
    return "".join(f"{'  ' * (index > 0)}- {escaped(text)}\n" for part in parts for index, text in enumerate(part))


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return MARKDOWN.sub(r"\\\g<0>", visible(" ".join(text.split())))


def as_arrow(rows: Sequence[Mapping[str, Any]], claims: Claims | None) -> pa.Table:
    """The columns of ``records.parquet`` and those of `Assessment`, which a reader of records leaves out.

    claims: what all rows are held against, where that is one and the same.
    """
    names = {field.name: field for field in schema_of(Assessment) if field.name in ASSESSED}
    recorded = tables.SCHEMAS[tables.RECORDS]
    schema = pa.schema([*recorded, *names.values()], metadata=recorded.metadata)
    if claims is not None:
        schema = schema.with_metadata({**schema.metadata, tables.CLAIMS: claims.model_dump_json()})
    return pa.Table.from_pylist(list(rows), schema=schema)


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, str):
        return harmless(value)
    return json.dumps(value) if isinstance(value, bool) else str(value)
