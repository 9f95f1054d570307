"""Grid -> cells. Pure."""

from collections.abc import Iterator
from itertools import product

from farm.grid.cell import Cell, Grid, matches


def expand(grid: Grid) -> tuple[Cell, ...]:
    """All cells of a grid, baselines before the rest of each model and device, included ones last.

    Excluded cells are left out; an include adds a cell even where an exclude would drop it. A model that
    PyTorch cannot run, such as an ONNX file, has no ``pytorch`` baseline.
    """
    cells: dict[str, Cell] = {}
    for cell in _product(grid):
        if not any(matches(cell, exclusion) for exclusion in grid.exclude):
            cells[cell.name] = cell
    for cell in grid.include:
        cells.setdefault(cell.name, cell)
    return tuple(cells.values())


def _product(grid: Grid) -> Iterator[Cell]:
    for model, device in product(grid.models, grid.devices):
        for baseline in grid.baselines:
            if model.spec.in_torch or baseline.runtime != "pytorch":
                yield Cell(model=model, calibration=None, algorithm=baseline, device=device)
        for calibration, algorithm in product(grid.calibrations, grid.algorithms):
            yield Cell(model=model, calibration=calibration, algorithm=algorithm, device=device)
