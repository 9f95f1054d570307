"""Hostile names, fed to everything that shows them: no command reaches a terminal, no secret and no formula a file."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from farm.shown import visible
from tests.cli.conftest import Place

ESCAPES = "red\x1b[31m\x9b2J\u202egnp"
FORMULA = "=1+cmd|calc"
SECRET = "hush-hush"  # noqa: S105 - of nobody's
ADDRESS = f"https://me:{SECRET}@example.com/net.pt?token={SECRET}"


def photos(folder, name):
    for label in range(10):
        (folder / name / str(label)).mkdir(parents=True)
        Image.new("RGB", (32, 32), (label * 25, 0, 0)).save(folder / name / str(label) / "0.png")


@pytest.fixture(scope="module")
def ran(tmp_path_factory, fork_server):
    """A grid of hostile names, run: one cell is fine, one fails and says so."""
    place = Place(tmp_path_factory.mktemp("hostile"))
    photos(place.folder, ESCAPES)
    models = [
        {"factory": "networks:tiny", "name": FORMULA},
        {"factory": "networks:tiny", "name": "away", "weights": ADDRESS},
    ]
    calibrations = [{"name": "folder", "path": ESCAPES, "count": 10}]
    grid = place.grid(models=models, calibrations=calibrations, baselines=["ir"])
    said = place.farm("run", grid, "--engine", "inline", "--no-measure", code=1)
    return place, grid, said


def is_harmless(text):
    return not any(letter in text for letter in "\x1b\x9b\u202e") and SECRET not in text


SHOWN = {
    "plan": ("plan", "GRID", "--cells"),
    "plan --json": ("plan", "GRID", "--json"),
    "show": ("show",),
    "show --wide": ("show", "--wide"),
    "show --csv": ("show", "--csv"),
    "show --md": ("show", "--md"),
    "show --json": ("show", "--json"),
    "why": ("why", f"{FORMULA}/folder{{count=10,path={visible(ESCAPES)}}}/default/CPU"),
    "gather": ("gather", "quick"),
}


def test_no_file_of_results_keeps_a_secret(ran):
    place, _, _ = ran
    kept = [path for path in (place.folder / "results").rglob("*") if path.is_file()]
    assert {"plan.json", "records.parquet", "attempts.parquet", "events.jsonl"} <= {path.name for path in kept}
    for path in kept:
        table = pq.read_table(path) if path.suffix == ".parquet" else None
        told = [table.to_pylist(), table.schema.metadata] if table else path.read_text(errors="replace")
        assert SECRET not in str(told), path


def test_a_run_says_nothing_that_a_terminal_would_do(ran):
    _, _, said = ran
    assert is_harmless(said)
    assert r"red\x1b[31m\x9b2J\u202egnp" in said
    assert "https://***@example.com/net.pt?token=***" in said


@pytest.mark.parametrize("what", SHOWN)
def test_no_command_shows_it(ran, what):
    place, grid, _ = ran
    code, out, err = place.answer(*(str(grid) if word == "GRID" else word for word in SHOWN[what]))
    assert is_harmless(out + err)
    assert code in (0, 1)
    assert "red" in out + err or what == "gather"


def test_a_spreadsheet_takes_it_for_text(ran):
    place, _, _ = ran
    rows = list(csv.DictReader(io.StringIO(place.farm("show", "--csv"))))
    assert {row["model"] for row in rows} == {f"'{FORMULA}", "away"}
    assert {row["calibration"] for row in rows} >= {""}


def test_the_page_shows_it_as_text(ran):
    place, _, _ = ran
    place.farm("report", "--out", "page.html")
    page = (place.folder / "page.html").read_text(encoding="utf-8")
    assert is_harmless(page)
    assert "red\\x1b[31m" in page


def test_a_strangers_records_are_shown_as_text(ran):
    """Names that no label of farm's would have: written into the file by hand."""
    place, _, _ = ran
    path = place.folder / "results" / "quick" / "records.parquet"
    whole = path.read_bytes()
    table = pq.read_table(path)
    rows = [row | {"model": ESCAPES, "error_message": f"{ESCAPES} {ADDRESS}"} for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    try:
        for what in ("show", "show --wide", "show --csv", "show --md", "show --json"):
            code, out, err = place.answer(*SHOWN[what])
            assert (code, is_harmless(out + err)) == (0, True), what
        place.farm("report", "--out", "strange.html")
        assert is_harmless((place.folder / "strange.html").read_text(encoding="utf-8"))
        json.loads(place.farm("show", "--json"))
    finally:
        path.write_bytes(whole)
