"""How `farm show` prints what was read: tables one after another, or one joined output for other programs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from farm.analysis.analysis import Analysis, analyse
from farm.analysis.rows import ROW_COLUMNS, Row
from farm.cli.options import say, show_table, stdout
from farm.codec import encode
from farm.errors import InputError
from farm.files import replaced_for
from farm.grid.settings import Claims
from farm.report import formats, selection
from farm.report.layouts import LAYOUTS, fills, lacking, laid_out
from farm.report.remarks import remarks
from farm.report.seeds import seed_lines
from farm.report.table import check_columns, main_table, wanted
from farm.report.texttable import TextTable
from farm.results.folder import Folder
from farm.results.reading import Run, names_of, read_run
from farm.suggest import did_you_mean

CELLS = LAYOUTS[0]
LAID_OUT = ("--csv", "--md")  # what a layout can be printed as too


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is asked to be seen of a run: which rows, in which order and layout.

    columns: beside names; all if none is named. wide: all, whether there is room or not.
    """

    where: selection.Wanted = ()
    sort: str | None = None
    layout: str = CELLS
    columns: Sequence[str] = ()
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A run under the name that it is shown by, with the rows that a view asks for, in their order."""

    name: str
    analysis: Analysis
    rows: Sequence[Row]
    of: View

    @property
    def none(self) -> str:
        """The sentence in place of a table that would have no row; empty where there is one."""
        if fills(self.rows, self.of.layout):
            return ""
        return lacking(self.of.layout) if self.rows else selection.none_chosen(self.of.where)

    @property
    def table(self) -> TextTable:
        """The rows, laid out."""
        if self.of.layout == CELLS:
            table = main_table(self.rows)
            return table.only(self.of.columns) if self.of.columns else table
        return laid_out(self.rows, self.of.layout, self.analysis.against_real)

    @property
    def lines(self) -> list[str]:
        """What stands below the table."""
        records, run = [row.record for row in self.rows], self.analysis.run
        return [*seed_lines(self.analysis, records), *remarks(records, run.records, run.command)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Printout:
    """What is printed of a run. table: or the sentence in its place. lines: below it. wide: as `View` has it."""

    table: TextTable | str
    lines: Sequence[str]
    wide: bool = False

    def show(self) -> None:
        """Print the table and the lines."""
        show_table(self.table, wide=self.wide)
        for line in self.lines:
            say(line)


def view(
    where: Sequence[str], sort: str | None, layout: str, form: str | None, columns: str = "", *, wide: bool = False
) -> View:
    """What is asked for, checked before anything is read. columns: as typed. Raises InputError."""
    if layout not in LAYOUTS:
        raise InputError(f"--layout {layout}: no such layout{did_you_mean(layout, LAYOUTS)}")
    if layout != CELLS and form is not None and form not in LAID_OUT:
        raise InputError(f"{form} holds cells: leave out --layout {layout}, or print it with --md or --csv")
    if columns and layout != CELLS:
        raise InputError(f"--columns chooses columns of cells: leave out --layout {layout}")
    if columns and form not in (None, "--md"):
        raise InputError(f"{form} holds every column: leave out --columns")
    return View(
        where=selection.wanted(where), sort=selection.sortable(sort), layout=layout, columns=wanted(columns), wide=wide
    )


def print_runs(folders: Sequence[Folder], of: View, form: str | None, parquet: Path | None) -> int:
    """Print each run's table, or all of them joined in the form that is asked for."""
    runs = _chosen([read_run(folder) for folder in folders], of)
    if form is None:
        for index, run in enumerate(runs):
            if len(runs) > 1:
                stdout.print("\n" * (index > 0) + run.name, style="bold", highlight=False, soft_wrap=True)
            printout(run).show()
    elif form == "--md":
        stdout.out("\n".join(_markdown(run, several=len(runs) > 1) for run in runs), highlight=False, end="")
    elif of.layout != CELLS:
        stdout.out(_joined_layouts(runs), highlight=False, end="")
    else:
        _give(_joined(runs, of.sort), [run.analysis.run.claims for run in runs], form, parquet)
    return 0


