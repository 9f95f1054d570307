"""From a grid to its plan: inputs are located, and fetched where only that tells their key; then it is built, once.

Knows where files lie and how they come here, not what a stage does with them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from farm.campaign.listener import NOBODY, Listener
from farm.catalog import CATALOG
from farm.errors import DataError, InputError
from farm.grid.cell import Cell, Grid, expand
from farm.grid.selection import only
from farm.inputs import HashMemo, Input, SearchPath, cache_folder, default_search, fetch, locate
from farm.models.describe import describe
from farm.plan import Plan
from farm.plan.build import build
from farm.spec import InputSpec


@dataclass(slots=True, kw_only=True)
class Inputs:
    """Finds inputs, and brings those here that lie at an address. An address that failed is not asked again.

    wanted_now: names of models, sources and datasets whose files are fetched when they are located, unless their
    content is known. failed: address -> why nothing came from it.
    """

    search: SearchPath
    listener: Listener = NOBODY
    wanted_now: frozenset[str] = frozenset()
    memo: HashMemo = field(default_factory=lambda: HashMemo(cache_folder() / "hashes.json"))
    failed: dict[str, str] = field(default_factory=dict)

    def locate(self, wanted: InputSpec, parameters: Mapping[str, Any], names: Mapping[str, str]) -> Input | None:
        """As `farm.inputs.locate`. What could not be fetched is missing."""
        found = locate(wanted, parameters, names, self.search, self.memo)
        if found is None or found.settled or names.get("name") not in self.wanted_now:
            return found
        if self.fetched(found).missing:
            return self.fetched(found)
        return locate(wanted, parameters, names, self.search, self.memo)

    def fetched(self, found: Input) -> Input:
        """The input once its file is here; missing if it did not come."""
        if not found.url or found.missing or Path(found.path).exists():
            return found
        if found.url not in self.failed:
            try:
                with self.listener.download(found.url.rpartition("/")[2]) as progress:
                    fetch(found, progress)
            except DataError as error:
                self.failed[found.url] = str(error)
        return replace(found, missing=self.failed.get(found.url, ""))

    def all_found(self, wanted: Collection[InputSpec], parameters: Mapping[str, Any], name: str) -> dict[str, Input]:
        """The inputs of a choice that no grid has, by role, here and with their content known. Raises InputError."""
        located = (self.locate(each, parameters, {"name": name, "dataset": ""}) for each in wanted)
        inputs = {found.role: self.fetched(found) for found in located if found is not None}
        missing = [found.missing for found in inputs.values() if found.missing]
        if missing:
            raise InputError(f"{name}: {'; '.join(missing)}")
        return inputs


def inputs_of(path: Path, listener: Listener = NOBODY, wanted_now: frozenset[str] = frozenset()) -> Inputs:
    """Inputs as they are found for a grid file, or for what else stands in its folder."""
    return Inputs(search=default_search(path), listener=listener, wanted_now=wanted_now)


def chosen(cells: Collection[Cell], texts: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the cells that ``--only`` means. Raises InputError as `farm.grid.selection.only` does."""
    return tuple(only(texts or (), {cell.name: cell.labels() for cell in cells}))


def resolve(grid: Grid, inputs: Inputs | None = None) -> Plan:
    """The plan of a grid. Nothing is run, nothing heavy is imported, and without `inputs` nothing is fetched."""
    inputs = inputs or inputs_of(grid.path)
    plan = build(grid, expand(grid), CATALOG, inputs.locate, version_of, describe)
    inputs.memo.save()
    return plan


def names_in(grid: Grid, cells: Collection[str]) -> frozenset[str]:
    """What these cells are made of: the names of their models and sources, and of the dataset."""
    meant = [cell for cell in expand(grid) if cell.name in cells]
    sources = [cell.calibration.name for cell in meant if cell.calibration]
    return frozenset({grid.dataset.name, *(cell.model.name for cell in meant), *sources})


def fetched(plan: Plan, uris: Collection[str], inputs: Inputs) -> Plan:
    """The plan once all files of these stages are here; one that did not come is missing wherever it is needed."""
    for uri in uris:
        for found in plan.stages[uri].files.values():
            inputs.fetched(found)
    if not inputs.failed:
        return plan
    stages = {
        uri: replace(stage, files={role: _unless_failed(found, inputs) for role, found in stage.files.items()})
        for uri, stage in plan.stages.items()
    }
    return replace(plan, stages=stages)


def _unless_failed(found: Input, inputs: Inputs) -> Input:
    return inputs.fetched(found) if found.url in inputs.failed else found


@cache
def version_of(distribution: str) -> str:
    """The installed version of a distribution, which is part of keys."""
    return metadata.version(distribution)
