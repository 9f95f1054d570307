"""Which rows of a table, in which order: ``--where`` and ``--sort``. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from farm.errors import InputError
from farm.grid.cell import AXES, NO_CALIBRATION
from farm.grid.faults import did_you_mean
from farm.report.columns import COLUMNS, Row

NOTHING = NO_CALIBRATION  # a null, as tables show it
Wanted = dict[str, list[str]]


def wanted(conditions: Sequence[str]) -> Wanted:
    """``model=resnet20`` as a column and the values it may have. Raises InputError for what is no such condition."""
    found: Wanted = {}
    for text in conditions:
        column, equals, value = text.partition("=")
        if not equals or not value:
            raise InputError(f"--where {text}: write AXIS=VALUE, such as model=resnet20 or outcome=failed")
        _check(f"--where {text}", column)
        found.setdefault(column, []).append(value)
    return found


def chosen(rows: Sequence[Row], conditions: Wanted) -> list[Row]:
    """The rows that have, in each column named, one of its values. Raises InputError if a value or all mean none."""
    valued = [row.values() for row in rows]
    for column, texts in conditions.items():
        there = [values[column] for values in valued]
        for text in texts:
            if not any(_is(column, value, text) for value in there):
                known = sorted({shown(value) for value in there})
                raise InputError(f"--where {column}={text} means no cell{did_you_mean(text, known)}")
    found = meant(rows, conditions)
    if conditions and not found:
        raise InputError("--where: no cell is meant by all of them together")
    return found


def meant(rows: Sequence[Row], conditions: Wanted) -> list[Row]:
    """The rows that have, in each column named, one of its values; maybe none."""
    return [row for row in rows if _meant(row.values(), conditions)]


def sortable(column: str | None) -> str | None:
    """The column, with its sign. Raises InputError if there is none such."""
    if column is not None:
        _check(f"--sort {column}", column.removeprefix("-"))
    return column


def ordered(rows: Sequence[Row], column: str | None) -> list[Row]:
    """By a column, from the least; ``-COLUMN``: from the greatest. Nulls stand last, equals in the grid's order."""
    if column is None:
        return list(rows)
    name = column.removeprefix("-")
    valued = [(row.values()[name], row) for row in rows]
    there = [pair for pair in valued if pair[0] is not None]
    there.sort(key=lambda pair: pair[0], reverse=column.startswith("-"))
    return [row for _, row in there] + [row for value, row in valued if value is None]


def shown(value: object) -> str:
    """A value as a condition names it: ``-`` for null, ``true`` and ``false``."""
    if value is None:
        return NOTHING
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(option: str, column: str) -> None:
    if column not in COLUMNS:
        raise InputError(f"{option}: no such column{did_you_mean(column, COLUMNS)}")


def _meant(values: Mapping[str, Any], conditions: Wanted) -> bool:
    return all(any(_is(column, values[column], text) for text in texts) for column, texts in conditions.items())


def _is(column: str, value: object, text: str) -> bool:
    """Whether it is so named. A label's name means it with any parameters; a number is itself in any notation."""
    if shown(value) == text:
        return True
    if column in AXES and isinstance(value, str):
        return value.partition("{")[0] == text
    return isinstance(value, int | float) and not isinstance(value, bool) and value == _number(text)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
