"""Publish a grid's results: ``python docs/making/publish.py results/study`` fills ``results/reference/study``.

Taken over: the records, of cells that failed with the reason; what each variant said of the test images (without the
gap, which is the most of it); sample images of the sets that farm itself makes, for others' are not farm's to publish;
of the plan the command and the effort. Not the rounds: they are large. Nothing names a path of the machine. With them
goes the page, its figures as pictures. What is published is of today's schema, whatever it was read from: so a
published run that is named itself is brought up to date in its place.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from farm.analysis.analysis import analyse
from farm.errors import FarmError
from farm.grid.label import Label
from farm.report.figures import figures
from farm.report.page import document, pictures, section
from farm.results import tables
from farm.results.folder import Folder
from farm.results.reading import claims_of, files_of, read_run, records_table

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
OWN = ("distylegan", "fractal", "noise")
PAGE = "report.html"
FOLDERS = re.compile(r"(?<![\w:/.~-])/(?:[^\s/:,;]+/)*")  # of an absolute path; not of a URL


def publish(folder: Folder, target: Folder) -> int:
    """Copy one grid's results; returns how many cells. Raises InputError if nothing was gathered there."""
    table, plan = records_table(folder), folder.read_plan()
    command = plan.command.partition(" --results ")[0]
    rows = [_anywhere(row) for row in table.to_pylist()]
    schema = table.schema.with_metadata({**table.schema.metadata, tables.COMMAND: command})
    records = pa.Table.from_pylist(rows, schema=schema)
    target.write(tables.RECORDS, records)
    names = {"grid": rows[0]["grid"], "claims": claims_of(table)} if rows else {}
    target.write_plan(replace(plan, **names, command=command, grid_file="", cells=(), stages={}))
    files = dict(files_of(folder, tables.PREDICTIONS))
    for name, predictions in files.items():
        target.write(
            name, predictions.drop_columns(["gap"] if "gap" in predictions.column_names else []), counter="position"
        )
    target.keep_only(tables.PREDICTIONS, files)
    for kind, counter in ((tables.CLASSES, None), (tables.RESAMPLES, "resample")):
        files = dict(files_of(folder, kind))
        for name, content in files.items():
            target.write(name, content, counter=counter)
        target.keep_only(kind, files)
    if folder.has(tables.SAMPLES):
        target.write(tables.SAMPLES, _own(folder.read(tables.SAMPLES), records))
    return len(records)


def _anywhere(row: dict[str, Any]) -> dict[str, Any]:
    """A record as it would be on any machine: of paths the last part, and no log."""
    message = row["error_message"]
    return {**row, "error_message": FOLDERS.sub("", message) if message else message, "log": None}


def _own(samples: pa.Table, records: pa.Table) -> pa.Table:
    """The samples of the sets of farm's own making that some cell was calibrated with."""
    sets = [name for name in pc.unique(records["calibration"]).to_pylist() if name and Label(name).name in OWN]
    return samples.filter(pc.is_in(samples["calibration"], pa.array(sets, pa.string())))


def page(folder: Folder) -> str:
    """The page of what was published."""
    analysis = analyse(read_run(folder))
    return document([section(analysis, pictures(figures(analysis)))], lively=False)


def main() -> int:
    """Publish each results folder that is named."""
    for name in sys.argv[1:]:
        path = Path(name)
        try:
            target = Folder(str(REFERENCE / path.name))
            count = publish(Folder(str(path)), target)
            (REFERENCE / path.name / PAGE).write_text(page(target), encoding="utf-8")
        except FarmError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        sys.stdout.write(f"{count} cells: results/reference/{path.name}\n")
    return 0 if sys.argv[1:] else 2


if __name__ == "__main__":
    sys.exit(main())
