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

from farm.analysis.replicates import sources
from farm.analysis.rows import COLUMNS, Row, rows
from farm.cli.options import stdout
from farm.columns import iso
from farm.errors import InputError
from farm.files import replaced
from farm.grid.settings import Claims
from farm.report import formats, selection
from farm.report.layouts import LAYOUTS, fills, lacking, laid_out
from farm.report.remarks import remarks
from farm.report.replicates import draw_lines
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A run under the name that it is shown by, with the rows that a view asks for, in their order.

    none: the sentence in place of a table that would have no row; empty where there is one.
    """

    name: str
    run: Run
    rows: Sequence[Row]
    none: str = ""


def view(where: Sequence[str], sort: str | None, layout: str, form: str | None) -> View:
    """What is asked for, checked before anything is read. Raises InputError."""
    if layout not in LAYOUTS:
        raise InputError(f"--layout {layout}: no such layout{did_you_mean(layout, LAYOUTS)}")
    if layout != CELLS and form is not None and form not in LAID_OUT:
        raise InputError(f"{form} holds cells: leave out --layout {layout}, or print it with --md or --csv")
    return View(where=selection.wanted(where), sort=selection.sortable(sort), layout=layout)


def shown(folders: Sequence[Folder], asked: View, form: str | None, parquet: Path | None) -> int:
    """Print each run's table, or all of them joined in the form that is asked for."""
    found = _chosen([read_run(folder) for folder in folders], asked)
    if form is None:
        for index, each in enumerate(found):
            if len(found) > 1:
                stdout.print("\n" * (index > 0) + each.name, style="bold", highlight=False, soft_wrap=True)
            draw(parts(each, asked))
    elif form == "--md":
        stdout.out("\n".join(_markdown(each, asked, several=len(found) > 1) for each in found), highlight=False, end="")
    elif asked.layout != CELLS:
        stdout.out(_joined_layouts(found, asked), highlight=False, end="")
    else:
        _give(_joined(found, asked), [each.run.claims for each in found], form, parquet)
    return 0


def summary(run: Run, cells: Collection[str]) -> tuple[RenderableType, list[str]]:
    """The table of some of a run's cells, judged among all of them, and the lines below it."""
    chosen = [row for row in rows(run) if row.record.cell in cells]
    asked = View(where=(), sort=None, layout=CELLS)
    return parts(choice(run.name, run, chosen, asked), asked)


def parts(each: Chosen, asked: View) -> tuple[RenderableType, list[str]]:
    """A run's table, and the lines below it; a sentence where it would have no row."""
    if each.none:
        return each.none, []
    return _table(each, asked).drawn(), _lines(each)


def draw(what: tuple[RenderableType, list[str]]) -> None:
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


def choice(name: str, run: Run, every: Sequence[Row], asked: View) -> Chosen:
    """Those of a run's rows that are asked for."""
    found = selection.ordered(selection.meant(every, asked.where), asked.sort)
    return Chosen(name=name, run=run, rows=found, none=_none(found, asked))


def _none(found: Sequence[Row], asked: View) -> str:
    if not found:
        return selection.none_meant(asked.where)
    return "" if fills(found, asked.layout) else lacking(asked.layout)


def check_layout(found: Sequence[Chosen], asked: View) -> None:
    """Raise InputError where there are rows, but in no run one for the layout that is asked for."""
    every = [row for each in found for row in each.rows]
    if every and not fills(every, asked.layout):
        raise InputError(f"--layout {asked.layout}: {lacking(asked.layout)} to show; try --layout cells")


def _chosen(runs: Sequence[Run], asked: View) -> list[Chosen]:
    """The rows of each run. A name in a condition must be one that a cell of any run has, as must a layout's cells."""
    every = [rows(run) for run in runs]
    selection.check([row for each in every for row in each], asked.where, asked.sort)
    found = [choice(name, run, each, asked) for name, run, each in zip(names_of(runs), runs, every, strict=True)]
    check_layout(found, asked)
    return found


def _table(each: Chosen, asked: View) -> TextTable:
    """The rows in the layout that is asked for."""
    if asked.layout == CELLS:
        return main_table(each.rows)
    worse = {
        (said.model, said.source, said.algorithm, said.device) for said in sources(each.run) if said.standing == "worse"
    }
    return laid_out(each.rows, asked.layout, worse)


def _lines(each: Chosen) -> list[str]:
    """What stands below the table."""
    records = [row.record for row in each.rows]
    return [*draw_lines(sources(each.run), records, each.run), *remarks(records, each.run.records, each.run.command)]


def _markdown(each: Chosen, asked: View, *, several: bool) -> str:
    """What the terminal shows of a run, for GitHub. several: whether it needs its name."""
    heading = f"### {formats.escaped(each.name)}\n\n" if several else ""
    if each.none:
        return f"{heading}{formats.escaped(each.none)}\n"
    table = _table(each, asked)
    below = formats.as_bullets([*table.legend, *_lines(each)])
    return heading + table.markdown() + (f"\n{below}" if below else "")


def _joined(found: Sequence[Chosen], asked: View) -> list[dict[str, Any]]:
    """The values of all rows, each under the name of its run, in one order."""
    names = {id(row): each.name for each in found for row in each.rows}
    order = selection.ordered([row for each in found for row in each.rows], asked.sort)
    return [{**row.values(), "grid": names[id(row)]} for row in order]


def _give(values: list[dict[str, Any]], claims: Sequence[Claims], form: str, parquet: Path | None) -> None:
    """Print or write every column of the rows."""
    if parquet is not None:
        _write(parquet, formats.as_arrow(values, claims[0] if len(set(map(repr, claims))) == 1 else None))
        stdout.print(f"{len(values)} rows: {parquet}", highlight=False, soft_wrap=True)
    elif form == "--csv":
        stdout.out(formats.as_csv(COLUMNS, [list(row.values()) for row in values]), highlight=False, end="")
    else:
        stdout.print_json(json.dumps(values, default=iso))


def _joined_layouts(found: Sequence[Chosen], asked: View) -> str:
    """Several runs' layouts as one CSV: each heading of any, and a column of names where several are asked for."""
    tables = {each.name: _table(each, asked) for each in found if not each.none}
    headings = list(dict.fromkeys(name for table in tables.values() for name in table.headings()))
    several = ["grid"] if len(found) > 1 else []
    lines = [
        [*(name for _ in several), *(values.get(heading) for heading in headings)]
        for name, table in tables.items()
        for values in ({h: e.value for h, e in zip(table.headings(), row, strict=True)} for row in table.rows)
    ]
    return formats.as_csv([*several, *headings], lines) if lines else ""


def _write(path: Path, table: pa.Table) -> None:
    """Write Parquet whole. Raises InputError if it cannot be written."""
    try:
        with replaced(path) as new:
            pq.write_table(table, new, compression="zstd")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
