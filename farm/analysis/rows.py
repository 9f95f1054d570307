"""Every column of a run's cells: those of the records, and what is said beside them. Knows no layout."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean
from typing import Any

from farm.analysis.accuracy import Accuracy
from farm.analysis.families import Family, together
from farm.record import COLUMNS, Record, accuracy_of, source_of

Source = tuple[str | None, str]  # of images, and the algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The columns that predictions add to a record; None where there are none. Of the grid's metric.

    score_low, score_high: the 95 % interval of the score. drop_low, drop_high, drop_p: of score_drop, its 95 % interval
    and p of no loss. worst_class, worst_class_drop: where images are right or not, and of detectors, the class that
    lost most against the FP32 IR, and how much. real_loss: the score of the same cell calibrated with real images minus
    this one's, with its 90 % interval; real_p by Holm; standing: the word for it. best: whether no other calibration
    set of its model, algorithm and device does better.
    """

    score_low: float | None = None
    score_high: float | None = None
    drop_low: float | None = None
    drop_high: float | None = None
    drop_p: float | None = None
    worst_class: int | None = None
    worst_class_drop: float | None = None
    real_loss: float | None = None
    real_loss_low: float | None = None
    real_loss_high: float | None = None
    real_p: float | None = None
    standing: str | None = None
    best: bool = False


ASSESSED = tuple(field.name for field in fields(Assessment) if field.name != "best")  # a mark of the table, not a fact
ROW_COLUMNS = (*COLUMNS, *ASSESSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A cell as tables take it: its record, and what is said of it among all cells of its run."""

    record: Record
    assessment: Assessment

    def value(self, name: str) -> Any:
        """What stands in one of `ROW_COLUMNS`."""
        return getattr(self.assessment if name in ASSESSED else self.record, name)

    def values(self) -> dict[str, Any]:
        """By name, in the order of `ROW_COLUMNS`."""
        assessed = asdict(self.assessment)
        return {**asdict(self.record), **{name: assessed[name] for name in ASSESSED}}


def assessment(accuracy: Accuracy | None, *, best: bool) -> Assessment:
    """What is said of a cell, from what its predictions say."""
    columns: dict[str, Any] = {}
    if accuracy is not None:
        columns |= {"score_low": accuracy.score.low, "score_high": accuracy.score.high}
    if accuracy is not None and accuracy.fp32 is not None:
        loss = accuracy.fp32.loss
        columns |= {"drop_low": loss.low, "drop_high": loss.high, "drop_p": accuracy.fp32.p}
        columns |= {"worst_class": accuracy.worst_class, "worst_class_drop": accuracy.worst_class_drop}
    if accuracy is not None and accuracy.real is not None:
        loss = accuracy.real.loss
        columns |= {"real_loss": loss.value, "real_loss_low": loss.low, "real_loss_high": loss.high}
        columns |= {"real_p": accuracy.real.p, "standing": accuracy.real.standing}
    return Assessment(**columns, best=best)


def best_sets(records: Sequence[Record]) -> set[str]:
    """The cells whose calibration set does best in their family, by `means_of`; none where all do the same."""
    best: set[str] = set()
    int8 = [record for record in records if record.calibration is not None and record.outcome == "ok"]
    for family in together((Family.of(record), record) for record in int8).values():
        means = means_of(family)
        winners = {source for source, mean in means.items() if mean == max(means.values()) > min(means.values())}
        best |= {record.cell for record in family if _source(record) in winners and accuracy_of(record) is not None}
    return best


def means_of(records: Iterable[Record]) -> dict[Source, float]:
    """The mean score of each source and algorithm over its seeds, of those that have one."""
    scores = together((_source(record), score) for record in records if (score := accuracy_of(record)) is not None)
    return {source: fmean(of_seeds) for source, of_seeds in scores.items()}


def best_rows(rows: Sequence[Row]) -> list[Row]:
    """Of each model and device one int8 cell, of the source and algorithm that do best, by `means_of`.

    Of equal ones the faster, if its speed is valid. Its first seed stands for it, or the first one whose speed was
    measured, or is even valid. Where no score is known, the first cell.
    """
    int8 = [row for row in rows if row.record.calibration is not None]
    places = together(((row.record.model, row.record.device), row) for row in int8)
    return [_best(cells) for cells in places.values()]


def _best(cells: Sequence[Row]) -> Row:
    """Of one model and device."""
    ok = [row for row in cells if row.record.outcome == "ok"] or cells
    means, sources = means_of(row.record for row in ok), together((_source(row.record), row) for row in ok)
    firsts = {source: max(seeds, key=_measured) for source, seeds in sources.items()}

    def merit(source: Source) -> tuple[float, float]:
        first = firsts[source].record
        return means.get(source, -math.inf), (first.speedup_ir or 0.0) if first.verdict == "valid" else 0.0

    return firsts[max(firsts, key=merit)]


def _source(record: Record) -> Source:
    return source_of(record), record.algorithm


def _measured(row: Row) -> tuple[bool, bool]:
    """Whether the speed is valid, and whether there is one."""
    return row.record.verdict == "valid", row.record.fps is not None
