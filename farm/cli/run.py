"""`farm run`, and carrying out a plan for any command that has one."""

import shlex
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from farm.catalog import CATALOG
from farm.cli import interrupt
from farm.cli.download import Downloads
from farm.cli.wiring import (
    DEFAULT_RESULTS,
    Only,
    Results,
    chosen,
    folder_of,
    plan_of,
    stderr,
    stdout,
    store_of,
)
from farm.drive import Limits, Progress, drive
from farm.engine import Engine
from farm.errors import InputError
from farm.grid.faults import did_you_mean
from farm.plan import Plan, as_json, dependents
from farm.record import Outcome, Record
from farm.report.progress import Report, shown
from farm.results import tables
from farm.results.folder import Folder
from farm.results.gather import gather
from farm.results.reading import read_run
from farm.store import Store

EXAMPLES = """
farm run jobs/quickstart.yaml

farm run jobs/study.yaml --only model=resnet20 --only algorithm=default

farm run jobs/table1.yaml --address ray://head:10001 --results s3://bucket/results
"""
GridFile = Annotated[Path, typer.Argument(metavar="GRID.yaml", help="The grid to run, e.g. jobs/quickstart.yaml.")]


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
    if downloads.fetch(plan, stages_of(plan, set(chosen(plan, only))), unsettled=True):
        grid, plan = plan_of(grid_file)  # now the content, and with it the keys, are known
    plan = downloads.told(plan)
    cells = set(chosen(plan, only))
    if failed:
        cells = _failed_before(plan, store, cells)
    uris = stages_of(plan, cells)
    stale = _stale(plan, uris, fresh or [])
    wanted = (uris - store.present(uris)) | stale
    downloads.fetch(plan, wanted)
    plan = downloads.told(plan)
    folder.write_plan(as_json(plan, str(grid_file.resolve()), _typed(grid_file, results)))
    try:
        if wanted:
            limits = Limits(stages=CATALOG.stages, settings=grid.settings, session=uuid.uuid4().hex[:12])
            carry_out(plan, wanted, stale, store, limits, engine=engine, address=address, quiet=quiet)
    finally:
        records = _gathered(folder, store)
    return _summary(folder, [record for record in records if record.cell in cells], len(records), bool(wanted))


def _typed(grid_file: Path, results: str) -> str:
    """The command that runs the grid, as the user would type it again."""
    where = "" if results == DEFAULT_RESULTS else f" --results {shlex.quote(results)}"
    return f"farm run {shlex.quote(str(grid_file))}{where}"


def stages_of(plan: Plan, cells: Collection[str]) -> set[str]:
    """The uris of all stages that these cells need."""
    return {uri for planned in plan.cells if planned.cell.name in cells for uri in planned.stages.values()}


def carry_out(
    plan: Plan,
    wanted: set[str],
    stale: set[str],
    store: Store,
    limits: Limits,
    *,
    engine: str,
    address: str | None,
    quiet: bool,
    failures: bool = True,
) -> dict[str, Outcome]:
    """Drive a plan on an engine, showing progress; the engine is closed whatever happens. The outcomes by uri.

    failures: whether progress tells of them too; False for callers that do so afterwards.
    """
    lacking = dependents(plan, {uri for uri in wanted if plan.stages[uri].missing})
    with shown(stderr, quiet=quiet) as report:
        chosen_engine = _engine(engine if wanted - lacking else "inline", address, quiet=quiet)
        interrupt.listen()  # Ray has set handlers of its own
        heeded = interrupt.heeding(report if failures else _but_failures(report))
        try:
            return drive(plan, wanted, engine=chosen_engine, store=store, limits=limits, report=heeded, stale=stale)
        finally:
            with interrupt.held_off():
                chosen_engine.close()


def _but_failures(report: Report) -> Report:
    """The report without a stage's failure."""

    def reported(progress: Progress) -> None:
        if not (isinstance(progress.last, Outcome) and not progress.last.ok):
            report(progress)

    return reported


def _engine(name: str, address: str | None, *, quiet: bool) -> Engine:
    if name == "inline":
        from farm.engine.inline import InlineEngine  # noqa: PLC0415

        return InlineEngine()
    if name != "ray":
        raise InputError(f"--engine {name}: there are ray and inline{did_you_mean(name, ('ray', 'inline'))}")
    if not quiet:
        stderr.print("starting Ray ..." if address is None else f"joining Ray at {address} ...", style="dim")
    from farm.engine.ray import RayEngine  # noqa: PLC0415 - seconds that only a run with work to do pays

    return RayEngine(address)


def _failed_before(plan: Plan, store: Store, cells: set[str]) -> set[str]:
    """The cells among these with a stage that is not there and whose last attempt failed, or that lacks a file."""
    there = store.present(stages_of(plan, cells))
    found = {
        planned.cell.name
        for planned in plan.cells
        if planned.cell.name in cells
        and any(state_of(plan, store, uri, there) in ("failed", "missing_input") for uri in planned.stages.values())
    }
    if not found:
        raise InputError("--failed: no cell of this grid failed before")
    return found


def state_of(plan: Plan, store: Store, uri: str, there: Collection[str]) -> str:
    """cached, missing_input, failed or to_run. there: the uris whose artefacts are there, see `Store.present`."""
    if uri in there:
        return "cached"
    if plan.stages[uri].missing:
        return "missing_input"
    attempts = store.attempts(uri)
    return "failed" if attempts and not attempts[-1].ok else "to_run"


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
