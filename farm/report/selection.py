"""Which rows of a table, in which order: ``--where`` and ``--sort``. Pure.

A heading means its value, exactly or as it is rounded under it, so that all that is read there can be typed again; a
column means its values, exactly.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal, get_args, get_origin, get_type_hints

from farm.analysis.families import together
from farm.analysis.rows import ROW_COLUMNS, Assessment, Row
from farm.analysis.standing import STANDINGS
from farm.errors import InputError
from farm.grid.label import AXES
from farm.grid.selection import labels_of, means, names
from farm.record import FAILURE_CLASSES, Record
from farm.report.columns import HEADED, MISSED, column
from farm.report.numbers import NOTHING, UNSURE
from farm.report.words import algorithm_of
from farm.suggest import did_you_mean

NAMES = tuple(dict.fromkeys((*ROW_COLUMNS, *HEADED)))
WORDS: dict[str, tuple[str, ...]] = {  # columns of which all values are known before any is read
    "outcome": ("ok", "failed", "pending", *FAILURE_CLASSES, MISSED),
    "error_class": (*FAILURE_CLASSES, NOTHING),
    "runtime": ("openvino", "pytorch"),
    "standing": (*STANDINGS, NOTHING),
}
TYPES = {**get_type_hints(Record), **get_type_hints(Assessment)}
PARTS = re.compile("[:±]")  # between numbers that are typed together: ``3: +0.0300``, ``2.35 ±.02``


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """``FPS=159.4``: a heading or a column as it was typed, and what it shall be."""

    named: str
    text: str

    @property
    def column(self) -> str:
        """That the heading shows, or that is named itself."""
        headed = column(self.named)
        return headed.name if headed else self.named

    def __str__(self) -> str:
        return f"{self.named}={self.text}"


Wanted = tuple[Condition, ...]  # those on one column widen each other, those on several narrow


def wanted(conditions: Sequence[str]) -> Wanted:
    """``model=resnet20`` in its parts. Raises InputError for what can be no such condition."""
    parsed = []
    for text in conditions:
        named, _, value = text.partition("=")
        if not value:
            raise InputError(f"--where {text}: write AXIS=VALUE, such as model=resnet20 or outcome=failed")
        _check_name(f"--where {text}", named)
        condition = Condition(named=named, text=value)
        _check(condition)
        parsed.append(condition)
    return tuple(parsed)


def check(rows: Sequence[Row], conditions: Wanted, sort: str | None = None) -> None:
    """Raise InputError for a metric that no row has, and for an axis' name or another text that none has.

    A word or a number may well mean none.
    """
    for condition in conditions:
        _check_metric(f"--where {condition}", condition.named, rows)
        name, types = condition.column, _types(condition.column)
        is_open = str in types and not _words(name)  # only the rows tell which values there are
        null = condition.text == NOTHING and type(None) in types
        if is_open and not null and not any(_is(condition, row) for row in rows):
            values = {shown(_value(row, condition.named)) for row in rows}
            there = names(getattr(labels_of(row.record), name) for row in rows) if name in AXES else sorted(values)
            raise InputError(f"--where {condition} means no cell{did_you_mean(condition.text, there)}")
    if sort is not None:
        _check_metric(f"--sort {sort}", sort.removeprefix("-"), rows)


def chosen(rows: Sequence[Row], conditions: Wanted) -> list[Row]:
    """The rows that have, in each column named, one of its values; maybe none."""
    columns = together((one.column, one) for one in conditions).values()
    return [row for row in rows if all(any(_is(one, row) for one in some) for some in columns)]


def none_chosen(conditions: Wanted) -> str:
    """The sentence where no row is meant."""
    texts = [" or ".join(map(str, some)) for some in together((one.column, one) for one in conditions).values()]
    return f"no cell has {' and '.join(texts)}" if texts else "no cell"


def sortable(named: str | None) -> str | None:
    """The column or heading that is named, with its sign. Raises InputError if there is none such."""
    if named is not None:
        _check_name(f"--sort {named}", named.removeprefix("-"))
    return named


def ordered(rows: Sequence[Row], named: str | None) -> list[Row]:
    """By a column, from the least; ``-COLUMN``: from the greatest. Nulls stand last, equals in the grid's order."""
    if named is None:
        return list(rows)
    values = [(_value(row, named.removeprefix("-")), row) for row in rows]
    there = sorted((one for one in values if one[0] is not None), key=itemgetter(0), reverse=named.startswith("-"))
    return [row for _, row in there] + [row for value, row in values if value is None]


def shown(value: object) -> str:
    """A value as a condition names it: ``-`` for null, ``true`` and ``false``."""
    if value is None:
        return NOTHING
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_name(option: str, named: str) -> None:
    """Raise InputError if there is neither such a column nor such a heading."""
    if named not in ROW_COLUMNS and column(named) is None:
        raise InputError(f"{option}: no such column{did_you_mean(named, NAMES)}")


def _check_metric(option: str, named: str, rows: Sequence[Row]) -> None:
    """Raise InputError for a metric of the user's own which is none of these rows'."""
    metrics = {row.record.metric for row in rows if row.record.metric}
    if named not in NAMES and named not in metrics:
        raise InputError(f"{option}: no such column{did_you_mean(named, (*NAMES, *metrics))}")


def _check(condition: Condition) -> None:
    """Raise InputError for a value that the column can never have."""
    types, text, words = _types(condition.column), condition.text, _words(condition.column)
    if words and text not in words:
        raise InputError(f"--where {condition} means no cell{did_you_mean(text, words)}")
    if types & {int, float} and text != NOTHING and not _numbers(text):
        raise InputError(f"--where {condition}: {text!r} is no number")


def _types(name: str) -> set[Any]:
    hint = TYPES[name]
    return set(get_args(hint) or (hint,))


def _words(name: str) -> tuple[str, ...]:
    """All that a column can hold; none where only the rows tell that."""
    choices = [word for hint in _types(name) if get_origin(hint) is Literal for word in get_args(hint)]
    choices += ["true", "false"] if bool in _types(name) else []
    return WORDS.get(name, (*choices, NOTHING) if choices else ())


def _value(row: Row, named: str) -> Any:
    headed = column(named)
    return headed.value(row) if headed else row.value(named)


def _is(condition: Condition, row: Row) -> bool:
    """Whether a row is so. A label's name means it with any parameters; a number is itself in any notation."""
    name, text, headed = condition.column, condition.text, column(condition.named)
    if name in AXES:
        return means(algorithm_of(text) if name == "algorithm" else text, getattr(labels_of(row.record), name))
    value = _value(row, condition.named)
    typed = headed.typed(row) if headed else (shown(value), (value,))
    return text in typed or _numbers(text) in typed


def _numbers(text: str) -> tuple[float, ...]:
    """What is typed of one place, ``1,159.4`` or in any other notation; nothing, if it is no number."""
    try:
        return tuple(float(part.replace(",", "")) for part in PARTS.split(text.removesuffix(UNSURE)))
    except ValueError:
        return ()
