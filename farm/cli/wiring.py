"""What several commands share: the consoles, the options, a grid file as a plan."""

import sys
from collections.abc import Mapping
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from farm.catalog import CATALOG
from farm.errors import InputError
from farm.grid import Grid, expand, load
from farm.grid.selection import only
from farm.inputs import HashMemo, cache_folder, default_places, locate
from farm.models.described import describe
from farm.plan import Plan, Stage, build
from farm.results.folder import PLAN, Folder
from farm.results.tables import RECORDS
from farm.store import Store
from farm.suggest import did_you_mean

PIPE_WIDTH = 120
# What is printed is names, paths and messages: a `[name]` or `:100:` in them is text.
stdout = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, markup=False, emoji=False)
stderr = Console(stderr=True, markup=False, emoji=False)

Results = Annotated[
    str, typer.Option("--results", envvar="FARM_RESULTS", help="Where results and the store lie: a folder or a URL.")
]
GridFile = Annotated[Path, typer.Argument(metavar="GRID.yaml", help="The grid to run, e.g. jobs/quickstart.yaml.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="AXIS=NAME|CELL", help="Only cells so named, e.g. model=resnet20. May be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_RESULTS = "results"


def plan_of(path: Path) -> tuple[Grid, Plan]:
    """Load, expand and plan a grid file; nothing is run and nothing heavy is imported."""
    grid = load(path, CATALOG)
    memo = HashMemo(cache_folder() / "hashes.json")
    find = partial(locate, places=default_places(path), memo=memo)
    plan = build(grid, expand(grid), CATALOG, find, _version_of, describe)
    memo.save()
    return grid, plan


def chosen(plan: Plan, texts: list[str] | None) -> tuple[str, ...]:
    """The names of the cells that the ``--only`` options mean. Raises InputError as `farm.grid.selection.only` does."""
    return tuple(only(texts or (), {cell.name: cell.labels() for cell in plan.cells}))


def located(results: str) -> str:
    """The results place as workers see it: a URL as it is, a folder by its absolute path."""
    if not results:
        raise InputError("--results is empty: name a folder or a URL")
    return results if "://" in results else str(Path(results).resolve())


def store_of(results: str) -> Store:
    """The store of a results place."""
    return Store(f"{located(results)}/store", cache=cache_folder() / "store")


def folder_of(results: str, grid: str) -> Folder:
    """A grid's folder in a results place."""
    return Folder(f"{located(results)}/{grid}")


def grids_in(results: str) -> list[str]:
    """The names of the grids that a results place has a plan of, the latest run first."""
    here = Folder(located(results))
    if not here.has(""):
        return []
    newest = sorted(here.fs.glob(f"{here.root}/*/plan.json"), key=lambda path: _age(here, str(path)), reverse=True)
    return [str(path).split("/")[-2] for path in newest]


def _age(folder: Folder, path: str) -> float:
    said: Mapping[str, object] = folder.fs.info(path)
    stamp = said.get("mtime", 0.0)
    return float(stamp) if isinstance(stamp, (int, float)) else 0.0


def one_grid(results: str, named: str | None) -> Folder:
    """The folder of the grid that is named, or of the one that was run last.

    named: a grid, a results folder (of which the grid that was run last is meant), a grid's folder in one, published
    or not, or a URL of either. A path that leads to nothing is no grid's name: else another run might be taken for it.
    """
    if named is not None and (place := _placed(named)) is not None:
        return place
    grids = grids_in(results)
    if not grids:
        raise InputError(f"nothing was run in {results} yet: farm run jobs/quickstart.yaml")
    if named is None:
        return folder_of(results, grids[0])
    name = Path(named).name.removesuffix(".yaml")
    if name not in grids:
        raise InputError(f"no results of a grid {name!r} in {results}{did_you_mean(name, grids)}")
    return folder_of(results, name)


def _placed(named: str) -> Folder | None:
    """The folder at a path or URL; None of a grid's name, or its YAML file. Raises InputError where nothing lies."""
    is_path = "://" in named or (len(Path(named).parts) > 1 and not named.endswith(".yaml"))
    if not is_path and not Path(named).is_dir():
        return None
    here = Folder(located(named))
    if here.has(RECORDS) or here.has(PLAN):
        return here
    found = {str(path) for name in (RECORDS, PLAN) for path in here.fs.glob(f"{here.root}/*/{name}")}
    if found:
        latest = max(found, key=lambda path: (_age(here, path), path))
        return Folder(f"{here.url}/{latest.split('/')[-2]}")
    if not is_path:
        return None
    raise InputError(f"there is no {named}/{RECORDS}: name a grid, its results folder, or the folder's URL")


def cell_of(folder: Folder, name: str) -> dict[str, Stage]:
    """A cell's stages by role. Raises InputError if the plan has no such cell."""
    plan = folder.read_plan()
    cell = plan.cell(name)
    if cell is None:
        raise InputError(f"no cell {name!r} in {folder.url}{did_you_mean(name, [cell.name for cell in plan.cells])}")
    return {role: plan.stages[uri] for role, uri in cell.stages.items()}


@cache
def _version_of(distribution: str) -> str:
    return metadata.version(distribution)
