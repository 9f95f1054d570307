"""Every column of a run's cells: those of the records, and what is said beside them. Knows no layout."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from farm.analysis.accuracy import Accuracy
from farm.analysis.families import Family, together
from farm.record import COLUMNS, Record, accuracy_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The columns that predictions add to a record; None where there are none. Shares of 1.

    top1_low, top1_high: the 95 % interval of top-1. drop_low, drop_high, drop_p: of top1_drop, its 95 % interval and
    McNemar's p. worst_class, worst_class_drop: the class that lost most against the FP32 IR, and how much. real_loss:
    top-1 of the same cell calibrated with real images minus this one's, with its 90 % interval; real_p by Holm;
    standing: the word for it. best: whether no other calibration set of its model, algorithm and device does better.
    """

    top1_low: float | None = None
    top1_high: float | None = None
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
        columns |= {"top1_low": accuracy.top1.low, "top1_high": accuracy.top1.high}
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
    """The cells whose calibration set does best in their family; none where all do the same."""
    best: set[str] = set()
    int8 = [record for record in records if record.calibration is not None and record.outcome == "ok"]
    for family in together((Family.of(record), record) for record in int8).values():
        scores = {record.cell: score for record in family if (score := accuracy_of(record)) is not None}
        best |= {cell for cell, score in scores.items() if score == max(scores.values()) > min(scores.values())}
    return best
