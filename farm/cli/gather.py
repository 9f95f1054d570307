"""`farm gather`: the Parquet files, made anew from the store."""

from typing import Annotated

from typer import Argument

from farm.cli.options import DEFAULT_RESULTS, Results, say
from farm.report.numbers import count
from farm.results import tables
from farm.results.gather import gather as gathered
from farm.results.location import Location

EXAMPLES = """
farm gather

farm gather quickstart --results s3://bucket/results
"""


def gather(
    grid: Annotated[str | None, Argument(metavar="[GRID]", help="A grid's name; the one run last by default.")] = None,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Rebuild a grid's Parquet files from the store: records, attempts, predictions, latencies, samples."""
    folder = Location.of(results).grid(grid)
    records = gathered(folder, Location.of(results).store)
    say(f"{len(records)} cells: {folder.path(tables.RECORDS)}")
    if damaged := sum(record.error_class == "damaged" for record in records):
        say(f"{count(damaged, 'cell')} with damaged artefacts (farm why tells which): run the grid again")
    return 0
