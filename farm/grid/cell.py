"""Cell and Grid, and how one becomes the other: what everything after the YAML file works on. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from farm.grid.choice import Algorithm, Calibration, Choice, Dataset, Device, Model, Task
from farm.grid.label import NO_CALIBRATION, CellLabels, Label
from farm.grid.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the grid. A baseline (``pytorch``, ``ir``) has no calibration."""

    model: Model
    calibration: Calibration | None
    algorithm: Algorithm
    device: Device

    @property
    def name(self) -> str:
        """``model/calibration/algorithm/device``: stable, and what joins runs."""
        return "/".join(self.labels())

    def labels(self) -> CellLabels:
        """The label of each axis."""
        calibration = self.calibration.label if self.calibration else NO_CALIBRATION
        return CellLabels(self.model.label, calibration, self.algorithm.label, self.device.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """What an `exclude` or an `accuracy_only` says of one axis: a name or label, or any (None), and some parameters.

    A tuple stands for any of its values: lists expand here too.
    """

    name: str | None
    parameters: Mapping[str, object]

    def matches(self, choice: Choice | None) -> bool:
        """Whether a cell's choice is meant. A baseline's calibration is ``-``."""
        if choice is None:
            return self.name == NO_CALIBRATION
        if self.name not in (None, choice.name, choice.label):
            return False
        values = dict(choice.parameters)
        return all(
            key in values and (values[key] == given or (isinstance(given, tuple) and values[key] in given))
            for key, given in self.parameters.items()
        )


Exclusion = Mapping[str, Pattern]


def matches(cell: Cell, exclusion: Exclusion) -> bool:
    """Whether a cell is meant by every axis that an exclusion names."""
    return all(pattern.matches(getattr(cell, axis)) for axis, pattern in exclusion.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A checked grid: every list expanded, every parameter known.

    task: what the dataset's targets are for. metric: one of the task's or ``package.module:function``. accuracy_only:
    cells that are not measured.
    """

    name: str
    path: Path
    dataset: Dataset
    task: Task
    metric: str
    models: tuple[Model, ...]
    calibrations: tuple[Calibration, ...]
    algorithms: tuple[Algorithm, ...]
    devices: tuple[Device, ...]
    baselines: tuple[Algorithm, ...]
    exclude: tuple[Exclusion, ...]
    include: tuple[Cell, ...]
    accuracy_only: tuple[Exclusion, ...]
    settings: Settings

    @property
    def sources(self) -> tuple[Label, ...]:
        """What the grid calibrates with, whatever the seed: the sources of its calibrations, includes too."""
        chosen = (*self.calibrations, *(cell.calibration for cell in self.include))
        return tuple(dict.fromkeys(choice.source for choice in chosen if choice is not None))

    def reference(self) -> str | None:
        """The source that the others are held against: as told, else the first named like the dataset, else none."""
        alike = (choice.source for choice in self.calibrations if choice.name == self.dataset.name)
        return self.settings.claims.reference or next(alike, None)


def expand(grid: Grid) -> tuple[Cell, ...]:
    """All cells of a grid, baselines before the rest of each model and device, included ones last.

    Excluded cells are left out; an include adds a cell even where an exclude would drop it. A model that
    PyTorch cannot run, such as an ONNX file, has no ``pytorch`` baseline.
    """
    there = (cell for cell in _product(grid) if not any(matches(cell, exclusion) for exclusion in grid.exclude))
    cells = {cell.name: cell for cell in there}
    for cell in grid.include:
        cells.setdefault(cell.name, cell)
    return tuple(cells.values())


def _product(grid: Grid) -> Iterator[Cell]:
    for model, device in product(grid.models, grid.devices):
        for baseline in grid.baselines:
            if model.spec.in_torch or baseline.spec.runtime != "pytorch":
                yield Cell(model=model, calibration=None, algorithm=baseline, device=device)
        for calibration, algorithm in product(grid.calibrations, grid.algorithms):
            yield Cell(model=model, calibration=calibration, algorithm=algorithm, device=device)
