"""Damaged results: each command that reads them says so in one sentence, and what to do."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from farm.campaign.resolve import resolve
from farm.catalog import CATALOG
from farm.grid.load import load
from farm.record import Outcome
from farm.results.folder import Folder
from farm.store import Store
from tests.cli.conftest import Place
from tests.conftest import GridFiles
from tests.results.conftest import Bench

INT8 = "resnet20/noise/default/CPU"
FOLDER, STORE = "results/small", "results/store"
READERS = {  # command -> what it is asked
    "show": ("show",),
    "watch": ("show", "--watch", "--every", "0.1"),
    "sheet": ("show", "--sheet", "sheet.png"),
    "report": ("report", "--still"),
    "compare": ("compare", "kept/small", "results/small"),
    "why": ("why", INT8),
    "get": ("get", INT8, "model"),
    "layers": ("layers", INT8),
    "gather": ("gather",),
}
AGAIN, GATHER = "run the grid again", "`farm gather --fresh` makes it anew"
REMOVE = "remove it, and run the grid again"

NOT_JSON = {
    "empty": b"",
    "torn": b'{"schema": 2, "sta',
    "no text": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "another form": b"[7]",
    "other types": b'{"schema": 2, "grid": 7, "uri": 7, "cells": {"a": 1}, "stages": [], "files": 3}',
}
DAMAGED = {  # file -> what to do, and who reads it
    f"{FOLDER}/plan.json": (AGAIN, ("watch", "why", "get", "layers", "gather", "report")),
    f"{STORE}/quantize/*/*/manifest.json": (REMOVE, ("get",)),
    f"{STORE}/attempts/*/1.json": ("remove it", ("watch", "why", "gather")),
}


def ir(folder):
    (folder / "model.xml").write_text("<net/>")
    (folder / "model.bin").write_bytes(bytes(256))


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    """Where a grid was run, by hand, and gathered; its run is still noted as under way. Another copy lies in `kept`."""
    folder = tmp_path_factory.mktemp("gathered")
    bench = Bench(folder, str(folder / "results"), GridFiles(folder).grid(calibrations=["noise", "digits"]))
    bench.done(INT8, "quantize", files=[ir])
    for cell in bench.cells:
        bench.all_done(cell)
    (folder / "grid.yaml").rename(
        folder / "other.yaml"
    )  # `farm why` would find all stale: these keys are of no library
    Place(folder).farm("gather")
    shutil.copytree(folder / "results", folder / "kept")
    (folder / FOLDER / "events.jsonl").write_text(json.dumps({"what": "begun", "run": "1", "wanted": []}) + "\n")
    return folder


@pytest.fixture
def place(gathered, tmp_path):
    shutil.copytree(gathered, tmp_path / "copy")
    return Place(tmp_path / "copy")


def said(place, reader):
    """What a command says of what it cannot read, in one sentence."""
    code, out, err = place.answer(*READERS[reader])
    assert code == 2, f"exit code {code}\n{out}\n{err}"
    assert "Traceback" not in err
    assert err.startswith("farm: ")
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize("reader", ["show", "report", "compare", "why", "get", "gather"])
def test_what_is_sound_is_read(place, reader):
    place.farm(*READERS[reader])


@pytest.mark.parametrize("damage", NOT_JSON)
@pytest.mark.parametrize(
    ("pattern", "reader"), [(pattern, reader) for pattern, (_, readers) in DAMAGED.items() for reader in readers]
)
def test_a_damaged_document_is_one_sentence(place, pattern, reader, damage):
    paths = sorted(place.folder.glob(pattern))
    assert paths
    for path in paths:
        path.write_bytes(NOT_JSON[damage])
    text = said(place, reader)
    assert text.startswith("farm: damaged: ")
    assert any(str(path) in text for path in paths), text
    assert text.endswith(f"; {DAMAGED[pattern][0]}\n")


def test_a_damaged_attempt_of_a_planned_stage_is_one_sentence(place):
    store = Store(str(place.folder / STORE))
    for uri in resolve(load(place.folder / "other.yaml", CATALOG)).stages:
        log = store.attempts.add(uri, Outcome(uri=uri, label="x"), place.folder / "other.yaml").log
        Path(log).with_suffix(".json").write_text("torn")
    code, _, err = place.answer("plan", "other.yaml")
    assert code == 2
    assert err.startswith(f"farm: damaged: {place.folder / STORE}/attempts/")
    assert err.endswith("; remove it\n")


RECORDS = f"{FOLDER}/records.parquet"


def changed(**columns):
    """Records with other values in all rows of some columns."""

    def change(path):
        table = pq.ParquetFile(path).read()
        for name, value in columns.items():
            place = table.column_names.index(name)
            table = table.set_column(place, name, pa.array([value] * len(table)))
        pq.write_table(table, path)

    return change


def metadata(**values):
    def change(path):
        table = pq.ParquetFile(path).read()
        more = {name.encode(): value for name, value in values.items()}
        pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **more}), path)

    return change


def without(name):
    return lambda path: pq.write_table(pq.ParquetFile(path).read().drop_columns([name]), path)


def torn(path):
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path):
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 4, len(content) // 2):  # of a table, some column that is read lies there
        content[place] ^= 0xFF
    path.write_bytes(content)


TABLES = {
    "empty": lambda path: path.write_bytes(b""),
    "torn": torn,
    "flipped": flipped,
    "text": lambda path: path.write_text("cell,model\n"),
    "other columns": lambda path: pq.write_table(pa.table({"a": [1]}), path),
    "no cell": without("cell"),
    "a null": changed(cell=None),
    "another type": changed(top1="high"),
    "a list": changed(fps=[1.0, 2.0]),
    "no text": changed(model=b"\xff"),
    "not a number": changed(score=float("nan")),
    "a ratio of 0": changed(speedup_ir=0.0),
    "an unknown word": changed(verdict="splendid"),
    "versions that are none": changed(versions="[1]"),
    "versions that are no JSON": changed(versions="{torn"),
    "mismatches that are none": changed(mismatches='[{"a": 1}]'),
    "claims that are none": metadata(farm_claims=b'{"margin": "much"}'),
    "claims that are no JSON": metadata(farm_claims=b"\xff"),
    "a schema that is none": metadata(farm_schema=b"new"),
}


@pytest.mark.parametrize("damage", TABLES)
@pytest.mark.parametrize("reader", ["show", "compare", "why", "get"])
def test_damaged_records_are_one_sentence(place, reader, damage):
    TABLES[damage](place.folder / RECORDS)
    text = said(place, reader)
    assert text.startswith("farm: damaged: ")
    assert f"{RECORDS}: " in text
    assert text.endswith(f"; {GATHER}\n")
    if damage == "flipped" or reader == "show":
        place.farm("gather")
        place.farm(*READERS[reader])


@pytest.mark.parametrize(
    ("name", "reader"), [("predictions/*", "show"), ("latencies/*", "report"), ("samples.parquet", "sheet")]
)
@pytest.mark.parametrize("damage", ["empty", "torn", "flipped", "other columns"])
def test_other_damaged_tables_are_one_sentence(place, name, reader, damage):
    for path in sorted(place.folder.glob(f"{FOLDER}/{name}")):
        TABLES[damage](path)
    text = said(place, reader)
    assert text.startswith("farm: damaged: ")
    assert text.endswith(f"; {GATHER}\n")


SPOILT = [  # role, file of the artefact, and what happens to it
    ("quantize", "manifest.json", torn),
    ("quantize", "*/model.bin", torn),
    ("evaluate", "manifest.json", torn),
    ("evaluate", "*/predictions.parquet", flipped),
    ("measure", "*/rounds.parquet", flipped),
    ("calibration", "*/images.parquet", torn),
]


def records(place):
    return {row["cell"]: row for row in pq.ParquetFile(place.folder / RECORDS).read().to_pylist()}


@pytest.mark.parametrize(("role", "name", "spoil"), SPOILT)
def test_a_damaged_artefact_is_its_cells_failure_and_the_others_stay(place, role, name, spoil):
    before = records(place)
    uri = Folder(str(place.folder / FOLDER)).read_plan().cell(INT8).stages[role]
    kind, key = uri.split("/")
    [path] = place.folder.glob(f"{STORE}/{kind}/*/{key}/{name}")
    spoil(path)
    shutil.rmtree(place.folder / FOLDER / "predictions")
    assert "with damaged artefacts (farm why tells which): run the grid again" in place.farm("gather")
    after = records(place)
    assert after[INT8]["outcome"] == "failed"
    assert after[INT8]["error_class"] == "damaged"
    assert f"damaged: {path}: " in after[INT8]["error_message"]
    sound = {cell for cell, row in after.items() if row["outcome"] == "ok"}
    assert sound, "the baselines need none of it"
    assert all(after[cell] == before[cell] for cell in sound)
    assert "damaged" in place.farm("show")
    why = place.farm("why", INT8, "--json")
    [row] = [row for row in json.loads(why) if row["role"] == role]
    assert row["state"] == "failed"
    assert row["because"].startswith(f"damaged: {path}: ")


def test_a_store_that_is_not_there_is_no_whole_one(place):
    assert "there is no store " in place.farm("store", "verify", "--results", "elsewhere", code=2)


def test_all_of_a_store_is_checked_and_what_is_damaged_set_aside(place):
    store = Store(str(place.folder / STORE))
    count = len(store.uris())
    assert f"{count} artefacts in {store.url}, all of them whole" in place.farm("store", "verify", "--quiet")
    [path, *_] = place.folder.glob(f"{STORE}/quantize/*/*/*/model.bin")
    flipped(path)
    told = place.farm("store", "verify", code=1)
    uri = f"quantize/{path.parts[-3]}"
    assert f"{uri}: damaged: {path}: it is not what its manifest says" in told
    assert f"1 of {count} artefacts in {store.url} damaged; next: farm store verify --set-aside" in told
    assert store.has(uri)
    assert list(json.loads(place.farm("store", "verify", "--json", "--quiet", code=1))["damaged"]) == [uri]
    told = place.farm("store", "verify", "--set-aside", code=1)
    assert f"set aside in {store.files.root}/damaged/{uri}-" in told
    assert not store.has(uri)
    assert f"{count - 1} artefacts in {store.url}, all of them whole" in place.farm("store", "verify")


@pytest.mark.parametrize(
    ("name", "change", "readers"),
    [
        ("plan.json", lambda path: path.write_text('{"schema": 99}'), ("watch", "why", "get", "gather")),
        ("records.parquet", metadata(farm_schema=b"99"), ("show", "compare", "why", "get")),
    ],
)
def test_a_newer_schema_is_refused_in_one_sentence(place, name, change, readers):
    change(place.folder / FOLDER / name)
    for reader in readers:
        text = said(place, reader)
        assert f"{name} is of a newer farm: its schema is 99, and this one reads up to " in text
        assert text.endswith("; update farm\n")


@pytest.mark.parametrize("damage", NOT_JSON)
def test_events_that_are_none_are_left_out(place, damage):
    (place.folder / FOLDER / "events.jsonl").write_bytes(NOT_JSON[damage] + b"\n")
    assert "events.jsonl tells of no run, so none can be watched" in place.farm(*READERS["watch"])
