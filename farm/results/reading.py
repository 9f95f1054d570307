"""One grid's gathered files as values: records, predictions, rounds, and what the grid wants to claim."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.grid.settings import Claims
from farm.record import Record
from farm.results import tables
from farm.results.folder import Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What one variant said of the test images, in their order; each array has n entries.

    label, prediction: classes. score: of the grid's metric.
    """

    label: NDArray[np.int64]
    prediction: NDArray[np.int64]
    score: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One grid's results. command: that ran the grid; empty if unknown.

    predictions: by cell, where they were gathered; published results may leave them out.
    """

    name: str
    folder: Folder
    records: tuple[Record, ...]
    claims: Claims
    predictions: Mapping[str, Predicted]
    command: str = ""


def names_of(runs: Sequence[Run]) -> list[str]:
    """What tells the runs apart: their grids' names, or where they lie if one grid is there in several places."""
    names = [run.name for run in runs]
    return names if len(set(names)) == len(names) else [run.folder.url for run in runs]


def read_run(folder: Folder) -> Run:
    """Everything but rounds and samples. Raises InputError if nothing was gathered there."""
    table = folder.read(tables.RECORDS)
    records = tuple(tables.records_from(table))
    name = records[0].grid if records else folder.url.rpartition("/")[2]
    return Run(
        name=name,
        folder=folder,
        records=records,
        claims=claims_of(table),
        command=command_of(table),
        predictions=_predictions(folder),
    )


def claims_of(records: pa.Table) -> Claims:
    """What the grid wants to claim, from the metadata of its records; the defaults, of older ones."""
    said = (records.schema.metadata or {}).get(tables.CLAIMS, b"{}")
    return Claims(**json.loads(said))


def command_of(records: pa.Table) -> str:
    """The command that ran the grid, from the metadata of its records; empty, of older ones."""
    return str((records.schema.metadata or {}).get(tables.COMMAND, b"").decode())


def rounds(folder: Folder) -> dict[str, list[dict[str, Any]]]:
    """The rounds of each measured cell, in the order they were played: rows of ``latencies/``."""
    return {cell: table.to_pylist() for cell, table in _by_cell(folder, tables.LATENCIES)}


def samples(folder: Folder) -> list[dict[str, Any]]:
    """Rows of ``samples.parquet``, set by set; none where it was not published."""
    return list(folder.read(tables.SAMPLES).to_pylist()) if folder.has(tables.SAMPLES) else []


def _predictions(folder: Folder) -> dict[str, Predicted]:
    return {
        cell: Predicted(**{name: table[name].to_numpy() for name in ("label", "prediction", "score")})
        for cell, table in _by_cell(folder, tables.PREDICTIONS)
    }


def _by_cell(folder: Folder, name: str) -> list[tuple[str, pa.Table]]:
    """The tables of a subfolder, each with its cell's name."""
    found = [folder.read(file) for file in folder.names(name)]
    return [(str(table["cell"][0]), table) for table in found if len(table)]
