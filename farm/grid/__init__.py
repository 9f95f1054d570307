"""The grid: what a user declares in YAML, checked at once and expanded into cells. Knows no stages."""

from farm.grid.cell import Cell, Grid
from farm.grid.choice import Algorithm, Calibration, Choice, Dataset, Device, Model
from farm.grid.expand import expand
from farm.grid.label import Label
from farm.grid.load import load
from farm.grid.settings import Settings

__all__ = [
    "Algorithm", "Calibration", "Cell", "Choice", "Dataset", "Device", "Grid", "Label", "Model", "Settings",
    "expand", "load",
]  # fmt: skip
