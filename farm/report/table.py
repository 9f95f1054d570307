"""The long table, a row a cell, as in the study's Table 1. Knows records, not where they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from farm.record import Record
from farm.report.judged import Judged, accuracy_of, by_records
from farm.report.numbers import give_or_take, written
from farm.report.texttable import Column, Entry, TextTable
from farm.report.words import metric_of, metric_word, variant

VERDICTS = {"valid": "green", "noisy": "yellow", "invalid": "bold red"}
BEST, WORSE = "*", "!"
MARKS = {
    BEST: "best calibration set of its model, algorithm and device, by the number alone",
    WORSE: "significantly worse than with real images (McNemar, p < 0.05 by Holm)",
}


def main_table(records: Sequence[Record], judged: Mapping[str, Judged] | None = None) -> TextTable:
    """One row a cell, grouped by model and device: accuracy, speed, verdict and outcome, as far as there are any.

    judged: by cell; without it, what the records alone say. The legend says what the marks mean, if there are any.
    """
    said = by_records(records) if judged is None else judged
    there = _there(records, said)
    groups = [list(group) for _, group in groupby(records, key=lambda record: (record.model, record.device))]
    rows = [_row(record, said[record.cell], there, first=record is group[0]) for group in groups for record in group]
    return TextTable(columns=_columns(there), rows=tuple(rows), legend=tuple(_legend(records, said)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _There:
    """What there is to show: whether several devices, the metric's heading, whether classes, whether speeds."""

    devices: bool
    metric: str
    classes: bool
    speeds: bool


def _there(records: Sequence[Record], judged: Mapping[str, Judged]) -> _There:
    return _There(
        devices=len({record.device for record in records}) > 1,
        metric=metric_word(metric_of(records)),
        classes=any(judged[record.cell].worst_class_drop is not None for record in records),
        speeds=any(record.fps is not None for record in records),
    )


def _columns(there: _There) -> tuple[Column, ...]:
    names = ("model", "variant", "calibration", *(("device",) if there.devices else ()))
    speeds = ("FPS", "x IR", "x PyTorch", "p50 ms") if there.speeds else ()
    numbers = (there.metric, "drop", *(("worst class",) if there.classes else ()), "MiB", *speeds)
    words = (*(("verdict",) if there.speeds else ()), "outcome")
    return (
        *(Column(heading=name, kind="name") for name in names),
        *(Column(heading=name) for name in numbers),
        *(Column(heading=name, kind="word") for name in words),
    )


def _row(record: Record, judged: Judged, there: _There, *, first: bool) -> tuple[Entry, ...]:
    """The cell under `_columns`. first: of its model and device, whose model is named once."""
    names = (record.model if first else "", variant(record), record.calibration or "-")
    return (
        *(Entry(text=name) for name in (*names, *((record.device,) if there.devices else ()))),
        *_accuracy(record, judged, classes=there.classes),
        *((*_speed(record), _verdict(record)) if there.speeds else ()),
        _outcome(record),
    )


def _legend(records: Sequence[Record], judged: Mapping[str, Judged]) -> list[str]:
    """A line for each mark that occurs."""
    marks = {mark for record in records for mark in (_best(judged[record.cell]), _worse(judged[record.cell]))}
    return [f"{mark} {text}" for mark, text in MARKS.items() if mark in marks]


def _accuracy(record: Record, judged: Judged, *, classes: bool) -> tuple[Entry, ...]:
    """The metric, the drop, the worst class' one if asked for, and the size."""
    drop = record.top1_drop if record.score_drop is None else record.score_drop
    return (
        Entry(text=written(accuracy_of(record), "{:.4f}"), marks=_best(judged)),
        Entry(text=written(None if record.algorithm == "ir" else drop, "{:+.4f}"), marks=_worse(judged)),
        *((Entry(text=_worst_class(judged)),) if classes else ()),
        Entry(text=written(record.size_mib, "{:.2f}")),
    )


def _best(judged: Judged) -> str:
    return BEST if judged.best else ""


def _worse(judged: Judged) -> str:
    return WORSE if judged.standing == "worse" else ""


def _worst_class(judged: Judged) -> str:
    """``3: +0.0300``; without a class where none lost anything."""
    drop = judged.worst_class_drop
    if drop is None or drop <= 0:
        return written(drop, "{:+.4f}")
    return f"{judged.worst_class}: {drop:+.4f}"


def _speed(record: Record) -> tuple[Entry, ...]:
    over_ir = (record.speedup_ir, record.speedup_ir_low, record.speedup_ir_high)
    over_pytorch = (record.speedup_pytorch, record.speedup_pytorch_low, record.speedup_pytorch_high)
    return (
        Entry(text=written(record.fps, "{:,.1f}")),
        Entry(text=give_or_take(*over_ir, "{:.2f}", "{:.2f}")),
        Entry(text=give_or_take(*over_pytorch, "{:.2f}", "{:.2f}")),
        Entry(text=written(record.latency_p50_ms, "{:.3f}")),
    )


def _verdict(record: Record) -> Entry:
    return Entry(text=record.verdict or "-", style=VERDICTS.get(record.verdict or "", ""))


def _outcome(record: Record) -> Entry:
    if record.outcome == "failed":
        return Entry(text=record.error_class or "failed", style="bold red")
    if record.outcome == "ok" and record.reached is False:
        return Entry(text="ok, target missed", style="yellow")
    return Entry(text=record.outcome, style="green" if record.outcome == "ok" else "yellow")
