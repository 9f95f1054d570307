"""What commands share: the consoles, and the options that mean the same everywhere."""

import shlex
import sys
from collections.abc import Iterable
from json import loads
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from typer import Argument, Option

from farm.shown import redacted, shown, visible

PIPE_WIDTH = 120
WIDEST = 10_000


class Safe(Console):
    """Shows what no name makes move the cursor or tell a secret; JSON in ASCII."""

    def print(self, *objects: Any, **how: Any) -> None:
        """As Rich does."""
        super().print(*(visible(redacted(one)) if isinstance(one, str) else one for one in objects), **how)

    def out(self, *objects: Any, **how: Any) -> None:
        """As Rich does."""
        super().out(*(visible(one) if isinstance(one, str) else one for one in objects), **how)

    def print_json(self, json: str | None = None, **how: Any) -> None:
        """As Rich does."""
        super().print_json(data=None if json is None else _safe(loads(json)), **{"ensure_ascii": True} | how)


def _safe(value: Any) -> Any:
    """JSON's values, without secrets."""
    if isinstance(value, dict):
        return {key: _safe(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_safe(inner) for inner in value]
    return redacted(value) if isinstance(value, str) else value


class Answers(Safe):
    """What was asked for. Where its reader has seen enough, the command ends."""

    def on_broken_pipe(self) -> None:
        """Rich would end the process with an exit code that says something else."""
        raise BrokenPipeError


class Remarks(Safe):
    """What is said beside. Where nobody reads it any more, the work goes on."""

    def print(self, *objects: Any, **how: Any) -> None:
        """As Rich does, of a long text the beginning and the end."""
        super().print(*(shown(one) if isinstance(one, str) else one for one in objects), **how)

    def on_broken_pipe(self) -> None:
        """Say no more."""
        self.quiet = True


# What is printed is names, paths and messages: a `[name]` or `:100:` in them is text.
stdout = Answers(width=None if sys.stdout.isatty() else PIPE_WIDTH, markup=False, emoji=False)
stderr = Remarks(stderr=True, markup=False, emoji=False)

Results = Annotated[
    str, Option("--results", envvar="FARM_RESULTS", help="Where results and the store lie: a folder or a URL.")
]
GridFile = Annotated[Path, Argument(metavar="GRID.yaml", help="The grid to run, e.g. jobs/quickstart.yaml.")]
Only = Annotated[
    list[str] | None,
    Option("--only", metavar="AXIS=NAME|CELL", help="Only cells so named, e.g. model=resnet20. May be repeated."),
]
Failed = Annotated[bool, Option("--failed", help="Only cells that failed before.")]
Fresh = Annotated[
    list[str] | None,
    Option("--fresh", metavar="STAGE", help="Do this stage kind again, and what needs it, e.g. measure."),
]
Cell = Annotated[str, Argument(help="A cell's name, e.g. 'resnet20/fractal/default/CPU{threads=1}', in quotes.")]
CellGrid = Annotated[str | None, Option("--grid", help="Its grid's name, where several grids have such a cell.")]
Address = Annotated[str | None, Option("--address", help="A running Ray cluster; without it, Ray starts here.")]
NoProgress = Annotated[bool, Option("-q", "--quiet", help="No progress.")]
Json = Annotated[bool, Option("--json", help="Print JSON.")]
Wide = Annotated[bool, Option("--wide", help="All columns, whether the terminal has room for them or not.")]
Columns = Annotated[
    str, Option("--columns", metavar="HEADING,...", help="Only these beside names, such as 'drop,x IR,fps'.")
]
DEFAULT_RESULTS = "results"


def at(results: str) -> str:
    """`results` as a command's last words, as one would type them; empty where it is the default."""
    return "" if results == DEFAULT_RESULTS else f" --results {shlex.quote(results)}"


def asking_why(cell: str, grid: str, results: str) -> str:
    """The command that says more of a cell."""
    return f"farm why {shlex.quote(cell)} --grid {shlex.quote(grid)}{at(results)}"


def say(text: str) -> None:
    """Print a text to be copied or piped: no number of it is coloured, and none of its lines is broken."""
    stdout.print(text, highlight=False, soft_wrap=True)


def show_table(shown: RenderableType, *, wide: bool) -> None:
    """Print a table as wide as the terminal; with all of it where that is asked for, or where there is no terminal."""
    before = stdout.width
    if wide or not stdout.is_terminal:
        needed = Measurement.get(stdout, stdout.options.update_width(WIDEST), shown).maximum
        stdout.width = max(before, needed)
    try:
        stdout.print(shown, highlight=False)
    finally:
        stdout.width = before


class SafeTable(Table):
    """Rich's table, whose texts are shown as `Safe` shows them."""

    def add_row(self, *cells: Any, **how: Any) -> None:
        """As Rich does."""
        super().add_row(*(shown(one) if isinstance(one, str) else one for one in cells), **how)


def table(*words: str, numbers: Iterable[str] = (), caption: str | None = None) -> Table:
    """A table without rows. words: headings of columns that wrap where there is no room; numbers: of those after."""
    empty = SafeTable(box=None, header_style="bold", pad_edge=False, caption=caption, caption_justify="left")
    for heading in words:
        empty.add_column(heading, overflow="fold")
    for heading in numbers:
        empty.add_column(heading, justify="right")
    return empty
