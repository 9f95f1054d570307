"""What `import farm` offers: a grid loaded, planned and run, its results read and compared. Prints nothing.

Everything a notebook needs, in its own terms; `farm.cli` has the same in words. Nothing here sets signal handlers,
asks for an event loop or ends the process: a fault is a `farm.errors.FarmError`.
"""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from farm.analysis.changes import Tolerance
from farm.analysis.comparison import Comparison
from farm.analysis.comparison import compare as compared
from farm.campaign.listener import NOBODY, Listener
from farm.campaign.resolve import resolve
from farm.campaign.run import RunOptions
from farm.campaign.run import run as carried_out
from farm.catalog import CATALOG
from farm.grid.cell import Grid
from farm.grid.load import load as loaded
from farm.plan import Plan
from farm.results import tables
from farm.results.folder import Folder
from farm.results.location import Location
from farm.results.reading import attempts_table, files_of, read_run, records_table, samples_table

RESULTS = os.environ.get("FARM_RESULTS") or "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """A grid's gathered results as Arrow tables, each read when it is asked for. Columns: docs/results.md."""

    folder: Folder

    @property
    def records(self) -> pa.Table:
        """A row a cell: accuracy, speed and size, or why there is none."""
        return records_table(self.folder)

    @property
    def attempts(self) -> pa.Table:
        """A row a try of a stage, fine or failed."""
        return attempts_table(self.folder)

    @property
    def predictions(self) -> pa.Table:
        """A row a cell and test image."""
        return self._joined(tables.PREDICTIONS)

    @property
    def detections(self) -> pa.Table:
        """Of detectors, a row a cell and test image."""
        return self._joined(tables.DETECTIONS)

    @property
    def classes(self) -> pa.Table:
        """Of detectors, a row a cell and class."""
        return self._joined(tables.CLASSES)

    @property
    def resamples(self) -> pa.Table:
        """Of detectors, a row a cell and sample of the test images."""
        return self._joined(tables.RESAMPLES)

    @property
    def latencies(self) -> pa.Table:
        """A row a round, with every latency in nanoseconds."""
        return self._joined(tables.LATENCIES)

    @property
    def samples(self) -> pa.Table:
        """The first 64 images of each calibration set, as PNG."""
        return samples_table(self.folder)

    def _joined(self, name: str) -> pa.Table:
        parts = [table for _, table in files_of(self.folder, name)]
        return pa.concat_tables(parts, promote_options="default") if parts else pa.table({})


def load(grid_file: str | Path) -> Grid:
    """The grid of a YAML file. Raises `farm.errors.GridError` with all its faults."""
    return loaded(Path(grid_file), CATALOG)


def plan(grid: Grid | str | Path) -> Plan:
    """The cells and stages of a grid, or of its file. Nothing is run and nothing fetched."""
    return resolve(_grid(grid))


def run(
    grid: Grid | str | Path,
    *,
    only: Sequence[str] = (),
    failed: bool = False,
    fresh: Sequence[str] = (),
    measure: bool = True,
    ship: bool = False,
    engine: str = "ray",
    address: str | None = None,
    results: str | Path = RESULTS,
    listener: Listener = NOBODY,
) -> Tables:
    """Run what is missing, failed or stale of a grid, and only that; its results.

    only, failed, fresh, ship, engine, address, results: as `farm run` takes them. measure: False for accuracy alone.
    listener: is told how it goes. A cell that fails is a row with its cause. Raises InputError for what cannot be used,
    EngineError where the grid cannot run.
    """
    chosen = _grid(grid)
    command = f"farm run {shlex.quote(str(chosen.path))}"
    if str(results) != "results":
        command += f" --results {shlex.quote(str(results))}"
    options = RunOptions(
        only=only,
        failed=failed,
        fresh=fresh,
        measure=measure,
        ship=ship,
        engine=engine,
        address=address,
        command=command,
    )
    return Tables(folder=carried_out(chosen, Location.of(results), options, listener).folder)


def read(named: str | Path | None = None, *, results: str | Path = RESULTS) -> Tables:
    """The results of a run.

    named: a grid, a results folder (of which the grid that was run last is meant), a grid's folder, or a URL of
    either; by default the grid that was run last in `results`. Raises InputError if there are none.
    """
    return Tables(folder=Location.of(results).grid(None if named is None else str(named)))


def compare(
    first: str | Path | Tables,
    second: str | Path | Tables,
    *,
    max_drop: float = 0.005,
    max_slowdown: float = 0.05,
    across_hosts: bool = False,
    results: str | Path = RESULTS,
) -> Comparison:
    """The second run beside the first, cell by cell, regressions first.

    first, second: results, or what `read` takes. max_drop, max_slowdown: shares that do not matter. across_hosts: judge
    speeds of different hosts all the same. Raises InputError if the runs have no cell in common.
    """
    before, after = (
        read_run((run if isinstance(run, Tables) else read(run, results=results)).folder) for run in (first, second)
    )
    return compared(before, after, Tolerance(max_drop=max_drop, max_slowdown=max_slowdown, across_hosts=across_hosts))


def _grid(grid: Grid | str | Path) -> Grid:
    return grid if isinstance(grid, Grid) else load(grid)
