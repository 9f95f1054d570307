"""Tables as they must be, and what is said of others."""

from dataclasses import dataclass
from typing import Annotated, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from farm.columns import Column
from farm.results.parquet import conformed, parsed


@dataclass(frozen=True, kw_only=True)
class Row:
    name: Annotated[str, Column("who")]
    size: Annotated[int, Column("how large", arrow="int32")]
    share: Annotated[float | None, Column("of what", "ratio")] = None
    colour: Annotated[Literal["red", "blue"] | None, Column("of paint")] = None
    marks: Annotated[tuple[Literal["a", "b"], ...], Column("on it", arrow="list<item: string>")] = ()
    tries: Annotated[int, Column("so far")] = 0
    versions: Annotated[str | None, Column("of all", "JSON: {library: version}")] = None


def table(**columns):
    return pa.table({"name": ["x", "y"], "size": [1, 2], **columns})


def content(of, **how):
    sink = pa.BufferOutputStream()
    pq.write_table(of, sink, **how)
    return sink.getvalue().to_pybytes()


def test_columns_are_read_by_their_types_and_others_left_out():
    read = conformed(table(paint=["thick", "thin"], share=[1, None], tries=[None, 3]), [Row])
    assert read.schema.types == [pa.string(), pa.int32(), pa.float64(), pa.int64()]
    assert read.to_pylist() == [
        {"name": "x", "size": 1, "share": 1.0, "tries": 0},
        {"name": "y", "size": 2, "share": None, "tries": 3},
    ]


def test_metadata_stays():
    assert conformed(table().replace_schema_metadata({"a": "b"}), [Row]).schema.metadata == {b"a": b"b"}


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"size": [1, None]}, "column size: a value is missing"),
        ({"size": ["large", "small"]}, "as a scalar of type int32"),
        ({"size": [1, 2**40]}, "not in range"),
        ({"share": [float("nan"), 1.0]}, "column share: a value is not a number"),
        ({"share": [0.0, 1.0]}, "column share: a ratio is not above 0"),
        ({"colour": ["red", "green"]}, "column colour: 'green' is not one of red, blue"),
        ({"marks": [["a"], ["c"]]}, "column marks: 'c' is not one of a, b"),
        ({"marks": [["a"], [None]]}, "column marks: a value in a list is missing"),
        ({"marks": [["a"], None]}, "column marks: a value is missing"),
        ({"versions": ["{}", "[]"]}, r"column versions: \[\] is not a mapping"),
        ({"versions": ["{}", "{"]}, "column versions: Expecting property name"),
        ({"versions": ["{}", "[" * 100_000]}, "column versions: maximum recursion"),
    ],
)
def test_what_may_not_stand_there_is_named(columns, says):
    with pytest.raises(ValueError, match=says):
        conformed(table(**columns), [Row])


def test_a_column_that_lacks_is_named():
    with pytest.raises(ValueError, match="it has no column size"):
        conformed(table().drop_columns(["size"]), [Row])
    assert conformed(table().drop_columns(["size"]), [Row], ["name"]).column_names == ["name"]


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"text,text\n1,2\n" * 100])
def test_content_that_is_no_table_is_a_value_error(damage):
    with pytest.raises(ValueError, match=r"."):
        parsed(damage)


def test_a_text_that_is_none_is_a_value_error():
    column = pa.array([b"\xff"]).view(pa.string())
    with pytest.raises(ValueError, match="UTF8"):
        parsed(content(pa.table({"name": column})))


def test_a_byte_that_has_changed_is_seen():
    written = bytearray(
        content(pa.table({"share": [0.5] * 1000}), write_page_checksum=True, use_dictionary=False, compression="none")
    )
    written[len(written) // 2] ^= 1
    with pytest.raises(ValueError, match="CRC"):
        parsed(bytes(written))
