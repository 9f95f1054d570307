"""Which rows of a table, in which order: ``--where`` and ``--sort``. Pure.

A heading means what the table shows under it, so that all that is read there can be typed again; a column means its
values, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from farm.analysis.judgement import Judged
from farm.analysis.rows import COLUMNS, Row
from farm.analysis.standing import Standing
from farm.errors import InputError
from farm.grid.cell import AXES
from farm.grid.selection import means, names
from farm.record import FAILURE_CLASSES, Record
from farm.report.headings import HEADINGS, MISSED, heading
from farm.report.numbers import GIVE_OR_TAKE, NOTHING
from farm.report.table import VERDICTS
from farm.report.words import algorithm_of
from farm.suggest import did_you_mean

NAMES = tuple(dict.fromkeys((*COLUMNS, *HEADINGS)))
WORDS: dict[str, tuple[str, ...]] = {  # columns of which all values are known before any is read
    "outcome": ("ok", "failed", "pending", *FAILURE_CLASSES, MISSED),
    "error_class": (*FAILURE_CLASSES, NOTHING),
    "runtime": ("openvino", "pytorch"),
    "verdict": (*VERDICTS, NOTHING),
    "standing": (*get_args(Standing), NOTHING),
}
TYPES = {**get_type_hints(Record), **get_type_hints(Judged)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """``FPS=159.4``: a heading or a column as it was typed, and what it shall be."""

    named: str
    text: str

    @property
    def column(self) -> str:
        """That the heading shows, or that is named itself."""
        return _column(self.named)

    def __str__(self) -> str:
        return f"{self.named}={self.text}"


Wanted = tuple[Condition, ...]  # those on one column widen each other, those on several narrow


def wanted(conditions: Sequence[str]) -> Wanted:
    """``model=resnet20`` in its parts. Raises InputError for what can be no such condition."""
    found = []
    for text in conditions:
        named, equals, value = text.partition("=")
        if not equals or not value:
            raise InputError(f"--where {text}: write AXIS=VALUE, such as model=resnet20 or outcome=failed")
        _check_name(f"--where {text}", named)
        condition = Condition(named=named, text=value)
        _check(condition)
        found.append(condition)
    return tuple(found)


def check(rows: Sequence[Row], conditions: Wanted, sort: str | None = None) -> None:
    """Raise InputError for a metric that no row has, and for an axis' name or another text that none has.

    A word or a number may well mean none.
    """
    for condition in conditions:
        _check_metric(f"--where {condition}", condition.named, rows)
        if not _is_open(condition.column):
            continue
        null = condition.text == NOTHING and type(None) in _types(condition.column)
        if not null and not any(_is(condition, row) for row in rows):
            labels = {shown(_value(row, condition.named)) for row in rows}
            known = names(labels) if condition.column in AXES else sorted(labels)
            raise InputError(f"--where {condition} means no cell{did_you_mean(condition.text, known)}")
    if sort is not None:
        _check_metric(f"--sort {sort}", sort.removeprefix("-"), rows)


def meant(rows: Sequence[Row], conditions: Wanted) -> list[Row]:
    """The rows that have, in each column named, one of its values; maybe none."""
    columns = _by_column(conditions)
    return [row for row in rows if all(any(_is(each, row) for each in some) for some in columns)]


def none_meant(conditions: Wanted) -> str:
    """The sentence where no row is meant."""
    said = [" or ".join(map(str, some)) for some in _by_column(conditions)]
    return f"no cell has {' and '.join(said)}" if said else "no cell"


def sortable(column: str | None) -> str | None:
    """The column or heading that is named, with its sign. Raises InputError if there is none such."""
    if column is not None:
        _check_name(f"--sort {column}", column.removeprefix("-"))
    return column


def ordered(rows: Sequence[Row], column: str | None) -> list[Row]:
    """By a column, from the least; ``-COLUMN``: from the greatest. Nulls stand last, equals in the grid's order."""
    if column is None:
        return list(rows)
    name = column.removeprefix("-")
    valued = [(_value(row, name), row) for row in rows]
    there = [pair for pair in valued if pair[0] is not None]
    there.sort(key=lambda pair: pair[0], reverse=column.startswith("-"))
    return [row for _, row in there] + [row for value, row in valued if value is None]


def shown(value: object) -> str:
    """A value as a condition names it: ``-`` for null, ``true`` and ``false``."""
    if value is None:
        return NOTHING
    return str(value).lower() if isinstance(value, bool) else str(value)


def _by_column(conditions: Wanted) -> list[list[Condition]]:
    """Those on one column together, columns as they were first named."""
    found: dict[str, list[Condition]] = {}
    for each in conditions:
        found.setdefault(each.column, []).append(each)
    return list(found.values())


def _column(named: str) -> str:
    """The column that a heading shows, or the one that is named itself."""
    found = heading(named)
    return found.column if found else named


def _check_name(option: str, named: str) -> None:
    """Raise InputError if there is neither such a column nor such a heading."""
    if named not in COLUMNS and heading(named) is None:
        raise InputError(f"{option}: no such column{did_you_mean(named, NAMES)}")


def _check_metric(option: str, named: str, rows: Sequence[Row]) -> None:
    """Raise InputError for a metric of the user's own which is none of these rows'."""
    metrics = {row.record.metric for row in rows if row.record.metric}
    if named not in NAMES and named not in metrics:
        raise InputError(f"{option}: no such column{did_you_mean(named, (*NAMES, *metrics))}")


def _check(condition: Condition) -> None:
    """Raise InputError for a value that the column can never have."""
    column, text = condition.column, condition.text
    words = WORDS.get(column, ("true", "false", NOTHING) if _types(column) & {bool} else None)
    if words is not None and text not in words:
        raise InputError(f"--where {condition} means no cell{did_you_mean(text, words)}")
    if _types(column) & {int, float} and text != NOTHING and _number(text) is None:
        raise InputError(f"--where {condition}: {text!r} is no number")


def _types(column: str) -> set[Any]:
    hint = TYPES[column]
    return set(get_args(hint) or (hint,))


def _is_open(column: str) -> bool:
    """Whether only the rows tell which values there are."""
    return str in _types(column) and column not in WORDS


def _value(row: Row, named: str) -> Any:
    """A row's value under a heading or in a column."""
    found = heading(named)
    return found.value(row) if found else row.values()[named]


def _is(condition: Condition, row: Row) -> bool:
    """Whether a row is so. A label's name means it with any parameters; a number is itself in any notation.

    Under a heading, what the table shows is meant too: a number as it is rounded there, and how a cell failed.
    """
    column, text = condition.column, condition.text
    value, found = _value(row, condition.named), heading(condition.named)
    if column in AXES and (value is None or isinstance(value, str)):
        return means(algorithm_of(text) if column == "algorithm" else text, value)
    if text == shown(value) or (found is not None and text == found.text(row)):
        return True
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    typed = _plain_number(text)
    return typed is not None and (typed == value or (found is not None and typed == _number(found.text(row))))


def _number(text: str) -> float | None:
    """The number in what tables show: ``2.35 ±.02``, ``3: +0.0300``."""
    return _plain_number(text.partition(GIVE_OR_TAKE)[0].rpartition(": ")[2])


def _plain_number(text: str) -> float | None:
    """``1,159.4``, or in any other notation."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None
