"""One grid's gathered files as values: records, predictions, rounds, and what the grid wants to claim."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.codec import members
from farm.grid.settings import Claims
from farm.measuring.round import Round, rounds_of
from farm.record import Record
from farm.results import migrate, parquet, tables
from farm.results.folder import PLAN, Folder
from farm.shown import redacted, visible

PREDICTED = ("label", "prediction", "score")
OF_CLASSES = ("number", "objects", "score")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What one variant said of the test images, in their order; each array has n entries.

    label, prediction: classes. score: of the grid's metric.
    """

    label: NDArray[np.int64]
    prediction: NDArray[np.int64]
    score: NDArray[np.float32]

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Those of a table's rows."""
        return cls(**{name: table[name].to_numpy() for name in PREDICTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class OfClasses:
    """What one detector is worth at each class of which there are objects. number, objects: (c,). score: (c,)."""

    number: NDArray[np.int64]
    objects: NDArray[np.int64]
    score: NDArray[np.float64]

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Those of a table's rows."""
        return cls(**{name: table[name].to_numpy() for name in OF_CLASSES})


def scores_of(table: pa.Table) -> NDArray[np.float64]:
    """A table's scores, (n,); NaN where there is none."""
    return table["score"].to_numpy().astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One grid's results. command: that ran the grid; empty if unknown.

    predictions: by cell, where they were gathered; published results may leave them out. of_classes, resamples: of
    detectors, alike: of each class, and of samples of the images.
    """

    name: str
    folder: Folder
    records: tuple[Record, ...]
    claims: Claims
    predictions: Mapping[str, Predicted]
    of_classes: Mapping[str, OfClasses] = field(default_factory=dict)
    resamples: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    command: str = ""

    @property
    def has_answers(self) -> bool:
        """Whether it is known what models said of the test images, not only how they did."""
        return bool(self.predictions or self.resamples)


def names_of(runs: Sequence[Run]) -> list[str]:
    """What tells the runs apart: their grids' names, or where they lie if one grid is there in several places."""
    names = [run.name for run in runs]
    return names if len(set(names)) == len(names) else [run.folder.url for run in runs]


def read_run(folder: Folder) -> Run:
    """Everything but rounds and samples. Raises InputError if nothing was gathered there."""
    table = records_table(folder)
    records = tuple(map(_seen, tables.records_from(table)))
    return Run(
        name=records[0].grid if records else folder.url.rpartition("/")[2], folder=folder, records=records,
        claims=claims_of(table), command=command_of(table),
        predictions=_by_cell(folder, tables.PREDICTIONS, PREDICTED, Predicted.of),
        of_classes=_by_cell(folder, tables.CLASSES, OF_CLASSES, OfClasses.of),
        resamples=_by_cell(folder, tables.RESAMPLES, ("score",), scores_of),
    )  # fmt: skip


def _by_cell(folder: Folder, name: str, columns: Sequence[str], read: Callable[[pa.Table], T]) -> dict[str, T]:
    """What the files of a subfolder tell of each cell."""
    return {
        _safe(cell): read(rows)
        for _, table in files_of(folder, name, ("cell", *columns))
        for cell, rows in tables.cells_in(table)
    }


def _seen(record: Record) -> Record:
    """A record whose texts do what they say, wherever they are shown."""
    texts = {name: value for name, value in members(record).items() if isinstance(value, str)}
    safe: dict[str, Any] = {name: _safe(text) for name, text in texts.items()}
    return record if safe == texts else replace(record, **safe)


@lru_cache(maxsize=65536)  # most are the same in many rows
def _safe(text: str) -> str:
    return redacted(visible(text))


def records_table(folder: Folder) -> pa.Table:
    """``records.parquet``, of whatever schema. Raises InputError if it is not there, or of a newer farm.

    This, and what else reads a gathered file, raises DataError if it is damaged.
    """
    table = folder.read(tables.RECORDS)
    with folder.reading(tables.RECORDS):
        if migrate.is_older(table, folder.path(tables.RECORDS)):
            table = migrate.records(table, folder.read_plan().effort if folder.has(PLAN) else None)
        claims_of(table), command_of(table)
        return parquet.conformed(table, tables.ROWS[tables.RECORDS])


def attempts_table(folder: Folder) -> pa.Table:
    """``attempts.parquet``, of whatever schema. Raises InputError if it is not there, or of a newer farm."""
    table = folder.read(tables.ATTEMPTS)
    with folder.reading(tables.ATTEMPTS):
        older = migrate.is_older(table, folder.path(tables.ATTEMPTS))
        return parquet.conformed(migrate.attempts(table) if older else table, tables.ROWS[tables.ATTEMPTS])


def samples_table(folder: Folder) -> pa.Table:
    """``samples.parquet``, which is of one form in all schemas. Raises InputError if it is not there."""
    table = folder.read(tables.SAMPLES)
    with folder.reading(tables.SAMPLES):
        migrate.is_older(table, folder.path(tables.SAMPLES))
        return parquet.conformed(table, tables.ROWS[tables.SAMPLES])


def claims_of(records: pa.Table) -> Claims:
    """What the grid wants to claim, from the metadata of its records; the defaults, of older ones."""
    return Claims(**json.loads((records.schema.metadata or {}).get(tables.CLAIMS, b"{}")))


def command_of(records: pa.Table) -> str:
    """The command that ran the grid, from the metadata of its records; empty, of older ones."""
    return str((records.schema.metadata or {}).get(tables.COMMAND, b"").decode())


def rounds(folder: Folder) -> dict[str, tuple[Round, ...]]:
    """The rounds of each measured cell, in the order they were measured."""
    found: dict[str, tuple[Round, ...]] = {}
    for file, table in files_of(folder, tables.LATENCIES):
        with folder.reading(file):
            found |= {cell: rounds_of(rows) for cell, rows in tables.cells_in(table)}
    return found


def samples(folder: Folder) -> list[dict[str, Any]]:
    """Rows of ``samples.parquet``, set by set; none where it was not published."""
    return list(samples_table(folder).to_pylist()) if folder.has(tables.SAMPLES) else []


def _cell(table: pa.Table) -> str:
    return str(table["cell"][0].as_py())


def files_of(folder: Folder, name: str, columns: Sequence[str] | None = None) -> Iterator[tuple[str, pa.Table]]:
    """The files of ``predictions/`` or ``latencies/`` in order, of whatever schema; none is empty.

    Older ones are a cell's each, and do not say whose: of them those whose cell has a record. columns: at least; None
    for all.
    """
    records: dict[str, Record] = {}
    for file, content in folder.read_each(folder.names(name), columns):
        with folder.reading(file):
            table = content
            if len(table) and migrate.is_older(table, folder.path(file)):
                records = records or {record.cell: record for record in tables.records_from(records_table(folder))}
                record = records.get(_cell(table))
                table = migrate.rows(name, folder.read(file), record) if record else table.slice(0, 0)
            table = parquet.conformed(table, tables.ROWS[name], columns) if len(table) else table
        if len(table):
            yield file, table
