"""The page's table: a row a cell under the columns that all tables share. Knows rows, not HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.rows import Row
from farm.record import Record, source_of
from farm.report.columns import Display, Shown, columns
from farm.report.words import variant

ORDER = (
    "model", "algorithm", "calibration", "device", "score", "score_drop", "worst_class_drop", "standing", "size_mib",
    "fps", "speedup_ir", "speedup_pytorch", "verdict", "latency_p50_ms", "outcome",
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
    """The table of one run. choices: of each filter, its words in the grid's order. measured: whether speed was."""

    columns: tuple[Display, ...]
    rows: tuple[PageRow, ...]
    choices: Mapping[str, tuple[str, ...]]
    measured: bool


def table(rows: Sequence[Row]) -> Table:
    """Every cell in the grid's order, with the columns for which the run has anything to show."""
    records = [row.record for row in rows]
    unneeded = set() if any(record.size_mib is not None for record in records) else {"size_mib"}
    unneeded |= set() if any(record.outcome != "ok" or record.reached is False for record in records) else {"outcome"}
    shown = tuple(columns(rows, [name for name in ORDER if name not in unneeded]))
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
