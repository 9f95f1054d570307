"""Every column of a run's cells: those of the records, and what is judged of each. Knows no layout."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from farm.analysis.accuracy import Accuracy, accuracies
from farm.analysis.judgement import Judged, best_sets
from farm.record import COLUMNS as RECORDED
from farm.record import Record
from farm.results.reading import Run

JUDGED = tuple(each.name for each in fields(Judged) if each.name != "best")  # a mark of the table, not a fact
COLUMNS = (*RECORDED, *JUDGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A cell as tables take it: its record, and what is judged of it among all cells of its run."""

    record: Record
    judged: Judged

    def values(self) -> dict[str, Any]:
        """By name, in the order of `COLUMNS`."""
        judged = asdict(self.judged)
        return {**asdict(self.record), **{name: judged[name] for name in JUDGED}}


def rows(run: Run) -> list[Row]:
    """A row a cell, in the grid's order. Judged on the whole run, so that a choice of rows changes no word of it."""
    judged = judge(run)
    return [Row(record=record, judged=judged[record.cell]) for record in run.records]


def judge(run: Run) -> dict[str, Judged]:
    """By cell, what may be said of it."""
    found, best = accuracies(run), best_sets(run.records)
    return {record.cell: Judged(**_said(found.get(record.cell)), best=record.cell in best) for record in run.records}


def _said(accuracy: Accuracy | None) -> dict[str, Any]:
    if accuracy is None:
        return {}
    said: dict[str, Any] = {"top1_low": accuracy.top1.low, "top1_high": accuracy.top1.high}
    if accuracy.fp32 is not None:
        loss = accuracy.fp32.loss
        said |= {"drop_low": loss.low, "drop_high": loss.high, "drop_p": accuracy.fp32.p}
        said |= {"worst_class": accuracy.worst_class, "worst_class_drop": accuracy.worst_class_drop}
    if accuracy.real is not None:
        loss = accuracy.real.loss
        said |= {"real_loss": loss.value, "real_loss_low": loss.low, "real_loss_high": loss.high}
        said |= {"real_p": accuracy.real.p, "standing": accuracy.real.standing}
    return said
