"""The example of a comparison: a published run beside itself with one calibration set's model in another's place."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from farm.errors import InputError
from farm.record import Record
from farm.results import tables
from farm.results.folder import Folder
from farm.results.reading import Run, read_run

COMPARED = (0, 1)  # exit codes of `farm compare`: nothing got worse, something did
NAMES = ("cell", "calibration", "calibration_source", "calibration_seed")  # what tells cells apart, and no fact of one
PLAIN = {"NO_COLOR": "1", "TERM": "dumb"}


def printed(published: Path, calibration: str, other: str) -> str:
    """What ``farm compare`` prints of a run and of `swapped`. Raises CalledProcessError if it cannot compare them."""
    run = read_run(Folder(str(published)))
    with TemporaryDirectory() as folder:
        here = Path(folder).resolve()
        names = [f"{when}/{published.name}" for when in ("before", "after")]
        for name, variant in zip(names, (run, swapped(run, calibration, other)), strict=True):
            write(variant, Folder(str(here / name)))
        command = [sys.executable, "-m", "farm", "compare", *names]
        ended = subprocess.run(command, cwd=here, capture_output=True, text=True, env=os.environ | PLAIN, check=False)
    if ended.returncode not in COMPARED:
        raise subprocess.CalledProcessError(ended.returncode, command, ended.stdout, ended.stderr)
    return ended.stdout.replace(f"{here}/", "")


def swapped(run: Run, calibration: str, other: str) -> Run:
    """The run in which the int8 models of a calibration set are those of another: their facts and predictions.

    calibration: the set whose cells are changed. other: the set that their models are calibrated with.
    Raises InputError if not all cells of the one, and some at least, have one of the other.
    """
    there = {_where(record): record for record in run.records if record.calibration == other}
    here = {record.cell: _where(record) for record in run.records if record.calibration == calibration}
    if not here or not there.keys() >= set(here.values()):
        raise InputError(f"{run.name} has not the same cells of {calibration} and of {other}")
    changed = {cell: there[where] for cell, where in here.items()}
    return replace(
        run,
        records=tuple(_named_like(record, changed.get(record.cell, record)) for record in run.records),
        predictions={
            cell: run.predictions[changed[cell].cell] if cell in changed else mine
            for cell, mine in run.predictions.items()
        },
    )


def write(run: Run, folder: Folder) -> None:
    """The run as `farm.results.reading.read_run` reads it."""
    folder.write(tables.RECORDS, tables.records(run.records, run.claims.model_dump()))
    for number, (cell, predicted) in enumerate(run.predictions.items()):
        columns = {"label": predicted.label, "prediction": predicted.prediction, "score": predicted.score}
        table = pa.table({"cell": [cell] * len(predicted.label), "position": range(len(predicted.label)), **columns})
        folder.write(f"{tables.PREDICTIONS}/{number}.parquet", table)


def _where(record: Record) -> tuple[str, str, str]:
    return (record.model, record.algorithm, record.device)


def _named_like(record: Record, facts: Record) -> Record:
    """The facts under the record's names."""
    return replace(facts, **{name: getattr(record, name) for name in NAMES})
