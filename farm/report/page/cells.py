"""The page's tables: a row a cell, or a model, under the columns that all tables share. Knows rows, not HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.rows import Row, best_rows
from farm.record import Record, source_of
from farm.report.columns import Display, Shown, columns
from farm.report.words import variant

ORDER = (  # what a reader comes for stands first: a screen may be too narrow for all
    "model", "algorithm", "calibration", "device", "score", "score_drop", "standing", "speedup_ir", "verdict", "fps",
    "size_mib", "speedup_pytorch", "worst_class_drop", "latency_p50_ms", "outcome",
)  # fmt: skip
SUMMARY = (
    "model", "device", "calibration", "algorithm", "score", "score_drop", "speedup_ir", "size_mib", "verdict",
    "outcome",
)  # fmt: skip
FILTERS = ("model", "calibration", "algorithm", "device", "verdict")  # as in page.js


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """A cell as a row of the page's table, with the words that the filters know it by."""

    cell: str
    filters: Mapping[str, str]
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of one run. choices: of each filter, its words in the grid's order. measured: whether speed was."""

    columns: tuple[Display, ...]
    rows: tuple[PageRow, ...]
    choices: Mapping[str, tuple[str, ...]]
    measured: bool


def summary(rows: Sequence[Row]) -> Table:
    """A row a model and device: its best calibration set, and what that costs and buys."""
    best = best_rows(rows)
    algorithms = {row.record.algorithm for row in best}
    return table(best, [name for name in SUMMARY if name != "algorithm" or len(algorithms) > 1])


def table(rows: Sequence[Row], order: Sequence[str] = ORDER) -> Table:
    """Cells in the grid's order, with the columns for which they have anything to show."""
    records = [row.record for row in rows]
    unneeded = set() if any(record.size_mib is not None for record in records) else {"size_mib"}
    unneeded |= set() if any(record.outcome != "ok" or record.reached is False for record in records) else {"outcome"}
    shown = tuple(columns(rows, [name for name in order if name not in unneeded]))
    lines = tuple(
        PageRow(cell=row.record.cell, filters=_filters(row.record), shown=tuple(column.shown(row) for column in shown))
        for row in rows
    )
    choices = {name: tuple(dict.fromkeys(line.filters[name] for line in lines)) for name in FILTERS}
    return Table(
        columns=shown,
        rows=lines,
        choices={name: words for name, words in choices.items() if len(words) > 1},
        measured=any(record.fps is not None for record in records),
    )


def _filters(record: Record) -> dict[str, str]:
    """Seeds of one source are one choice."""
    return {
        "model": record.model,
        "calibration": source_of(record) or "none",
        "algorithm": variant(record),
        "device": record.device,
        "verdict": record.verdict or "not measured",
    }
