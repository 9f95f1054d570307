"""What was gathered is not read again, and yet what is gathered is what the store holds."""

import os
import random
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from farm.results import parts, tables
from farm.results.gather import gather, gathered
from farm.results.parts import CELLS, INDEX, parts_of
from farm.store.files import Files
from farm.store.listing import Seen
from tests.results.conftest import predicted, rounds, shard

SETS = ["noise", "fractal", {"name": "noise", "seed": 1}]
INT8 = "resnet20/noise/default/CPU"


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of one cell, more or less."""
    monkeypatch.setattr(parts, "CELLS", 1)


@pytest.fixture
def read(monkeypatch):
    """The names of all files of stores that are read."""
    names, content = [], Files.content

    def noted(files, name):
        names.append(name)
        return content(files, name)

    monkeypatch.setattr(Files, "content", noted)
    return names


def all_done(one):
    for cell in one.cells:
        one.all_done(cell)


def everything(one):
    """All gathered files but what says how they came to be."""
    fs, root = one.folder.fs, one.folder.root
    return {path: fs.cat_file(path) for path in fs.find(root) if not path.endswith((INDEX, "plan.json"))}


def test_every_cell_is_in_one_part_and_most_stay_where_they_are_when_a_grid_grows(bench):
    one = bench(calibrations=[{"name": "noise", "seed": seed} for seed in range(10 * CELLS)])
    few, many = (replace(one.plan, cells=one.plan.cells[:count]) for count in (9 * CELLS, 10 * CELLS))
    for plan in (few, many, replace(one.plan, cells=one.plan.cells[:CELLS])):
        found = parts_of(plan)
        assert sorted(cell.name for part in found for cell in part.cells) == sorted(cell.name for cell in plan.cells)
        assert len(found) in (16, 1)
    before, after = ({cell.name: part.name for part in parts_of(plan) for cell in part.cells} for plan in (few, many))
    assert before.items() <= after.items()


def test_what_has_not_changed_is_neither_read_nor_written_again(bench, read):
    one = bench(calibrations=SETS)
    all_done(one)
    records = gather(one.folder, one.store)
    before = one.folder.marks()
    read.clear()
    assert gather(one.folder, one.store) == records
    assert read == []
    assert one.folder.marks() == before


def test_of_one_cell_that_has_changed_only_its_part_is_read(bench, read, small_parts):
    one = bench(calibrations=SETS)
    all_done(one)
    gather(one.folder, one.store)
    read.clear()
    one.tried(INT8, "measure", error_class="error", error_message="no")
    read.clear()
    gather(one.folder, one.store)
    part = next(part for part in parts_of(one.plan) if INT8 in {cell.name for cell in part.cells})
    keys = {uri.partition("/")[2] for uri in part.uris}
    assert read
    assert {name.split("/")[1 if name.startswith("attempts/") else 2] for name in read} <= keys
    assert len(one.folder.read(tables.ATTEMPTS)) == len(one.plan.stages) + 1


def test_all_is_read_again_if_it_is_asked_for(bench, read):
    one = bench()
    all_done(one)
    gather(one.folder, one.store)
    read.clear()
    gathered(one.folder, one.store, one.folder.read_plan(), fresh=True)
    assert len({name for name in read if name.endswith("manifest.json")}) == len(one.plan.stages)


def test_whatever_happens_between_what_is_gathered_is_what_the_store_holds(bench, small_parts):
    one = bench(calibrations=SETS)
    rng = random.Random(0)
    uris = sorted({(role, uri, cell) for cell, stages in one.cells.items() for role, uri in stages.items()})
    files = {"calibration": [shard(70)], "fp32": [predicted([1, 2, 3, 4])], "evaluate": [predicted([1, 2, 3, 0])]}
    files["measure"] = [rounds(200.0, 100.0)]
    for _ in range(12):
        for role, uri, cell in rng.sample(uris, 4):
            if not one.store.has(uri):
                one.done(cell, role, files=files.get(role))
            elif rng.random() < 0.5:
                one.store.discard(uri)
            else:
                one.tried(cell, role, error_class="error", error_message="no")
        cells = rng.sample(one.plan.cells, rng.randint(1, len(one.plan.cells)))
        plan = one.folder.write_plan(replace(one.plan, cells=tuple(cells)))
        records, _ = gathered(one.folder, one.store, plan)
        found = everything(one)
        assert gathered(one.folder, one.store, plan, fresh=True)[0] == records
        assert found.keys() == everything(one).keys()
        for path, content in everything(one).items():
            assert content == found[path], path
        assert not any(name.endswith(".new") for name in one.folder.marks())


GONE = {
    "removed": lambda one, name: one.folder.fs.rm_file(f"{one.folder.root}/{name}"),
    "torn": lambda one, name: one.folder.put(name, b"PAR1 torn"),
}


@pytest.mark.parametrize("what", GONE)
@pytest.mark.parametrize("name", [tables.RECORDS, tables.ATTEMPTS, tables.SAMPLES, "predictions"])
def test_a_gathered_file_that_is_no_longer_what_it_was_is_made_anew(bench, what, name):
    one = bench()
    all_done(one)
    gather(one.folder, one.store)
    before = everything(one)
    GONE[what](one, one.folder.names(name)[0] if name == "predictions" else name)
    gather(one.folder, one.store)
    assert everything(one) == before


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"parts": 3}', b'{"farm": "0.0.1"}', b"[" * 100_000])
def test_where_what_was_gathered_is_not_known_all_is_gathered(bench, content):
    one = bench()
    all_done(one)
    gather(one.folder, one.store)
    before = everything(one)
    one.folder.put(INDEX, content)
    gather(one.folder, one.store)
    assert everything(one) == before
    assert one.folder.content(INDEX) != content


def test_what_another_version_gathered_is_gathered_again(bench, read, monkeypatch):
    one = bench()
    all_done(one)
    gather(one.folder, one.store)
    read.clear()
    monkeypatch.setattr(parts, "VERSION", parts.VERSION + 1)
    gather(one.folder, one.store)
    assert read


def test_a_part_that_holds_damage_is_looked_at_each_time(bench):
    one = bench()
    all_done(one)
    store, uri = one.store, one.cells[INT8]["evaluate"]
    path = f"{store.files.root}/evaluate/{uri.partition('/')[2][:2]}/{uri.partition('/')[2]}/{store.manifest(uri).copy}"
    content = store.files.fs.cat_file(f"{path}/predictions.parquet")
    store.files.fs.pipe_file(f"{path}/predictions.parquet", content[:-1] + b"!")
    for _ in range(2):
        records, damaged = gathered(one.folder, one.store, one.plan)
        assert damaged.keys() == {uri}
        assert {record.cell: record.error_class for record in records}[INT8] == "damaged"


def test_damage_that_only_the_images_show_is_in_all_rows_that_they_calibrate(bench):
    one = bench()
    all_done(one)
    store, uri = one.store, one.cells[INT8]["calibration"]
    key = uri.partition("/")[2]
    path = f"{store.files.root}/synthesize/{key[:2]}/{key}/{store.manifest(uri).copy}/images.parquet"
    content = store.files.fs.cat_file(path)
    store.files.fs.pipe_file(path, content[:200] + bytes(200) + content[400:])
    records, damaged = gathered(one.folder, one.store, one.plan)
    assert damaged.keys() == {uri}
    assert {record.cell: record.outcome for record in records}[INT8] == "failed"
    assert len(one.folder.read(tables.SAMPLES)) == 0


def test_of_two_gatherings_at_once_neither_passes_for_the_other(bench, monkeypatch):
    """One that has read less, and ends while the other writes."""
    one = bench()
    for cell in one.cells:
        one.all_done(cell)
    uri = one.cells[INT8]["evaluate"]
    seen = one.store.listed(one.plan.stages)
    one.store.discard(uri)
    one.done(INT8, "evaluate", files=[predicted([9, 9, 9, 9])])
    write = parts.write

    def overtaken(folder, index):
        monkeypatch.setattr(parts, "write", lambda *_: None)
        with monkeypatch.context() as patch:
            patch.setattr(type(one.store), "listed", lambda *_: {name: Seen(**asdict(each)) for name, each in
                                                                 (seen | {uri: Seen()}).items()})  # fmt: skip
            gather(one.folder, one.store)
        write(folder, index)

    monkeypatch.setattr(parts, "write", overtaken)
    gather(one.folder, one.store)
    monkeypatch.setattr(parts, "write", write)
    records = {record.cell: record for record in gather(one.folder, one.store)}
    assert records[INT8].outcome == "ok"
    found = {cell: rows for name in one.folder.names(tables.PREDICTIONS)
             for cell, rows in tables.cells_in(one.folder.read(name))}  # fmt: skip
    assert found[INT8]["prediction"].to_pylist() == [9] * 4


def spoilt(one, role, cell=INT8):
    """Rot a byte of what a stage left, so that neither its size nor its time shows it."""
    store, uri = one.store, one.cells[cell][role]
    kind, _, key = uri.partition("/")
    folder = f"{store.files.root}/{kind}/{key[:2]}/{key}/{store.manifest(uri).copy}"
    [path] = store.files.fs.find(folder)
    content = bytearray(store.files.fs.cat_file(path))
    content[len(content) // 3] ^= 0xFF
    if not store.files.local:
        shutil.rmtree(store.cache)  # it has a sound copy
        store.files.fs.store[path].seek(0)
        store.files.fs.store[path].write(bytes(content))
        return uri
    told = Path(path).stat()
    with Path(path).open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    return uri


def test_damage_that_shows_in_one_part_is_told_of_all_that_need_the_artefact(bench, small_parts):
    one = bench(calibrations=SETS)
    all_done(one)
    gather(one.folder, one.store)
    uri = spoilt(one, "fp32")
    one.tried(INT8, "measure", error_class="error", error_message="no")
    records, damaged = gathered(one.folder, one.store, one.plan)
    assert damaged.keys() == {uri}
    needing = {cell for cell, stages in one.cells.items() if uri in stages.values()}
    assert {record.cell for record in records if record.error_class == "damaged"} == needing


def test_a_shard_that_two_sets_begin_with_and_that_is_damaged_is_told_with_its_copy(bench):
    one = bench(
        calibrations=[{"name": "noise", "count": count} for count in (600, 1200)], settings={"shard_images": 256}
    )
    large = "resnet20/noise{count=1200}/default/CPU"
    files = {"fp32": [predicted([1, 1])], "evaluate": [predicted([1, 2])], "measure": [rounds(2.0, 1.0)]}
    for role in one.cells[large]:
        one.done(large, role, files=files.get(role, [shard(256)] if role.startswith("calibration") else None))
    uri = one.cells[large]["calibration"]
    assert uri in one.cells["resnet20/noise{count=600}/default/CPU"].values()
    key = uri.partition("/")[2]
    copy = one.store.manifest(uri).copy
    path = f"{one.store.files.root}/synthesize/{key[:2]}/{key}/{copy}/images.parquet"
    one.store.files.fs.pipe_file(path, one.store.files.fs.cat_file(path)[:-400] + bytes(400))
    _, damaged = gathered(one.folder, one.store, one.plan)
    assert [(name, found.copy) for name, found in damaged.items()] == [(uri, copy)]
