"""How `farm show` prints what was read: tables one after another, or one joined output."""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import RenderableType
from rich.measure import Measurement

from farm.cli.wiring import stdout
from farm.errors import InputError
from farm.grid.cell import Claims
from farm.grid.faults import did_you_mean
from farm.report import forms, selection
from farm.report.columns import COLUMNS, Row, judgements, rows
from farm.report.draws import sources
from farm.report.drawtext import draw_lines
from farm.report.layouts import LAYOUTS, Layout, laid_out
from farm.report.table import controlled, doubts, failures, main_table, notes
from farm.results.folder import Folder
from farm.results.reading import Run, read_run

CELLS = LAYOUTS[0]
TEXTS = {"--csv": forms.as_csv, "--md": forms.as_markdown}  # what a layout can be printed as too
WIDEST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is shown of a run: which rows, in which order and layout."""

    where: selection.Wanted
    sort: str | None
    layout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A run under its name, with the rows that are shown of it."""

    name: str
    run: Run
    rows: Sequence[Row]


def view(where: Sequence[str], sort: str | None, layout: str, form: str | None) -> View:
    """What is asked for, checked before anything is read. Raises InputError."""
    if layout not in LAYOUTS:
        raise InputError(f"--layout {layout}: no such layout{did_you_mean(layout, LAYOUTS)}")
    if layout != CELLS and form is not None and form not in TEXTS:
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
    elif asked.layout != CELLS:
        header, lines = _joined_layouts({each.name: _layout(each, asked) for each in found if each.rows})
        stdout.out(TEXTS[form](header, lines), highlight=False, end="")
    else:
        _give(_joined(found, asked), [each.run.claims for each in found], form, parquet)
    return 0


def summary(run: Run, cells: Collection[str]) -> tuple[RenderableType, list[str]]:
    """The table of some of a run's cells, judged among all of them, and the lines below it."""
    chosen = [row for row in rows(run) if row.record.cell in cells]
    return parts(Shown(name=run.name, run=run, rows=chosen), View(where={}, sort=None, layout=CELLS))


def parts(each: Shown, asked: View) -> tuple[RenderableType, list[str]]:
    """A run's table, and the lines below it."""
    if not each.rows:
        return "no such cell", []
    records = [row.record for row in each.rows]
    table = main_table(records, judgements(each.rows)) if asked.layout == CELLS else _layout(each, asked).drawn()
    lines = (*notes(records), *controlled(records), *doubts(records), *failures(records))
    return table, [*draw_lines(sources(each.run), records, each.run), *lines]


def draw(what: tuple[RenderableType, list[str]]) -> None:
    """Print a table and its lines."""
    table, lines = what
    with _wide_enough(table):
        stdout.print(table)
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


def _chosen(runs: Sequence[Run], asked: View) -> list[Shown]:
    """The rows of each run. A condition must mean a cell of one of them."""
    every = [rows(run) for run in runs]
    kept = {id(row) for row in selection.chosen([row for each in every for row in each], asked.where)}
    names = [run.name for run in runs]
    if len(set(names)) < len(names):  # one grid in several places
        names = [run.folder.url for run in runs]
    return [
        Shown(name=name, run=run, rows=selection.ordered([row for row in each if id(row) in kept], asked.sort))
        for name, run, each in zip(names, runs, every, strict=True)
    ]


def _layout(each: Shown, asked: View) -> Layout:
    worse = {
        (said.model, said.source, said.algorithm, said.device) for said in sources(each.run) if said.standing == "worse"
    }
    return laid_out(each.rows, asked.layout, worse)


def _joined(found: Sequence[Shown], asked: View) -> list[dict[str, Any]]:
    """The values of all rows, each under the name of its run, in one order."""
    names = {id(row): each.name for each in found for row in each.rows}
    order = selection.ordered([row for each in found for row in each.rows], asked.sort)
    return [{**row.values(), "grid": names[id(row)]} for row in order]


def _give(values: list[dict[str, Any]], claims: Sequence[Claims], form: str, parquet: Path | None) -> None:
    """Print or write every column of the rows."""
    if parquet is not None:
        _write(parquet, forms.as_arrow(values, claims[0] if len(set(map(repr, claims))) == 1 else None))
        stdout.print(f"{len(values)} rows: {parquet}", highlight=False, soft_wrap=True)
    elif form in TEXTS:
        table = TEXTS[form](COLUMNS, [list(row.values()) for row in values])
        stdout.out(table, highlight=False, end="")
    else:
        stdout.print_json(json.dumps(values))


def _joined_layouts(layouts: Mapping[str, Layout]) -> tuple[list[str], list[list[str]]]:
    """Several runs' layouts as one table: each heading of any, and a column of names where there are several."""
    headings = list(dict.fromkeys(name for each in layouts.values() for name in each.headings()))
    several = ["grid"] if len(layouts) > 1 else []
    lines = [
        [*(name for _ in several), *(values.get(heading, "") for heading in headings)]
        for name, each in layouts.items()
        for values in (dict(zip(each.headings(), row, strict=True)) for row in each.rows)
    ]
    return [*several, *headings], lines


def _write(path: Path, table: pa.Table) -> None:
    """Write Parquet whole. Raises InputError if it cannot be written."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
