"""`farm run`: what is missing of a grid, and then its table."""

import shlex
from typing import Annotated

from typer import Option

from farm.campaign.run import Ended, RunOptions
from farm.campaign.run import run as carried_out
from farm.catalog import CATALOG
from farm.cli.options import (
    DEFAULT_RESULTS,
    Address,
    Columns,
    Failed,
    Fresh,
    GridFile,
    Only,
    Results,
    Wide,
    asking_why,
    at,
    say,
    stdout,
)
from farm.cli.progress import console
from farm.drive import PATIENCE_S
from farm.grid.load import load
from farm.report.numbers import count as count_of
from farm.report.remarks import failures, notes, reservations
from farm.results.location import Location
from farm.results.reading import read_run
from farm.results.tables import RECORDS

MOST = 200  # rows of a table that nobody asked for

EXAMPLES = """
farm run jobs/quickstart.yaml

farm run jobs/study.yaml --only model=resnet20 --only algorithm=default

farm run jobs/table1.yaml --address auto --results s3://bucket/results
"""


def run(
    grid_file: GridFile,
    only: Only = None,
    failed: Failed = False,
    fresh: Fresh = None,
    no_measure: Annotated[
        bool, Option("--no-measure", help="Accuracy alone. What was measured stays; a later run does the rest.")
    ] = False,
    address: Address = None,
    ship: Annotated[
        bool, Option("--ship", help="Put files that only this host has, 100 MiB each at most, into the store, for all.")
    ] = False,
    wait: Annotated[
        float,
        Option("--wait", metavar="SECONDS", min=0, help="How long a node of a cluster is waited for that could go on."),
    ] = PATIENCE_S,
    engine: Annotated[str, Option(help="ray, or inline: one stage after another, without Ray.")] = "ray",
    quiet: Annotated[bool, Option("-q", "--quiet", help="No progress; only what is shown at the end.")] = False,
    columns: Columns = "",
    wide: Wide = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Run what is missing, failed or stale of a grid, and only that; then show its table.

    Of more than 200 cells the table is left to farm show, unless --columns or --wide asks for it.

    Exit code 0: all fine, 1: some cells failed, 2: bad input, 130: interrupted (the same command goes on).
    """
    grid = load(grid_file, CATALOG)
    if columns:
        from farm.report.table import check_columns, wanted  # noqa: PLC0415 - as in `_show`

        check_columns(wanted(columns), {grid.metric})  # a slip is said before the run, not after it
    options = RunOptions(
        only=only or (), failed=failed, fresh=fresh or (), measure=not no_measure, ship=ship,
        engine=engine, address=address, wait_s=wait, command=f"farm run {shlex.quote(str(grid_file))}{at(results)}",
    )  # fmt: skip
    ended = carried_out(grid, Location.of(results), options, console(quiet=quiet))
    return _show(ended, results, options.command, columns, wide=wide)


def _show(ended: Ended, results: str, command: str, columns: str, *, wide: bool) -> int:
    """The table of the cells that were asked for, and what is to be said of them; the exit code.

    results, columns, wide: as typed. command: that does the same again.
    """
    from farm.cli import views  # noqa: PLC0415 - scipy, which planning need not pay

    records = [record for record in ended.records if record.cell in ended.cells]
    failed = [record.cell for record in records if record.outcome != "ok"]
    if too_many := len(records) > MOST and not (columns or wide):
        for line in (*notes(records), *reservations(records, ended.records, command), *failures(records)):
            say(line)
    else:
        view = views.view([], None, views.CELLS, None, columns, wide=wide)
        views.summary(read_run(ended.folder), ended.cells, view).show()
    if failed:
        why = asking_why(failed[0], records[0].grid, results)
        what = "failed" if all(record.outcome in ("ok", "failed") for record in records) else "are not there"
        text = f"\n{len(failed)} of {len(records)} cells {what}; next: {why}"
        stdout.print(text, soft_wrap=True)
    note = "" if ended.ran else " (nothing to run: all of it was there)"
    total = len(ended.records)
    count = f"{len(records)} of {total} cells" if len(records) < total else f"{total} cells"
    say(f"{count}{note}: {ended.folder.path(RECORDS)}")
    if too_many:
        say(f"so many rows are printed by: farm show {shlex.quote(records[0].grid)}{at(results)}")
    if ended.unmeasured:
        left = count_of(ended.unmeasured, "measurement is", "measurements are")
        say(f"{left} left: the same command without --no-measure does the rest")
    return 1 if failed else 0
