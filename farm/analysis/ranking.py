"""Who is best: the best calibration set of each family, the front of accuracy and speed. Knows numbers only."""

from collections.abc import Sequence

from farm.analysis.families import Family
from farm.record import Record, accuracy_of


def best_sets(records: Sequence[Record]) -> set[str]:
    """The cells whose calibration set does best in their family; none where all do the same."""
    families: dict[Family, dict[str, float]] = {}
    for record in records:
        accuracy = accuracy_of(record)
        if record.calibration is not None and record.outcome == "ok" and accuracy is not None:
            families.setdefault(Family.of(record), {})[record.cell] = accuracy
    return {
        cell
        for family in families.values()
        for cell, accuracy in family.items()
        if accuracy == max(family.values()) > min(family.values())
    }


def front(both: Sequence[tuple[float, float]]) -> set[int]:
    """Which are beaten by none: no other is as good in both and better in one. both: (n, 2), more is better.

    >>> sorted(front([(1, 9), (2, 8), (2, 7), (3, 1)]))
    [0, 1, 3]
    """
    return {
        index for index, (x, y) in enumerate(both) if not any(a >= x and b >= y and (a > x or b > y) for a, b in both)
    }
