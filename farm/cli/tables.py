"""How `farm show` prints what was read: tables one after another, or one joined output for other programs."""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import RenderableType
from rich.measure import Measurement

from farm.analysis.analysis import Analysis, analyse
from farm.analysis.rows import ROW_COLUMNS, Row
from farm.cli.options import stdout
from farm.columns import iso
from farm.errors import InputError
from farm.files import replaced
from farm.grid.settings import Claims
from farm.report import formats, selection
from farm.report.layouts import LAYOUTS, fills, lacking, laid_out
from farm.report.remarks import remarks
from farm.report.seeds import seed_lines
from farm.report.table import main_table
from farm.report.texttable import TextTable
from farm.results.folder import Folder
from farm.results.reading import Run, names_of, read_run
from farm.suggest import did_you_mean

CELLS = LAYOUTS[0]
LAID_OUT = ("--csv", "--md")  # what a layout can be printed as too
WIDEST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is asked to be seen of a run: which rows, in which order and layout."""

    where: selection.Wanted
    sort: str | None
    layout: str


ALL = View(where=(), sort=None, layout=CELLS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A run under the name that it is shown by, with the rows that a view asks for, in their order.

    none: the sentence in place of a table that would have no row; empty where there is one.
    """

    name: str
    analysis: Analysis
    rows: Sequence[Row]
    none: str = ""


def view(where: Sequence[str], sort: str | None, layout: str, form: str | None) -> View:
    """What is asked for, checked before anything is read. Raises InputError."""
    if layout not in LAYOUTS:
        raise InputError(f"--layout {layout}: no such layout{did_you_mean(layout, LAYOUTS)}")
    if layout != CELLS and form is not None and form not in LAID_OUT:
        raise InputError(f"{form} holds cells: leave out --layout {layout}, or print it with --md or --csv")
    return View(where=selection.wanted(where), sort=selection.sortable(sort), layout=layout)


def print_runs(folders: Sequence[Folder], of: View, form: str | None, parquet: Path | None) -> int:
    """Print each run's table, or all of them joined in the form that is asked for."""
    runs = _chosen([read_run(folder) for folder in folders], of)
    if form is None:
        for index, one in enumerate(runs):
            if len(runs) > 1:
                stdout.print("\n" * (index > 0) + one.name, style="bold", highlight=False, soft_wrap=True)
            print_parts(parts(one, of))
    elif form == "--md":
        stdout.out("\n".join(_markdown(one, of, several=len(runs) > 1) for one in runs), highlight=False, end="")
    elif of.layout != CELLS:
        stdout.out(_joined_layouts(runs, of), highlight=False, end="")
    else:
        _give(_joined(runs, of), [one.analysis.run.claims for one in runs], form, parquet)
    return 0


def summary(run: Run, cells: Collection[str]) -> tuple[RenderableType, list[str]]:
    """The table of some of a run's cells, judged among all of them, and the lines below it."""
    analysis = analyse(run)
    rows = [row for row in analysis.rows if row.record.cell in cells]
    return parts(Chosen(name=run.name, analysis=analysis, rows=rows, none="" if rows else _none(rows, ALL)), ALL)


def parts(chosen: Chosen, of: View) -> tuple[RenderableType, list[str]]:
    """A run's table, and the lines below it; a sentence where it would have no row."""
    return (chosen.none, []) if chosen.none else (_table(chosen, of), _lines(chosen))


def print_parts(what: tuple[RenderableType, list[str]]) -> None:
    """Print a table and its lines."""
    table, lines = what
    with _wide_enough(table):
        stdout.print(table, highlight=False)
    for line in lines:
        stdout.print(line, highlight=False, soft_wrap=True)


@contextmanager
def _wide_enough(table: RenderableType) -> Iterator[None]:
    """No narrower than the table, where no screen ends its lines."""
    before = stdout.width
    if not stdout.is_terminal:
        needed = Measurement.get(stdout, stdout.options.update_width(WIDEST), table).maximum
        stdout.width = max(before, needed)
    try:
        yield
    finally:
        stdout.width = before


