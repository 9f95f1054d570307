"""The long table, a row a cell, as in the study's Table 1. Knows records, not where they come from."""

from collections.abc import Collection, Sequence
from itertools import groupby

from farm.analysis.rows import Assessment, Row
from farm.errors import InputError
from farm.report.columns import HEADED, MISSED, Display, columns
from farm.report.metric import Metric
from farm.report.numbers import listed
from farm.report.texttable import Entry, Heading, Kind, TextTable, named

ORDER = (
    "model", "algorithm", "calibration", "device", "score", "score_drop", "worst_class_drop", "size_mib", "fps",
    "speedup_ir", "speedup_pytorch", "latency_p50_ms", "verdict", "outcome",
)  # fmt: skip
NEEDED = (  # where a terminal has no room, the last goes first; outcomes before them, or not at all if one is not ok
    "outcome", "verdict", "speedup_ir", "worst_class_drop", "size_mib", "fps", "speedup_pytorch", "latency_p50_ms",
)  # fmt: skip
OUTCOMES = {"ok": "green", "failed": "bold red"}  # styles; others are yellow
VERDICTS = {"valid": "green", "noisy": "yellow", "invalid": "bold red"}
BEST, WORSE = "*", "!"
MARKS = {
    BEST: "best calibration set of its model, algorithm and device, by the number alone (over seeds, their mean)",
    WORSE: "significantly worse than with real images (p < 0.05 by Holm)",
}


def main_table(rows: Sequence[Row]) -> TextTable:
    """One row a cell, grouped by model and device: accuracy, speed, verdict and outcome, as far as there are any.

    The legend says what the marks mean, if there are any.
    """
    shown = columns(rows, ORDER)
    fine = all(row.record.outcome == "ok" and row.record.reached is not False for row in rows)
    headings = tuple(
        Heading(text=column.heading, kind=_kind(column), name=column.name, rank=_rank(column, fine=fine))
        for column in shown
    )
    groups = [list(group) for _, group in groupby(rows, key=lambda row: (row.record.model, row.record.device))]
    entries = [_entries(row, shown, first=row is group[0]) for group in groups for row in group]
    there = {mark for row in rows for mark in _marks(row.assessment).values()}
    legend = tuple(f"{mark} {text}" for mark, text in MARKS.items() if mark in there)
    return TextTable(headings=headings, rows=tuple(entries), legend=legend)


def wanted(text: str) -> tuple[str, ...]:
    """The columns that ``--columns`` names, by heading or as programs call them. Raises InputError."""
    own = [name.strip() for name in text.split(",") if ":" in name]  # a metric's
    return named(text, (*HEADED, *ORDER, *own))


def check_columns(names: Sequence[str], metrics: Collection[str]) -> None:
    """Raise InputError for the column of a user's own metric that is none of these."""
    for name in names:
        if ":" in name and metrics and name not in metrics:
            raise InputError(
                f"--columns {name}: the metric is {listed(sorted(Metric(metric).word for metric in metrics))}"
            )


def _rank(column: Display, *, fine: bool) -> int:
    """How soon it goes where there is no room. fine: whether all is well with every row."""
    if column.name not in NEEDED:
        return 0
    if column.name == "outcome":
        return len(NEEDED) + 1 if fine else 0
    return NEEDED.index(column.name) + 1


def _kind(column: Display) -> Kind:
    if column.pattern:
        return "number"
    return "word" if column.name in ("verdict", "outcome") else "name"


def _entries(row: Row, shown: Sequence[Display], *, first: bool) -> tuple[Entry, ...]:
    """What stands under the headings. first: of its model and device, whose model is named once."""
    texts = {column.name: column.text(row) if first or column.name != "model" else "" for column in shown}
    marks = _marks(row.assessment)
    outcome = "yellow" if texts["outcome"] == MISSED else OUTCOMES.get(row.record.outcome, "yellow")
    styles = {"verdict": VERDICTS.get(row.record.verdict or "", ""), "outcome": outcome}
    return tuple(
        Entry(text=text, marks=marks.get(name, ""), style=styles.get(name, "")) for name, text in texts.items()
    )


def _marks(assessment: Assessment) -> dict[str, str]:
    return {"score": BEST * assessment.best, "score_drop": WORSE * (assessment.standing == "worse")}
