"""`farm compare`: two runs, cell by cell, for people and for CI. Parses, prints and says so by its exit code."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from typer import Argument, Option

from farm.cli.options import DEFAULT_RESULTS, Columns, Json, Only, Results, Wide, say, show_table, stdout
from farm.errors import InputError
from farm.grid.selection import labels_of
from farm.grid.selection import only as only_of
from farm.results.location import Location
from farm.results.reading import Run, read_run

WORSE = 1
EXAMPLES = """
farm compare results/before/quickstart quickstart

farm compare s3://ci/main/table1 table1 --max-drop 0.002 --md > comment.md

farm compare laptop/table1 server/table1 --across-hosts --only model=resnet20
"""
WHERE = "A grid's name, its results folder, or the folder's URL"


def compare(
    first: Annotated[str, Argument(metavar="A", help=f"{WHERE}: what is compared with.")],
    second: Annotated[str, Argument(metavar="B", help=f"{WHERE}: what may have got worse.")],
    max_drop: Annotated[float, Option(metavar="SHARE", help="A loss of accuracy up to this does not matter.")] = 0.005,
    max_slowdown: Annotated[
        float, Option(metavar="SHARE", help="A loss of x IR up to this share does not matter.")
    ] = 0.05,
    across_hosts: Annotated[
        bool, Option("--across-hosts", help="Show FPS and judge x IR of different hosts all the same.")
    ] = False,
    only: Only = None,
    columns: Columns = "",
    wide: Wide = False,
    as_json: Json = False,
    as_md: Annotated[bool, Option("--md", help="Print Markdown, for a pull request.")] = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Compare two runs cell by cell: two versions, two hosts, before and after. Regressions come first.

    Exit code 0: no regression, 1: a cell fails, or is surely and by too much worse or slower, 2: bad input.
    """
    if as_json and as_md:
        raise InputError("--json and --md: choose one")
    for name, value in (("max-drop", max_drop), ("max-slowdown", max_slowdown)):
        if not 0 <= value < math.inf:  # nor is NaN, which no loss would ever be more than
            raise InputError(f"--{name} {value:g}: must be 0 or more, such as 0.01")
    if as_json and columns:
        raise InputError("--json holds every column: leave out --columns")
    one, other = (read_run(Location.of(results).grid(named)) for named in (first, second))
    from farm.analysis.changes import Tolerance  # noqa: PLC0415
    from farm.analysis.comparison import as_json as values  # noqa: PLC0415
    from farm.analysis.comparison import compare as compared  # noqa: PLC0415
    from farm.report import comparison  # noqa: PLC0415 - scipy is for those who compare

    wanted = comparison.wanted(columns)
    tolerance = Tolerance(max_drop=max_drop, max_slowdown=max_slowdown, across_hosts=across_hosts)
    one, other = _chosen(one, other, only) if only else (one, other)
    changes = compared(one, other, tolerance)
    if as_json:
        stdout.print_json(json.dumps(values(changes)))
    elif as_md:
        say(comparison.markdown(changes, wanted))
    else:
        show_table(comparison.table(changes, wanted), wide=wide)
        for line in comparison.lines(changes):
            say(line)
    if changes.vain:
        raise InputError("nothing could be judged: see why above")
    return WORSE if changes.regressions else 0


def _chosen(first: Run, second: Run, texts: Sequence[str]) -> tuple[Run, Run]:
    """The runs with the cells that ``--only`` means. Raises InputError for one that means no cell of either."""
    every = {record.cell: labels_of(record) for record in (*first.records, *second.records)}
    wanted = {*only_of(texts, every)}
    one, other = (tuple(record for record in run.records if record.cell in wanted) for run in (first, second))
    return replace(first, records=one), replace(second, records=other)
