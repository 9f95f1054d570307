"""Two runs, cell by cell: what got worse, what cannot be compared, and what differs between them. Knows `Run` only.

A cell's name is stable, so it joins runs. Accuracy is judged at 5 %, by Holm over all cells that differ, speed
by 99 % intervals.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from farm.analysis.accuracy import answered
from farm.analysis.changes import AccuracyChange, SpeedChange, Tolerance, accuracy_change, over, speed_change, with_word
from farm.analysis.standing import holm
from farm.errors import InputError
from farm.record import Record
from farm.results.reading import Run

FACTS = (
    "host", "cpu_model", "isa", "cores", "threads", "streams", "precision", "per_node", "timed", "memory_format",
    "metric", "n_images", "subset_size",
)  # fmt: skip

Regression = Literal["outcome", "accuracy", "speed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """One cell in both runs.

    before, after: its outcomes. error: why the second run has no result, where the first has one. size: after over
    before.
    """

    cell: str
    before: str
    after: str
    error: str | None = None
    accuracy: AccuracyChange
    speed: SpeedChange
    size: float | None = None

    @property
    def regressions(self) -> tuple[Regression, ...]:
        """What got worse, the worst first."""
        worsened: dict[Regression, bool] = {
            "outcome": self.error is not None,
            "accuracy": self.accuracy.word == "worse",
            "speed": self.speed.word == "worse",
        }
        return tuple(name for name, worse in worsened.items() if worse)

    @property
    def badness(self) -> tuple[float, float, float]:
        """What regressions are sorted by: cells that fail, then what is lost of accuracy, then of speed."""
        drop = self.accuracy.drop.value if "accuracy" in self.regressions and self.accuracy.drop else 0.0
        ratio = self.speed.ratio.value if "speed" in self.regressions and self.speed.ratio else 1.0
        return (float(self.error is not None), drop, 1 - ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that was another way in the second run, for one cell or more. before, after: all that it was."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs. cells: regressions first, the worst at the top, then the others in the second run's order.

    first, second: where they lie. only_first, only_second: cells that the other run does not have.
    """

    first: str
    second: str
    tolerance: Tolerance
    cells: tuple[CellChange, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def regressions(self) -> tuple[CellChange, ...]:
        """The cells that got worse."""
        return tuple(change for change in self.cells if change.regressions)

    @property
    def accuracies(self) -> int:
        """How many cells were judged by accuracy."""
        return sum(change.accuracy.word is not None for change in self.cells)

    @property
    def speeds(self) -> int:
        """How many cells were judged by speed."""
        return sum(change.speed.word is not None for change in self.cells)

    @property
    def vain(self) -> bool:
        """Whether nothing at all could be judged."""
        return not (self.accuracies or self.speeds or self.regressions)


def compare(first: Run, second: Run, tolerance: Tolerance) -> Comparison:
    """The second run beside the first. Raises InputError if no cell is in both."""
    before, after = ({record.cell: record for record in run.records} for run in (first, second))
    both = [(before[cell], record) for cell, record in after.items() if cell in before]
    if not both:
        raise InputError(f"{first.folder.url} and {second.folder.url} have no cell in common: cells are joined by name")
    changes = _with_words([_change(old, new, first, second, tolerance) for old, new in both], tolerance)
    worse = sorted((change for change in changes if change.regressions), key=lambda one: one.badness, reverse=True)
    return Comparison(
        first=first.folder.url,
        second=second.folder.url,
        tolerance=tolerance,
        cells=(*worse, *(change for change in changes if not change.regressions)),
        only_first=tuple(cell for cell in before if cell not in after),
        only_second=tuple(cell for cell in after if cell not in before),
        differences=tuple(_differences(both)),
    )


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON takes it, and of each cell what got worse."""
    cells = [{**asdict(change), "regressions": change.regressions} for change in comparison.cells]
    return {**asdict(comparison), "cells": cells, "regressions": len(comparison.regressions)}


def _change(before: Record, after: Record, first: Run, second: Run, tolerance: Tolerance) -> CellChange:
    return CellChange(
        cell=after.cell,
        before=before.outcome,
        after=after.outcome,
        error=_error(after) if before.outcome == "ok" else None,
        accuracy=accuracy_change(before, after, answered(first, before), answered(second, after)),
        speed=speed_change(before, after, tolerance),
        size=over(after.size_mib, before.size_mib),
    )


def _error(after: Record) -> str | None:
    if after.outcome == "failed":
        return f"failed: {after.error_class}: {after.error_message}"
    return "was not run" if after.outcome == "pending" else None


def _with_words(changes: Sequence[CellChange], tolerance: Tolerance) -> list[CellChange]:
    """The changes with the word for each accuracy: all of them together are one family of tests.

    A cell of which no image differs could not have been found worse, so it is not counted (Tarone 1990, Biometrics 46):
    the one model that changed is not lost among hundreds that are as they were.
    """
    scores = {change.cell: change.accuracy for change in changes if change.accuracy.p is not None}
    tested = {cell: score.p for cell, score in scores.items() if score.p is not None and not score.same}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    words = {cell: with_word(score, corrected.get(cell, 1.0), tolerance) for cell, score in scores.items()}
    return [replace(change, accuracy=words.get(change.cell, change.accuracy)) for change in changes]


def _differences(records: Sequence[tuple[Record, Record]]) -> Iterator[Difference]:
    """Versions and facts that are not the same for every cell, of those that both of its records know."""
    facts = [(_facts(before), _facts(after)) for before, after in records]
    for name in dict.fromkeys(name for before, _ in facts for name in before):
        both = [(before[name], after[name]) for before, after in facts if name in before and name in after]
        if any(before != after for before, after in both):
            old, new = (tuple(sorted(set(values))) for values in zip(*both, strict=True))
            yield Difference(name=name, before=old, after=new)


def _facts(record: Record) -> Mapping[str, str]:
    facts = {name: str(value) for name in FACTS if (value := getattr(record, name)) is not None}
    return {**json.loads(record.versions or "{}"), **facts}
