"""Grid -> cells. Pure."""

from farm.grid.cell import Cell, Grid, matches

PYTORCH = "pytorch"


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


def _product(grid: Grid) -> list[Cell]:
    found = []
    for model in grid.models:
        for device in grid.devices:
            found += [
                Cell(model=model, calibration=None, algorithm=baseline, device=device)
                for baseline in grid.baselines
                if model.spec.in_torch or baseline.name != PYTORCH
            ]
            found += [
                Cell(model=model, calibration=calibration, algorithm=algorithm, device=device)
                for calibration in grid.calibrations
                for algorithm in grid.algorithms
            ]
    return found
