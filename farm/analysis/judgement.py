"""What is said of a cell beside its record: how sure its accuracy is, and which set is best. Knows records only."""

from collections.abc import Sequence
from dataclasses import dataclass

from farm.record import Record, accuracy_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
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


def best_sets(records: Sequence[Record]) -> set[str]:
    """The cells whose calibration set does best for a model, algorithm and device; none where all do the same."""
    groups: dict[tuple[str, str, str], dict[str, float]] = {}
    for record in records:
        accuracy = accuracy_of(record)
        if record.calibration is not None and record.outcome == "ok" and accuracy is not None:
            groups.setdefault((record.model, record.algorithm, record.device), {})[record.cell] = accuracy
    return {
        cell
        for group in groups.values()
        for cell, accuracy in group.items()
        if accuracy == max(group.values()) > min(group.values())
    }
