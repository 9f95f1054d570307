"""From a grid to its plan: inputs are located, and fetched where only that tells their key; then it is built, once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from farm.campaign.listener import NOBODY, Listener
from farm.catalog import CATALOG
from farm.errors import DataError, InputError
from farm.grid.cell import Cell, Grid, expand
from farm.grid.selection import only
from farm.host.versions import version_of
from farm.inputs import HashMemo, Input, SearchPath, cache_folder, default_search, fetch, locate
from farm.models.describe import describe
from farm.plan import Plan
from farm.plan.build import baseline_of, build
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
        file = locate(wanted, parameters, names, self.search, self.memo)
        if file is None or file.settled or names.get("name") not in self.wanted_now:
            return file
        here = self.fetched(file)
        return here if here.missing else locate(wanted, parameters, names, self.search, self.memo)

    def fetched(self, file: Input) -> Input:
        """The input once its file is here; missing if it did not come."""
        if not file.url or file.missing or Path(file.path).exists():
            return file
        if file.url not in self.failed:
            try:
                with self.listener.download(file.url.rpartition("/")[2]) as progress:
                    fetch(file, progress)
            except DataError as error:
                self.failed[file.url] = str(error)
        return replace(file, missing=self.failed.get(file.url, ""))

    def here(self, located: Mapping[str, Input | None], prefix: str = "") -> dict[str, Input]:
        """What was located for a stage of no grid, by role. Raises InputError, prefixed so, for what is not here."""
        inputs = {role: self.fetched(file) for role, file in located.items() if file is not None}
        self.memo.save()
        if missing := [file.missing for file in inputs.values() if file.missing]:
            raise InputError(f"{prefix}{'; '.join(missing)}")
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


def planned(plan: Plan, grid: Grid, cells: Collection[str]) -> frozenset[str]:
    """The cells of the plan that these stand for: the baseline `ir` where a model is quantized as it comes."""
    there = {cell.name for cell in plan.cells}
    wanted = [cell for cell in expand(grid) if cell.name in cells]
    return frozenset(cell.name if cell.name in there else baseline_of(cell).name for cell in wanted)


def names_in(grid: Grid, cells: Collection[str]) -> frozenset[str]:
    """What these cells are made of: the names of their models and sources, and of the dataset."""
    wanted = [cell for cell in expand(grid) if cell.name in cells]
    sources = [cell.calibration.name for cell in wanted if cell.calibration]
    return frozenset({grid.dataset.name, *(cell.model.name for cell in wanted), *sources})


def fetched(plan: Plan, uris: Collection[str], inputs: Inputs) -> Plan:
    """The plan once all files of these stages are here; one that did not come is missing wherever it is needed."""
    for uri in uris:
        for file in plan.stages[uri].files.values():
            inputs.fetched(file)
    if not inputs.failed:
        return plan
    stages = {}
    for uri, stage in plan.stages.items():
        files = {
            role: inputs.fetched(file) if file.url in inputs.failed else file for role, file in stage.files.items()
        }
        stages[uri] = replace(stage, files=files)
    return replace(plan, stages=stages)
