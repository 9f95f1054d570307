"""Tables' columns from the fields of dataclasses: name, type, unit and meaning said once. Knows no table of farm's."""

from dataclasses import is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

ARROW = {str: "string", int: "int64", float: "double", bool: "bool", datetime: "timestamp[ms, tz=UTC]"}


class Column(NamedTuple):
    """What a field says as a column, in words. arrow: its Arrow type, where the field's own does not tell it."""

    meaning: str
    unit: str = ""
    arrow: str = ""


class Described(NamedTuple):
    """A column of a table. arrow: its type, as Arrow writes it."""

    name: str
    arrow: str
    unit: str
    meaning: str


@cache
def described(*rows: type) -> tuple[Described, ...]:
    """The columns of a table whose rows these dataclasses are, side by side; ``Annotated`` with a `Column` each.

    A field that is a dataclass itself is no column: its own fields are, where it is named too.
    """
    columns = []
    for name, hint in (member for row in rows for member in get_type_hints(row, include_extras=True).items()):
        if is_dataclass(hint):
            continue
        column = hint.__metadata__[0] if get_origin(hint) is Annotated else Column("")
        columns.append(Described(name, column.arrow or _arrow(hint), column.unit, column.meaning))
    return tuple(columns)


def _arrow(hint: Any) -> str:
    """The Arrow type of a Python type."""
    if hint in ARROW:
        return ARROW[hint]
    inner = [part for part in get_args(hint) if part not in (NoneType, ...)]
    if get_origin(hint) is Literal:
        return ARROW[str]
    return f"list<item: {_arrow(inner[0])}>" if get_origin(hint) is tuple else _arrow(inner[0])


def schema_of(*rows: type, metadata: dict[str, str] | None = None) -> Any:
    """The columns as a ``pyarrow.Schema``."""
    return _schema_of(*rows).with_metadata(metadata)


@cache
def _schema_of(*rows: type) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - rounds import what records say, and must stay small

    return pa.schema([(column.name, _parsed(column.arrow)) for column in described(*rows)])


def _parsed(text: str) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    if text.startswith("list<item: "):
        return pa.list_(_parsed(text[len("list<item: ") : -1]))
    if text == ARROW[datetime]:
        return pa.timestamp("ms", "UTC")
    return pa.dictionary(pa.int32(), pa.string()) if text == "dictionary" else pa.type_for_alias(text)
