"""The long table, a row a cell, as in the study's Table 1. Knows records, not where they come from."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from farm.analysis.judgement import Judged
from farm.analysis.rows import Row
from farm.record import Record
from farm.report.headings import HEADINGS, MISSED, metric
from farm.report.texttable import Column, Entry, TextTable
from farm.report.words import metric_of, metric_word

OUTCOMES = {"ok": "green", "failed": "bold red"}  # styles; others are yellow
VERDICTS = {"valid": "green", "noisy": "yellow", "invalid": "bold red"}
BEST, WORSE = "*", "!"
MARKS = {
    BEST: "best calibration set of its model, algorithm and device, by the number alone",
    WORSE: "significantly worse than with real images (McNemar, p < 0.05 by Holm)",
}


def main_table(rows: Sequence[Row]) -> TextTable:
    """One row a cell, grouped by model and device: accuracy, speed, verdict and outcome, as far as there are any.

    The legend says what the marks mean, if there are any.
    """
    score = metric_word(metric_of([row.record for row in rows]))
    columns = tuple(_columns(rows, score))
    groups = [list(group) for _, group in groupby(rows, key=lambda row: (row.record.model, row.record.device))]
    entries = [_entries(row, columns, score, first=row is group[0]) for group in groups for row in group]
    return TextTable(columns=columns, rows=tuple(entries), legend=tuple(_legend(rows)))


def _columns(rows: Sequence[Row], score: str) -> Iterator[Column]:
    """Those of which there is something to show. score: the metric's heading."""
    devices = len({row.record.device for row in rows}) > 1
    classes = any(row.judged.worst_class_drop is not None for row in rows)
    speeds = any(row.record.fps is not None for row in rows)
    for name in ("model", "variant", "calibration", *(("device",) if devices else ())):
        yield Column(heading=name, kind="name")
    for name in (score, "drop", *(("worst class",) if classes else ()), "MiB"):
        yield Column(heading=name)
    for name in ("FPS", "x IR", "x PyTorch", "p50 ms") if speeds else ():
        yield Column(heading=name)
    for name in (*(("verdict",) if speeds else ()), "outcome"):
        yield Column(heading=name, kind="word")


def _entries(row: Row, columns: Sequence[Column], score: str, *, first: bool) -> tuple[Entry, ...]:
    """What stands under the columns. first: of its model and device, whose model is named once."""
    shown = {**HEADINGS, score: HEADINGS.get(score) or metric(score)}
    texts = {column.heading: shown[column.heading].text(row) for column in columns}
    said = texts if first else {**texts, "model": ""}
    marks = {score: _best(row.judged), "drop": _worse(row.judged)}
    styles = {"verdict": VERDICTS.get(row.record.verdict or "", ""), "outcome": _style(row.record, texts["outcome"])}
    return tuple(Entry(text=text, marks=marks.get(name, ""), style=styles.get(name, "")) for name, text in said.items())


def _style(record: Record, outcome: str) -> str:
    return "yellow" if outcome == MISSED else OUTCOMES.get(record.outcome, "yellow")


def _legend(rows: Sequence[Row]) -> list[str]:
    """A line for each mark that occurs."""
    marks = {mark for row in rows for mark in (_best(row.judged), _worse(row.judged))}
    return [f"{mark} {text}" for mark, text in MARKS.items() if mark in marks]


def _best(judged: Judged) -> str:
    return BEST if judged.best else ""


def _worse(judged: Judged) -> str:
    return WORSE if judged.standing == "worse" else ""
