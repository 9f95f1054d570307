"""Publish a grid's results: ``python docs/publish.py results/study`` fills ``results/reference/study``.

Taken over: the records of cells that ran (what failed names this machine's folders), what each variant said of the
test images, in their order (without index and gap, which are the most of it), and sample images of the sets that farm
itself makes, for others' are not farm's to publish. Not the rounds: they are large. With them goes the page, its
figures as pictures.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from farm.errors import FarmError
from farm.report.figures import figures
from farm.report.page import document, drawings, section
from farm.results import tables
from farm.results.folder import Folder
from farm.results.reading import read_run

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
OWN = ("distylegan", "fractal", "noise")
PAGE = "report.html"
KEPT = ("cell", "label", "prediction", "score")  # in the order of the test images


def publish(folder: Folder, target: Folder) -> int:
    """Copy one grid's results; returns how many cells. Raises InputError if nothing was gathered there."""
    records = folder.read(tables.RECORDS)
    records = records.filter(pc.equal(records["outcome"], "ok"))
    target.write(tables.RECORDS, records)
    names = folder.names(tables.PREDICTIONS)
    for name in names:
        target.write(name, folder.read(name).select(KEPT))
    target.keep_only(tables.PREDICTIONS, names)
    if folder.has(tables.SAMPLES):
        target.write(tables.SAMPLES, _own(folder.read(tables.SAMPLES), records))
    return len(records)


def _own(samples: pa.Table, records: pa.Table) -> pa.Table:
    """The samples of the sets of farm's own making that some cell was calibrated with."""
    sets = [name for name in pc.unique(records["calibration"]).to_pylist() if name and name.partition("{")[0] in OWN]
    return samples.filter(pc.is_in(samples["calibration"], pa.array(sets, pa.string())))


def page(folder: Folder) -> str:
    """The page of what was published."""
    run = read_run(folder)
    return document([section(run, drawings(figures(run)))], lively=False)


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
