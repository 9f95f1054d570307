"""Columns from the fields of dataclasses."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import pyarrow as pa
import pytest

from farm.columns import Column, Described, described, schema_of
from farm.results.events import Event
from farm.results.tables import ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A column of each kind."""

    name: Annotated[str, Column("who it is")]
    height: Annotated[float | None, Column("how tall", "m")] = None
    word: Annotated[Literal["a", "b"] | None, Column("")] = None
    words: Annotated[tuple[Literal["a", "b"], ...], Column("")] = ()
    counts: Annotated[tuple[int, ...], Column("", arrow="list<item: int32>")] = ()
    small: Annotated[int, Column("", arrow="int32")] = 0
    often: Annotated[str, Column("", arrow="dictionary")] = ""
    right: Annotated[bool, Column("")] = False
    at: Annotated[datetime | None, Column("")] = None
    silent: int = 0


def test_a_fields_annotation_is_its_columns_type_unit_and_meaning():
    assert described(Row)[:2] == (
        Described("name", "string", "", "who it is"), Described("height", "double", "m", "how tall")
    )  # fmt: skip
    assert described(Row)[-1] == Described("silent", "int64", "", "")


def test_every_kind_of_field_has_its_arrow_type():
    assert schema_of(Row, metadata={"a": "b"}) == pa.schema([
        ("name", pa.string()), ("height", pa.float64()), ("word", pa.string()), ("words", pa.list_(pa.string())),
        ("counts", pa.list_(pa.int32())), ("small", pa.int32()), ("often", pa.dictionary(pa.int32(), pa.string())),
        ("right", pa.bool_()), ("at", pa.timestamp("ms", "UTC")), ("silent", pa.int64()),
    ])  # fmt: skip
    assert schema_of(Row, metadata={"a": "b"}).metadata == {b"a": b"b"}


@pytest.mark.parametrize("rows", [*ROWS.values(), (Event,)], ids=[*ROWS, "events"])
def test_every_column_of_every_table_says_what_it_means(rows):
    columns = described(*rows)
    assert [column.name for column in columns if not column.meaning] == []
    assert len({column.name for column in columns}) == len(columns)
