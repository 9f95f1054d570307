"""`farm gather`: the Parquet files, made anew from the store."""

from typing import Annotated

from typer import Argument, Option

from farm.cli.options import DEFAULT_RESULTS, NoProgress, Results, say, stderr
from farm.cli.progress import gathering
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
    with gathering(stderr, quiet=quiet) as report:
        records, _ = gathered(folder, Location.of(results).store, folder.read_plan(), fresh=fresh, report=report)
    say(f"{len(records)} cells: {folder.path(tables.RECORDS)}")
    if damaged := sum(record.error_class == "damaged" for record in records):
        say(f"{count(damaged, 'cell')} with damaged artefacts (farm why tells which): run the grid again")
    return 0
