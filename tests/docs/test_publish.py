"""What is published of a run: what ran, and nothing that names this machine."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from farm.errors import InputError
from farm.results import tables
from farm.results.folder import Folder
from farm.results.reading import read_run, samples
from tests.runs import record

DOCS = Path(__file__).parents[2] / "docs"
sys.path.append(str(DOCS))
import publish  # noqa: E402 - beside the pages, which is no package


@pytest.fixture
def ran(tmp_path):
    """A run of which one cell failed."""
    fine, failed = record("noise"), replace(record("fractal"), outcome="failed", error_message="/home/me/weights.pt")
    folder = Folder(str(tmp_path / "ran"))
    folder.write(tables.RECORDS, tables.records([fine, failed], {"margin": 0.02}))
    said = {"cell": [fine.cell], "index": [0], "label": [1], "prediction": [1], "score": [1.0], "gap": [0.5]}
    folder.write("predictions/a.parquet", pa.table(said))
    rows = [{"calibration": name, "index": 0, "label": -1, "png": b"png"} for name in ("noise", "fractal")]
    folder.write(tables.SAMPLES, tables.samples(rows))
    return folder


def test_cells_that_ran_are_published_with_what_they_said(ran, tmp_path):
    target = Folder(str(tmp_path / "published"))
    assert publish.publish(ran, target) == 1
    found = read_run(target)
    assert [each.cell for each in found.records] == [record("noise").cell]
    assert found.claims.margin == 0.02
    assert list(found.predictions) == [record("noise").cell]
    assert [row["calibration"] for row in samples(target)] == ["noise"]
    assert b"/home/me" not in b"".join(path.read_bytes() for path in tmp_path.glob("published/**/*.parquet"))


def test_what_was_published_before_and_is_no_more_goes(ran, tmp_path):
    target = Folder(str(tmp_path / "published"))
    target.write("predictions/old.parquet", pa.table({"cell": ["x"]}))
    publish.publish(ran, target)
    assert target.names(tables.PREDICTIONS) == ["predictions/a.parquet"]


def test_a_folder_without_results_is_told(tmp_path):
    with pytest.raises(InputError, match="run the grid"):
        publish.publish(Folder(str(tmp_path)), Folder(str(tmp_path / "published")))
    ended = subprocess.run([sys.executable, DOCS / "publish.py", tmp_path], capture_output=True, text=True, check=False)
    assert (ended.returncode, "run the grid" in ended.stderr) == (2, True)
