"""What is published of a run: what ran, and nothing that names this machine."""

import html
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from farm.errors import InputError
from farm.plan import Plan
from farm.results import tables
from farm.results.folder import Folder
from farm.results.migrate import is_older
from farm.results.reading import read_run, samples
from tests.runs import record

LIMIT = 5_000_000  # bytes
URL = "https://host/some/weights.pt"
TYPED = "farm run jobs/a.yaml --results /home/me/results"
DOCS = Path(__file__).parents[2] / "docs" / "making"
sys.path.append(str(DOCS))
import publish  # noqa: E402 - beside the pages, which is no package


@pytest.fixture
def ran(tmp_path):
    """A run of which one cell failed."""
    fine = replace(record("noise"), verdict="noisy", verdict_cause="wide")
    failed = replace(record("fractal"), outcome="failed", log="/home/me/log", error_message=f"no {URL}: /home/me/a.pt")
    folder = Folder(str(tmp_path / "ran"))
    folder.write_plan(Plan(command=TYPED, grid_file="/home/me/a.yaml"))
    folder.write(tables.RECORDS, tables.records([fine, failed], {"margin": 0.02}, TYPED))
    said = {"cell": [fine.cell], "index": [0], "label": [1], "prediction": [1], "score": [1.0], "gap": [0.5]}
    folder.write("predictions/a.parquet", pa.table(said))
    rows = [tables.Sample(calibration=name, index=0, label=-1, png=b"png") for name in ("noise", "fractal")]
    folder.write(tables.SAMPLES, tables.table_of(tables.SAMPLES, rows))
    return folder


def test_cells_are_published_with_what_they_said_or_why_they_failed(ran, tmp_path):
    target = Folder(str(tmp_path / "published"))
    assert publish.publish(ran, target) == 2
    found = read_run(target)
    assert [each.cell for each in found.records] == [record("noise").cell, record("fractal").cell]
    assert (found.records[0].verdict_cause, found.command) == ("wide", "farm run jobs/a.yaml")
    assert (found.records[1].error_message, found.records[1].log) == (f"no {URL}: a.pt", None)
    assert target.read_plan().command == "farm run jobs/a.yaml"
    assert found.claims.margin == 0.02
    assert list(found.predictions) == [record("noise").cell]
    assert [row["calibration"] for row in samples(target)] == ["noise", "fractal"]
    files = [path for path in (tmp_path / "published").rglob("*") if path.is_file()]
    assert len(files) == 4
    assert b"/home/me" not in b"".join(path.read_bytes() for path in files)


def test_images_that_are_others_are_not_published(ran, tmp_path):
    cells = [
        replace(record(name), calibration=name) for name in ("cifar10{seed=1}", "distylegan{weights=mine}", "noise")
    ]
    ran.write(tables.RECORDS, tables.records(cells, {}))
    rows = [tables.Sample(calibration=each.calibration, index=0, label=-1, png=b"png") for each in cells]
    ran.write(tables.SAMPLES, tables.table_of(tables.SAMPLES, rows))
    target = Folder(str(tmp_path / "published"))
    publish.publish(ran, target)
    assert [row["calibration"] for row in samples(target)] == ["distylegan{weights=mine}", "noise"]


@pytest.mark.parametrize("name", [path.parent.name for path in publish.REFERENCE.glob("*/records.parquet")])
def test_each_published_run_has_its_page_with_every_cell_and_no_code_of_others(name):
    text = (publish.REFERENCE / name / publish.PAGE).read_text(encoding="utf-8")
    run = read_run(Folder(str(publish.REFERENCE / name)))
    _, _, cells = text.partition('<table class="cells">')
    assert re.findall('data-cell="([^"]*)"', cells) == [html.escape(each.cell, quote=True) for each in run.records]
    assert "vegaEmbed=" not in text
    assert len(text.encode()) < LIMIT
    own = {str(row["calibration"]).partition("{")[0] for row in samples(Folder(str(publish.REFERENCE / name)))}
    assert own <= set(publish.OWN)


@pytest.mark.parametrize("name", [path.parent.name for path in publish.REFERENCE.glob("*/records.parquet")])
def test_each_published_run_is_of_todays_schema(name):
    folder = Folder(str(publish.REFERENCE / name))
    for file in (tables.RECORDS, *folder.names(tables.PREDICTIONS)):
        assert not is_older(folder.read(file), file)
    run = read_run(folder)
    plan = folder.read_plan()
    assert (plan.grid, plan.claims, plan.command) == (run.name, run.claims, run.command)


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
