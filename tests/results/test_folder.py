"""A grid's results folder: whole files or none, and clear words where there is nothing."""

import os
from dataclasses import replace

import pyarrow as pa
import pytest

from farm.errors import DataError, InputError
from farm.plan import Plan
from farm.record import Record
from farm.results import tables
from farm.results.folder import PLAN, Folder

TABLE = pa.table({"a": [1, 2]})


@pytest.fixture
def folder(tmp_path):
    return Folder(str(tmp_path / "grid"))


def test_a_plan_is_read_as_it_was_written(folder):
    folder.write_plan(Plan(grid="g"))
    assert folder.read_plan() == Plan(grid="g")
    assert folder.has(PLAN)


def test_without_a_plan_the_next_step_is_said(folder):
    with pytest.raises(InputError, match=r"has no plan\.json: run a grid first \(farm run jobs/quickstart\.yaml\)"):
        folder.read_plan()


def test_a_damaged_plan_is_named(folder):
    folder.write_plan(Plan())
    with open(f"{folder.root}/{PLAN}", "w") as target:  # noqa: PTH123
        target.write("{torn")
    with pytest.raises(DataError, match=r"^damaged: .*plan\.json: .*; run the grid again$"):
        folder.read_plan()


def test_a_table_is_replaced_whole_and_nothing_else_is_left(folder, tmp_path):
    folder.write("inner/a.parquet", TABLE)
    folder.write("inner/a.parquet", TABLE.slice(1))
    assert folder.read("inner/a.parquet").to_pylist() == [{"a": 2}]
    assert [path.name for path in (tmp_path / "grid" / "inner").iterdir()] == ["a.parquet"]


def test_what_a_killed_writer_left_is_not_read(folder, tmp_path):
    folder.write("inner/a.parquet", TABLE)
    (tmp_path / "grid" / "inner" / "b.parquet.1234.new").write_bytes(b"PAR1 half")
    assert folder.names("inner") == ["inner/a.parquet"]
    folder.keep_only("inner", [])
    assert [path.name for path in (tmp_path / "grid" / "inner").iterdir()] == ["b.parquet.1234.new"]


def test_a_damaged_table_is_named(folder, tmp_path):
    folder.write("a.parquet", TABLE)
    (tmp_path / "grid" / "a.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(DataError, match=r"^damaged: .*a\.parquet: .*; `farm gather --fresh` makes it anew$"):
        folder.read("a.parquet")


def test_a_table_that_is_not_there_is_named_with_what_makes_it(folder):
    with pytest.raises(InputError, match=r"there is no .*grid/records\.parquet: run the grid, or `farm gather` it"):
        folder.read("records.parquet")


def test_a_write_that_fails_leaves_the_old_file_alone(folder, tmp_path):
    folder.write("a.parquet", TABLE)
    (tmp_path / "grid" / "b.parquet").mkdir()  # nothing can be put in a folder's place
    with pytest.raises(OSError, match="directory"):
        folder.write("b.parquet", TABLE)
    assert sorted(path.name for path in (tmp_path / "grid").iterdir()) == ["a.parquet", "b.parquet"]
    assert folder.read("a.parquet") == TABLE


def test_only_named_files_of_a_subfolder_are_kept(folder, tmp_path):
    folder.keep_only("inner", ())
    for name in ("a", "b", "c"):
        folder.write(f"inner/{name}.parquet", TABLE)
    folder.keep_only("inner", {"inner/b.parquet"})
    assert [path.name for path in (tmp_path / "grid" / "inner").iterdir()] == ["b.parquet"]


def test_a_place_of_an_unknown_kind_is_named():
    with pytest.raises(InputError, match="cannot open nowhere://x"):
        Folder("nowhere://x")


def test_records_of_an_earlier_schema_have_nulls_for_what_it_did_not_know():
    record = Record(
        grid="g", cell="c", model="m", algorithm="a", device="d", runtime="r", outcome="ok", top1=0.5,
        metric="top1", score=0.5, score_drop=0.1, stopped_by="target", reached=True,
    )  # fmt: skip
    first_form = tables.records([record], {}).drop_columns(
        ["metric", "score", "score_drop", "stopped_by", "reached", "validate_on", "iterations", "reverted_layers",
         "control_drop", "control_images", "control_labels"]
    )  # fmt: skip
    assert tables.records_from(first_form) == [
        replace(record, metric=None, score=None, score_drop=None, stopped_by=None, reached=None)
    ]


def test_records_are_read_back_and_columns_of_a_later_schema_left_out():
    record = Record(grid="g", cell="c", model="m", algorithm="a", device="d", runtime="r", outcome="ok", top1=0.5)
    table = tables.records([record], {})
    assert tables.records_from(table.append_column("colour", pa.array(["blue"]))) == [record]


@pytest.mark.parametrize("name", ["plan.json", "records.parquet"])
def test_a_pipe_in_the_place_of_a_file_is_refused(tmp_path, name):
    os.mkfifo(tmp_path / name)
    folder = Folder(str(tmp_path))
    with pytest.raises(InputError, match=f"{name} is no file: remove it"):
        folder.read_plan() if name == "plan.json" else folder.read(name)


def test_a_plan_keeps_no_secret_of_an_address(tmp_path):
    folder = Folder(str(tmp_path))
    plan = Plan(grid="g", command="farm run g.yaml --results s3://me:hush@bucket/results")
    kept = folder.write_plan(plan)
    assert kept == folder.read_plan()
    assert kept.command == "farm run g.yaml --results s3://***@bucket/results"
    assert folder.write_plan(Plan(grid="g")) == Plan(grid="g")
