"""Publish a grid's results: ``python docs/publish.py results/study`` fills ``results/reference/study``.

Taken over: the records of cells that ran (what failed names this machine's folders), what each variant said of the
test images, in their order (without index and gap, which are the most of it), and the sample images. Not the rounds:
they are large.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from farm.errors import FarmError
from farm.results import tables
from farm.results.folder import Folder

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
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
        target.write(tables.SAMPLES, _with_cells(folder.read(tables.SAMPLES), records))
    return len(records)


def _with_cells(samples: pa.Table, records: pa.Table) -> pa.Table:
    """The samples of the sets that some cell was calibrated with."""
    return samples.filter(pc.is_in(samples["calibration"], pc.unique(records["calibration"])))


def main() -> int:
    """Publish each results folder that is named."""
    for name in sys.argv[1:]:
        path = Path(name)
        try:
            count = publish(Folder(str(path)), Folder(str(REFERENCE / path.name)))
        except FarmError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        sys.stdout.write(f"{count} cells: results/reference/{path.name}\n")
    return 0 if sys.argv[1:] else 2


if __name__ == "__main__":
    sys.exit(main())
