"""Where results lie: a folder or a URL that holds the store and a folder a grid. Reads names and times, no content."""

from dataclasses import dataclass
from glob import escape
from pathlib import Path

from farm.errors import DataError, InputError
from farm.inputs import cache_folder
from farm.plan import Plan, Stage
from farm.results.folder import PLAN, Folder
from farm.results.tables import RECORDS
from farm.store import Store
from farm.suggest import did_you_mean

STORE = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A cell, and the run that has it: the folder of its grid, and its plan."""

    cell: str
    folder: Folder
    plan: Plan

    @property
    def grid(self) -> str:
        """The name of its grid's folder."""
        return self.folder.url.rpartition("/")[2]

    @property
    def stages(self) -> dict[str, Stage]:
        """By role, as plan.json has them."""
        planned = self.plan.cell(self.cell)
        return {role: self.plan.stages[uri] for role, uri in planned.stages.items()} if planned else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A results place. name: as the user wrote it. url: as workers see it, a folder by its absolute path."""

    name: str
    url: str

    @classmethod
    def of(cls, results: str | Path) -> "Location":
        """The place of a folder or a URL. Raises InputError if it is empty."""
        name = str(results)
        if not name:
            raise InputError("--results is empty: name a folder or a URL")
        return cls(name=name, url=name if "://" in name else str(Path(name).resolve()))

    @property
    def store(self) -> Store:
        """The store that all its grids share."""
        return Store(f"{self.url}/{STORE}", cache=cache_folder() / STORE)

    def folder(self, grid: str) -> Folder:
        """A grid's folder."""
        return Folder(f"{self.url}/{grid}")

    def grids(self) -> list[str]:
        """The names of the grids that there is a plan of, the latest run first."""
        here = Folder(self.url)
        return _grids(here, PLAN) if here.has("") else []

    def grid(self, named: str | None = None) -> Folder:
        """The folder of the grid that is named, or of the one that was run last.

        named: a grid, a results folder (of which the grid that was run last is meant), a grid's folder in one,
        published or not, or a URL of either. A path that leads to nothing is no grid's name: else another run might
        be taken for it. Raises InputError where there is none.
        """
        if named is not None and (folder := _folder_at(named)) is not None:
            return folder
        grids = self.grids()
        if not grids:
            raise InputError(f"nothing was run in {self.name} yet: farm run jobs/quickstart.yaml")
        if named is None:
            return self.folder(grids[0])
        name = Path(named).name.removesuffix(".yaml")
        if name not in grids:
            raise InputError(f"no results of a grid {name!r} in {self.name}{did_you_mean(name, grids)}")
        return self.folder(name)

    def cell(self, name: str, grid: str | None = None) -> Found:
        """A cell of the grid that is named, or of the one grid of all here that has it.

        Raises InputError where none has it, or several have; DataError where a plan is damaged that may have it.
        """
        folders = [self.grid(grid)] if grid is not None else [self.folder(one) for one in self.grids()]
        runs, damaged = [], []
        for folder in folders or [self.grid()]:
            try:
                runs.append(Found(cell=name, folder=folder, plan=folder.read_plan()))
            except DataError as error:
                damaged.append(error)
        found = [run for run in runs if run.plan.cell(name)]
        if len(found) > 1:
            grids = ", ".join(run.grid for run in found)
            raise InputError(f"{name} is a cell of {len(found)} grids, {grids}: choose one with --grid")
        if not found and damaged:
            raise damaged[0]
        if not found:
            cells = dict.fromkeys(cell.name for run in runs for cell in run.plan.cells)
            where = self.name if grid is None else f"the grid {runs[0].grid}"
            raise InputError(f"no cell {name!r} in {where}{did_you_mean(name, cells)}")
        return found[0]


def store_beside(folder: Folder) -> Store:
    """The store that the runs of a grid's folder write to. Raises InputError if it is not there."""
    store = Location.of(folder.url.rpartition("/")[0]).store
    if not store.files.fs.exists(store.files.root):
        raise InputError(f"there is no {store.url}, which a run writes to: leave out --watch to see what was gathered")
    return store


def _folder_at(named: str) -> Folder | None:
    """The folder at a path or URL; None of a grid's name, or its YAML file. Raises InputError where nothing lies."""
    is_path = "://" in named or (len(Path(named).parts) > 1 and not named.endswith(".yaml"))
    if not is_path and not Path(named).is_dir():
        return None
    here = Folder(Location.of(named).url)
    if here.has(RECORDS) or here.has(PLAN):
        return here
    grids = _grids(here, RECORDS, PLAN)
    if grids:
        return Folder(f"{here.url}/{grids[0]}")
    if not is_path:
        return None
    raise InputError(f"there is no {named}/{RECORDS}: name a grid, its results folder, or the folder's URL")


def _grids(folder: Folder, *files: str) -> list[str]:
    """The subfolders with one of these files, the latest first where the storage tells when a file was written."""
    paths = {str(path) for name in files for path in folder.fs.glob(f"{escape(folder.root)}/*/{name}")}
    written = {path: folder.fs.info(path).get("mtime") for path in paths}
    times = {path: time if isinstance(time, (int, float)) else 0.0 for path, time in written.items()}
    return [path.split("/")[-2] for path in sorted(paths, key=lambda path: (times[path], path), reverse=True)]
