"""Where results lie: a folder or a URL that holds the store and a folder a grid. Reads names and times, no content."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from farm.errors import InputError
from farm.inputs import cache_folder
from farm.plan import Stage
from farm.results.folder import PLAN, Folder
from farm.results.tables import RECORDS
from farm.store import Store
from farm.suggest import did_you_mean

STORE = "store"


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
        if not here.has(""):
            return []
        paths = [str(path) for path in here.fs.glob(f"{here.root}/*/{PLAN}")]
        return [path.split("/")[-2] for path in sorted(paths, key=lambda path: _modified(here, path), reverse=True)]

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


def store_beside(folder: Folder) -> Store:
    """The store that the runs of a grid's folder write to. Raises InputError if it is not there."""
    store = Location.of(folder.url.rpartition("/")[0]).store
    if not store.fs.exists(store.root):
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
    paths = {str(path) for name in (RECORDS, PLAN) for path in here.fs.glob(f"{here.root}/*/{name}")}
    if paths:
        latest = max(paths, key=lambda path: (_modified(here, path), path))
        return Folder(f"{here.url}/{latest.split('/')[-2]}")
    if not is_path:
        return None
    raise InputError(f"there is no {named}/{RECORDS}: name a grid, its results folder, or the folder's URL")


def _modified(folder: Folder, path: str) -> float:
    """When a file was written, in seconds; 0 where the storage does not tell."""
    facts: Mapping[str, object] = folder.fs.info(path)
    stamp = facts.get("mtime")
    return float(stamp) if isinstance(stamp, (int, float)) else 0.0


def cell_of(folder: Folder, name: str) -> dict[str, Stage]:
    """A cell's stages by role, as plan.json has them. Raises InputError if there is no such cell."""
    plan = folder.read_plan()
    cell = plan.cell(name)
    if cell is None:
        raise InputError(f"no cell {name!r} in {folder.url}{did_you_mean(name, [cell.name for cell in plan.cells])}")
    return {role: plan.stages[uri] for role, uri in cell.stages.items()}
