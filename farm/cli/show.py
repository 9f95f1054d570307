"""`farm show`: tables of results. It reads results, and runs nothing."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from farm.cli.options import DEFAULT_RESULTS, Columns, Json, Results, Wide
from farm.errors import InputError
from farm.results.location import Location

EXAMPLES = """
farm show table1 --layout table1 --where device=CPU

farm show results/reference/synthetic s3://ci/results/synthetic --csv > both.csv

farm show --where outcome=failed --sort -quantize_s

farm show --sort -drop --where verdict=valid --md > table.md

farm show study --columns 'drop,x IR,verdict'
"""


def show(
    grids: Annotated[
        list[str] | None,
        Argument(metavar="[GRID]...", help="Grids' names, results folders or URLs; the run last by default."),
    ] = None,
    where: Annotated[
        list[str] | None,
        Option(metavar="AXIS=VALUE", help="Only such rows: an axis, a heading or a column. Repeatable."),
    ] = None,
    sort: Annotated[
        str | None, Option(metavar="COLUMN", help="By a heading of the table or a column; -COLUMN: from the greatest.")
    ] = None,
    layout: Annotated[str, Option(help="cells, a row each; table1 or table2 of the study, a row a model.")] = "cells",
    columns: Columns = "",
    wide: Wide = False,
    as_csv: Annotated[bool, Option("--csv", help="Print CSV, with every column.")] = False,
    as_md: Annotated[bool, Option("--md", help="Print the table as Markdown.")] = False,
    as_json: Json = False,
    parquet: Annotated[Path | None, Option(metavar="FILE", help="Write Parquet, with every column.")] = None,
    sheet: Annotated[
        Path | None, Option(metavar="FILE.png", help="Also save a sheet with images of each calibration set.")
    ] = None,
    watch: Annotated[bool, Option("--watch", help="Live, until the run ends, or Ctrl-C.")] = False,
    every: Annotated[float, Option(metavar="SECONDS", min=0.1, help="How often --watch looks.")] = 5.0,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Show a grid's table: accuracy, speed and size of each cell, how sure they are, and what failed."""
    outputs = {"--csv": as_csv, "--md": as_md, "--json": as_json, "--parquet": parquet is not None}
    form = _one_of(outputs, watch=watch)
    if watch and wide:
        raise InputError("--watch and --wide: choose one; --columns chooses what is watched")
    from farm.cli import views  # noqa: PLC0415 - scipy is for those who judge accuracies

    named: list[str | None] = list(grids) if grids else [None]
    folders = [Location.of(results).grid(name) for name in named]
    view = views.view(where or [], sort, layout, form, columns, wide=wide)
    if sheet is not None:
        from farm.report import contact_sheet  # noqa: PLC0415 - Pillow is for those who ask for pictures
        from farm.results.reading import samples_table  # noqa: PLC0415

        contact_sheet.check("--sheet", sheet)
        contact_sheet.save("--sheet", sheet, [row for one in folders for row in samples_table(one).to_pylist()])
    if watch:
        if len(folders) > 1:
            raise InputError("--watch shows one grid: name one")
        from farm.cli import watch as watched  # noqa: PLC0415 - the plan's stages are for those who watch them

        return watched.watch(folders[0], view, every)
    return views.print_runs(folders, view, form, parquet)


def _one_of(outputs: dict[str, bool], *, watch: bool) -> str | None:
    """The output that is asked for, if any. Raises InputError for more than one."""
    chosen = [name for name, wanted in {**outputs, "--watch": watch}.items() if wanted]
    if len(chosen) > 1:
        raise InputError(f"{' and '.join(chosen)}: choose one")
    return chosen[0] if chosen and not watch else None
