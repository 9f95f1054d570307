"""Which rows of a table, in which order: ``--where`` and ``--sort``. Pure."""

from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

from farm.errors import InputError
from farm.grid.cell import AXES, NO_CALIBRATION
from farm.grid.faults import did_you_mean
from farm.record import FAILURE_CLASSES, Record
from farm.report.columns import COLUMNS, Row
from farm.report.judged import Judged
from farm.report.naming import means, names
from farm.report.table import VERDICTS
from farm.report.words import algorithm_of
from farm.stats.claims import Standing

NOTHING = NO_CALIBRATION  # a null, as tables show it
HEADINGS = {  # of the table, and the columns that they show: the first that is not null
    "variant": ("algorithm",),
    "top-1": ("top1",),
    "top-5": ("score",),
    "drop": ("score_drop", "top1_drop"),
    "worst class": ("worst_class_drop",),
    "MiB": ("size_mib",),
    "FPS": ("fps",),
    "x IR": ("speedup_ir",),
    "x PyTorch": ("speedup_pytorch",),
    "p50 ms": ("latency_p50_ms",),
}
NAMES = (*COLUMNS, *HEADINGS)
WORDS: dict[str, tuple[str, ...]] = {  # columns of which all values are known before any is read
    "outcome": ("ok", "failed", "pending"),
    "error_class": (*FAILURE_CLASSES, NOTHING),
    "runtime": ("openvino", "pytorch"),
    "verdict": (*VERDICTS, NOTHING),
    "standing": (*get_args(Standing), NOTHING),
}
TYPES = {**get_type_hints(Record), **get_type_hints(Judged)}
Wanted = dict[str, list[str]]  # by column or heading, the values that it may have


def wanted(conditions: Sequence[str]) -> Wanted:
    """``model=resnet20`` as a column and the values it may have. Raises InputError for what can be no such condition.

    A heading of the table stands for its column, a variant for its algorithm.
    """
    found: Wanted = {}
    for text in conditions:
        named, equals, value = text.partition("=")
        if not equals or not value:
            raise InputError(f"--where {text}: write AXIS=VALUE, such as model=resnet20 or outcome=failed")
        column = _column(f"--where {text}", named)
        if column == "algorithm":
            value = algorithm_of(value)
        _check(f"--where {text}", column, value)
        found.setdefault(column, []).append(value)
    return found


def check(rows: Sequence[Row], conditions: Wanted) -> None:
    """Raise InputError for an axis' name or another text that no row has; a word or a number may well mean none."""
    for column, texts in conditions.items():
        if not _is_open(column):
            continue
        there = [_value(row, column) for row in rows]
        for text in texts:
            null = text == NOTHING and type(None) in _types(column)
            if not null and not any(_is(column, value, text) for value in there):
                labels = {shown(value) for value in there}
                known = names(labels) if column in AXES else sorted(labels)
                raise InputError(f"--where {column}={text} means no cell{did_you_mean(text, known)}")


def meant(rows: Sequence[Row], conditions: Wanted) -> list[Row]:
    """The rows that have, in each column named, one of its values; maybe none."""
    return [row for row in rows if _meant(row, conditions)]


def none_meant(conditions: Wanted) -> str:
    """The sentence where no row is meant."""
    said = [" or ".join(f"{column}={text}" for text in texts) for column, texts in conditions.items()]
    return f"no cell has {' and '.join(said)}" if said else "no cell"


def sortable(column: str | None) -> str | None:
    """The column that is named, or a heading, with its sign. Raises InputError if there is none such."""
    if column is None:
        return None
    name = column.removeprefix("-")
    return ("-" if column != name else "") + _column(f"--sort {column}", name)


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


def _column(option: str, named: str) -> str:
    """The column of that name or heading; the heading where it shows several. Raises InputError if there is none."""
    if named not in NAMES:
        raise InputError(f"{option}: no such column{did_you_mean(named, NAMES)}")
    columns = HEADINGS.get(named, (named,))
    return columns[0] if len(columns) == 1 else named


def _check(option: str, column: str, value: str) -> None:
    """Raise InputError for a value that the column can never have."""
    words = WORDS.get(column, ("true", "false", NOTHING) if _types(column) & {bool} else None)
    if words is not None and value not in words:
        raise InputError(f"{option} means no cell{did_you_mean(value, words)}")
    if _types(column) & {int, float} and value != NOTHING and _number(value) is None:
        raise InputError(f"{option}: {value!r} is no number")


def _types(column: str) -> set[Any]:
    hint = TYPES[HEADINGS.get(column, (column,))[0]]
    return set(get_args(hint) or (hint,))


def _is_open(column: str) -> bool:
    """Whether only the rows tell which values there are."""
    return str in _types(column) and column not in WORDS


def _value(row: Row, column: str) -> Any:
    """A row's value in a column, or what it shows under a heading."""
    values = row.values()
    return next((values[name] for name in HEADINGS.get(column, (column,)) if values[name] is not None), None)


def _meant(row: Row, conditions: Wanted) -> bool:
    return all(any(_is(column, _value(row, column), text) for text in texts) for column, texts in conditions.items())


def _is(column: str, value: object, text: str) -> bool:
    """Whether it is so named. A label's name means it with any parameters; a number is itself in any notation."""
    if column in AXES and (value is None or isinstance(value, str)):
        return means(text, value)
    if shown(value) == text:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and value == _number(text)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
