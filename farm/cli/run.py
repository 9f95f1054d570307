"""`farm run`: what is missing of a grid, and then its table."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from farm.campaign.checks import state_of
from farm.catalog import CATALOG
from farm.cli import interrupt
from farm.cli.carry import carry_out
from farm.cli.download import Downloads
from farm.cli.wiring import (
    DEFAULT_RESULTS,
    GridFile,
    Only,
    Results,
    chosen,
    folder_of,
    plan_of,
    stderr,
    stdout,
    store_of,
)
from farm.errors import InputError
from farm.plan import Plan, dependents
from farm.record import Record
from farm.results import tables
from farm.results.folder import Folder
from farm.results.gather import gather
from farm.results.reading import read_run
from farm.store import Store
from farm.suggest import did_you_mean

EXAMPLES = """
farm run jobs/quickstart.yaml

farm run jobs/study.yaml --only model=resnet20 --only algorithm=default

farm run jobs/table1.yaml --address ray://head:10001 --results s3://bucket/results
"""


def run(
    grid_file: GridFile,
    only: Only = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only cells that failed before.")] = False,
    fresh: Annotated[
        list[str] | None,
        typer.Option("--fresh", metavar="STAGE", help="Do this stage kind again, and what needs it, e.g. measure."),
    ] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster; without it, Ray starts here.")] = None,
    engine: Annotated[str, typer.Option(help="ray, or inline: one stage after another, without Ray.")] = "ray",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only the table at the end.")] = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Run what is missing, failed or stale of a grid, and only that; then show its table.

    Exit code 0: all fine, 1: some cells failed, 2: bad input, 130: interrupted (the same command goes on).
    """
    grid, plan = plan_of(grid_file)
    store, folder = store_of(results), folder_of(results, grid.name)
    store.check_writable()
    downloads = Downloads(stderr, quiet=quiet)
    if downloads.fetch(plan, plan.needed_by(chosen(plan, only)), unsettled=True):
        grid, plan = plan_of(grid_file)  # now the content, and with it the keys, are known
    plan = downloads.told(plan)
    cells = set(chosen(plan, only))
    if failed:
        cells = _failed_before(plan, store, cells)
    uris = plan.needed_by(cells)
    stale = _stale(plan, uris, fresh or [])
    wanted = (uris - store.present(uris)) | stale
    downloads.fetch(plan, wanted)
    plan = downloads.told(plan)
    plan = replace(plan, grid_file=str(grid_file.resolve()), command=_typed(grid_file, results))
    folder.write_plan(plan)
    try:
        if wanted:
            carry_out(
                plan, wanted, store, CATALOG.stages, grid.settings,
                stale=stale, engine=engine, address=address, quiet=quiet,
            )  # fmt: skip
    finally:
        records = _gathered(folder, store)
    return _summary(folder, [record for record in records if record.cell in cells], len(records), bool(wanted))


def _typed(grid_file: Path, results: str) -> str:
    """The command that runs the grid, as the user would type it again."""
    where = "" if results == DEFAULT_RESULTS else f" --results {shlex.quote(results)}"
    return f"farm run {shlex.quote(str(grid_file))}{where}"


def _failed_before(plan: Plan, store: Store, cells: set[str]) -> set[str]:
    """The cells among these with a stage that is not there and whose last attempt failed, or that lacks a file."""
    there = store.present(plan.needed_by(cells))
    found = {
        cell.name
        for cell in plan.cells
        if cell.name in cells
        and any(state_of(plan, store, uri, there) in ("failed", "missing_input") for uri in cell.stages.values())
    }
    if not found:
        raise InputError("--failed: no cell of this grid failed before")
    return found


def _stale(plan: Plan, uris: set[str], kinds: list[str]) -> set[str]:
    """The stages that ``--fresh`` means, and what needs them. Each is done again only when its turn has come."""
    for kind in kinds:
        if kind not in CATALOG.stages:
            raise InputError(f"--fresh {kind}: no such stage kind{did_you_mean(kind, CATALOG.stages)}")
    return dependents(plan, {uri for uri in uris if uri.partition("/")[0] in kinds}) & uris


def _gathered(folder: Folder, store: Store) -> list[Record]:
    with interrupt.held_off():
        return gather(folder, store)


def _summary(folder: Folder, records: list[Record], total: int, ran: bool) -> int:
    from farm.cli import showing  # noqa: PLC0415 - scipy, which planning need not pay

    showing.draw(showing.summary(read_run(folder), {record.cell for record in records}))
    failed = [record for record in records if record.outcome != "ok"]
    if failed:
        name = failed[0].cell
        stdout.print(f"\n{len(failed)} of {len(records)} cells are not there; next: farm why '{name}'", soft_wrap=True)
    note = "" if ran else " (nothing to run: all of it was there)"
    shown_cells = f"{len(records)} of {total} cells" if len(records) < total else f"{total} cells"
    stdout.print(f"{shown_cells}{note}: {folder.path(tables.RECORDS)}", highlight=False, soft_wrap=True)
    return 1 if failed else 0
