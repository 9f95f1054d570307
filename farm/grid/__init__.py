"""The grid: what a user declares in YAML, checked at once and expanded into cells. Knows no stages."""

from farm.grid.cell import Cell, Choice, Grid, Settings
from farm.grid.expand import expand
from farm.grid.load import load

__all__ = ["Cell", "Choice", "Grid", "Settings", "expand", "load"]