def choice(name: str, analysis: Analysis, of: View) -> Chosen:
    """Those of a run's rows that are asked for."""
    rows = selection.ordered(selection.chosen(analysis.rows, of.where), of.sort)
    return Chosen(name=name, analysis=analysis, rows=rows, none=_none(rows, of))


def _none(rows: Sequence[Row], of: View) -> str:
    if not rows:
        return selection.none_chosen(of.where)
    return "" if fills(rows, of.layout) else lacking(of.layout)


def check_layout(chosen: Sequence[Chosen], of: View) -> None:
    """Raise InputError where there are rows, but in no run one for the layout that is asked for."""
    every = [row for one in chosen for row in one.rows]
    if every and not fills(every, of.layout):
        raise InputError(f"--layout {of.layout}: {lacking(of.layout)} to show; try --layout cells")


def _chosen(runs: Sequence[Run], of: View) -> list[Chosen]:
    """The rows of each run. A name in a condition must be one that a cell of any run has, as must a layout's cells."""
    analyses = [analyse(run) for run in runs]
    selection.check([row for analysis in analyses for row in analysis.rows], of.where, of.sort)
    chosen = [choice(name, analysis, of) for name, analysis in zip(names_of(runs), analyses, strict=True)]
    check_layout(chosen, of)
    return chosen


def _table(chosen: Chosen, of: View) -> TextTable:
    """The rows in the layout that is asked for."""
    if of.layout == CELLS:
        return main_table(chosen.rows)
    return laid_out(chosen.rows, of.layout, chosen.analysis.against_real)


def _lines(chosen: Chosen) -> list[str]:
    """What stands below the table."""
    records = [row.record for row in chosen.rows]
    return [
        *seed_lines(chosen.analysis, records),
        *remarks(records, chosen.analysis.run.records, chosen.analysis.run.command),
    ]


def _markdown(chosen: Chosen, of: View, *, several: bool) -> str:
    """What the terminal shows of a run, for GitHub. several: whether it needs its name."""
    heading = f"### {formats.escaped(chosen.name)}\n\n" if several else ""
    if chosen.none:
        return f"{heading}{formats.escaped(chosen.none)}\n"
    table = _table(chosen, of)
    below = formats.as_bullets([*table.legend, *_lines(chosen)])
    return heading + table.markdown() + (f"\n{below}" if below else "")


def _joined(chosen: Sequence[Chosen], of: View) -> list[dict[str, Any]]:
    """The values of all rows, each under the name of its run, in one order."""
    names = {id(row): one.name for one in chosen for row in one.rows}
    order = selection.ordered([row for one in chosen for row in one.rows], of.sort)
    return [{**row.values(), "grid": names[id(row)]} for row in order]


def _give(values: list[dict[str, Any]], claims: Sequence[Claims], form: str, parquet: Path | None) -> None:
    """Print or write every column of the rows."""
    if parquet is not None:
        _write(parquet, formats.as_arrow(values, claims[0] if len(set(map(repr, claims))) == 1 else None))
        stdout.print(f"{len(values)} rows: {parquet}", highlight=False, soft_wrap=True)
    elif form == "--csv":
        stdout.out(formats.as_csv(ROW_COLUMNS, [list(row.values()) for row in values]), highlight=False, end="")
    else:
        stdout.print_json(json.dumps(values, default=iso))


def _joined_layouts(chosen: Sequence[Chosen], of: View) -> str:
    """Several runs' layouts as one CSV: each heading of any, and a column of names where several are asked for."""
    tables = {one.name: _table(one, of) for one in chosen if not one.none}
    headings = list(dict.fromkeys(name for table in tables.values() for name in table.names()))
    several = ["grid"] if len(chosen) > 1 else []
    lines = [
        [*(name for _ in several), *(values.get(heading) for heading in headings)]
        for name, table in tables.items()
        for values in ({h: e.value for h, e in zip(table.names(), row, strict=True)} for row in table.rows)
    ]
    return formats.as_csv([*several, *headings], lines) if lines else ""


def _write(path: Path, table: pa.Table) -> None:
    """Write Parquet whole. Raises InputError if it cannot be written."""
    try:
        with replaced(path) as new:
            pq.write_table(table, new, compression="zstd")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
