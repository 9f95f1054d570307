"""`farm logs`: what a cell's stages said."""

import json
import re

import fsspec
import pytest

IR, INT8 = "tiny/-/ir/CPU", "tiny/noise{count=16}/default/CPU"
INLINE = ("--engine", "inline")


def test_all_logs_of_a_cell_are_printed_each_under_its_stage(ran):
    said = ran.farm("logs", INT8)
    for role in ("calibration", "export", "quantize", "fp32", "evaluate", "measure"):
        assert f"== {role}, attempt 1 on " in said
    rows = json.loads(ran.farm("logs", INT8, "--json"))
    assert {row["role"] for row in rows} >= {"calibration", "export", "measure"}
    assert all(row["attempt"] == 1 and row["host"] for row in rows)
    only = ran.farm("logs", INT8, "--stage", "quantize")
    assert "== quantize, attempt 1 on " in only
    assert "== export" not in only


def test_of_a_cell_that_failed_only_what_failed_is_printed(place):
    grid = place.grid(models=[{"factory": "networks:raises"}])
    place.farm("run", grid, *INLINE, code=1)
    failed = place.farm("run", grid, *INLINE, code=1)
    where = re.search(r"log: (\S+)", failed)[1]
    with fsspec.open(where, "rt") as log:
        assert "no such luck" in log.read(), "what is printed can be opened"
    said = place.farm("logs", "raises/-/ir/CPU")
    assert "== export, attempt 2 on " in said
    assert "error: no such luck" in said
    assert "== evaluate" not in said
    every = place.farm("logs", "raises/-/ir/CPU", "--attempts", "all")
    assert "== export, attempt 1 on " in every
    assert "== export, attempt 2 on " in every
    assert "== evaluate: not tried yet" in place.farm("logs", "raises/-/ir/CPU", "--stage", "evaluate")


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (("--stage", "evaluat"), "did you mean 'evaluate'"),
        (("--attempts", "some"), "there are last and all"),
    ],
)
def test_a_slip_is_told(ran, typed, text):
    assert text in ran.farm("logs", INT8, *typed, code=2)