def summary(run: Run, cells: Collection[str], of: View) -> Printout:
    """The table of some of a run's cells, judged among all of them, and the lines below it."""
    analysis = analyse(run)
    rows = [row for row in analysis.rows if row.record.cell in cells]
    return printout(Chosen(name=run.name, analysis=analysis, rows=rows, of=of))


def printout(chosen: Chosen) -> Printout:
    """A run's table, and the lines below it; a sentence where it would have no row."""
    lines = () if chosen.none else chosen.lines
    return Printout(table=chosen.none or chosen.table, lines=lines, wide=chosen.of.wide)


def choice(name: str, analysis: Analysis, of: View) -> Chosen:
    """Those of a run's rows that are asked for."""
    rows = selection.ordered(selection.chosen(analysis.rows, of.where), of.sort)
    return Chosen(name=name, analysis=analysis, rows=rows, of=of)


def check_layout(chosen: Sequence[Chosen], layout: str) -> None:
    """Raise InputError where there are rows, but in no run one for the layout that is asked for."""
    rows = [row for run in chosen for row in run.rows]
    if rows and not fills(rows, layout):
        raise InputError(f"--layout {layout}: {lacking(layout)} to show; try --layout cells")


def _chosen(runs: Sequence[Run], of: View) -> list[Chosen]:
    """The rows of each run. A name in a condition must be one that a cell of any run has, as must a layout's cells.

    So must a column's metric.
    """
    analyses = [analyse(run) for run in runs]
    rows = [row for analysis in analyses for row in analysis.rows]
    selection.check(rows, of.where, of.sort)
    check_columns(of.columns, {row.record.metric or "top1" for row in rows})
    chosen = [choice(name, analysis, of) for name, analysis in zip(names_of(runs), analyses, strict=True)]
    check_layout(chosen, of.layout)
    return chosen


def _markdown(chosen: Chosen, *, several: bool) -> str:
    """What the terminal shows of a run, for GitHub. several: whether it needs its name."""
    heading = f"### {formats.escaped(chosen.name)}\n\n" if several else ""
    if chosen.none:
        return f"{heading}{formats.escaped(chosen.none)}\n"
    table = chosen.table
    below = formats.as_bullets([*table.legend, *chosen.lines])
    return heading + table.markdown() + (f"\n{below}" if below else "")


def _joined(chosen: Sequence[Chosen], sort: str | None) -> list[dict[str, Any]]:
    """The values of all rows, each under the name of its run, in one order."""
    names = {id(row): run.name for run in chosen for row in run.rows}
    order = selection.ordered([row for run in chosen for row in run.rows], sort)
    return [{**row.values(), "grid": names[id(row)]} for row in order]


def _give(values: list[dict[str, Any]], claims: Sequence[Claims], form: str, parquet: Path | None) -> None:
    """Print or write every column of the rows."""
    if parquet is not None:
        with replaced_for("--parquet", parquet) as new:
            table = formats.as_arrow(values, claims[0] if len(set(map(repr, claims))) == 1 else None)
            pq.write_table(table, new, compression="zstd")
        say(f"{len(values)} rows: {parquet}")
    elif form == "--csv":
        stdout.out(formats.as_csv(ROW_COLUMNS, [list(row.values()) for row in values]), highlight=False, end="")
    else:
        stdout.print_json(encode(values))


def _joined_layouts(chosen: Sequence[Chosen]) -> str:
    """Several runs' layouts as one CSV: each heading of any, and a column of names where several are asked for."""
    tables = {run.name: run.table for run in chosen if not run.none}
    headings = list(dict.fromkeys(name for table in tables.values() for name in table.names()))
    several = ["grid"] if len(chosen) > 1 else []
    lines = [
        [*(name for _ in several), *(values.get(heading) for heading in headings)]
        for name, table in tables.items()
        for values in ({h: e.value for h, e in zip(table.names(), row, strict=True)} for row in table.rows)
    ]
    return formats.as_csv([*several, *headings], lines) if lines else ""
