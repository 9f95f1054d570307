"""How much a figure shows at most, and how its caption says so. Knows no records."""

import heapq
from collections.abc import Hashable, Mapping
from typing import TypeVar

MOST_ROWS = 100  # of a figure that lists: longer, nobody reads to its end
MOST_MARKS = 1800  # of one figure, which a browser still draws at once
ALL = "; all are in the table"

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row", bound=Hashable)
Column = TypeVar("Column", bound=Hashable)


def foremost(weights: Mapping[Key, float], most: int) -> list[Key]:
    """The keys of the greatest weights, at most so many, in their own order.

    >>> foremost({"a": 1, "b": 3, "c": 2}, 2)
    ['b', 'c']
    """
    chosen = set(heapq.nlargest(most, weights, key=weights.__getitem__))
    return [key for key in weights if key in chosen]


def foremost_square(weights: Mapping[tuple[Row, Column], float], columns: int) -> tuple[list[Row], list[Column]]:
    """The columns, at most so many, and then the rows of these that have the greatest weight; a square is two marks.

    >>> foremost_square({("a", 1): 1, ("b", 1): 3, ("b", 2): 2, ("c", 3): 0}, 2)
    (['a', 'b'], [1, 2])
    """
    best_of_column: dict[Column, float] = {}
    for (_, column), weight in weights.items():
        best_of_column[column] = max(weight, best_of_column.get(column, weight))
    chosen = foremost(best_of_column, columns)
    best_of_row: dict[Row, float] = {}
    for (row, column), weight in weights.items():
        if column in chosen:
            best_of_row[row] = max(weight, best_of_row.get(row, weight))
    return foremost(best_of_row, rows_of(2 * len(chosen))), chosen


def rows_of(marks: int) -> int:
    """How many rows are shown that have so many marks each."""
    return max(1, min(MOST_ROWS, MOST_MARKS // marks))


def of_many(shown: int, there: int, what: str, rest: str = ALL) -> str:
    """What a caption begins with where not everything is shown; else nothing. rest: where all of it is.

    >>> of_many(2, 3000, "sets that lose most"), of_many(2, 2, "sets that lose most")
    ('The 2 of 3,000 sets that lose most; all are in the table. ', '')
    """
    return f"The {shown} of {there:,} {what}{rest}. " if shown < there else ""
