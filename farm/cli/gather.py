"""`farm gather`: the Parquet files, made anew from the store."""

from typing import Annotated

from rich import progress as bars
from typer import Argument, Option

from farm.cli.options import DEFAULT_RESULTS, NoProgress, Results, say, stderr
from farm.report.numbers import count
from farm.results import tables
from farm.results.gather import gathered
from farm.results.location import Location

EXAMPLES = """
farm gather

farm gather quickstart --results s3://bucket/results

farm gather table1 --fresh
"""


def gather(
    grid: Annotated[str | None, Argument(metavar="[GRID]", help="A grid's name; the one run last by default.")] = None,
    fresh: Annotated[
        bool, Option("--fresh", help="Read all of it again, whether or not it has changed since the last time.")
    ] = False,
    quiet: NoProgress = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Rebuild a grid's Parquet files from the store: records, attempts, predictions, latencies, samples.

    What has not changed since they were gathered last is not read again.
    """
    folder = Location.of(results).grid(grid)
    hidden = quiet or not stderr.is_terminal
    columns = (bars.TextColumn("gathering"), bars.BarColumn(), bars.MofNCompleteColumn(), bars.TextColumn("cells"))
    with bars.Progress(*columns, bars.TimeRemainingColumn(), console=stderr, disable=hidden, transient=True) as bar:
        task = bar.add_task("")
        records, _ = gathered(
            folder, Location.of(results).store, folder.read_plan(), fresh=fresh,
            report=lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    say(f"{len(records)} cells: {folder.path(tables.RECORDS)}")
    if damaged := sum(record.error_class == "damaged" for record in records):
        say(f"{count(damaged, 'cell')} with damaged artefacts (farm why tells which): run the grid again")
    return 0
