"""`farm compare` as CI runs it: results on disk in, a table and an exit code out."""

import json
import uuid
from dataclasses import replace

import fsspec
import pyarrow as pa
import pytest

from farm.cli import compare
from farm.errors import InputError
from farm.results import tables
from farm.results.folder import Folder
from farm.results.location import Location
from tests.runs import N, record, run

HERE = {"host": "alpha", "cpu_model": "Xeon", "threads": 1, "verdict": "valid", "fps": 250.0}
IR, NOISE = record(), record("noise{count=16}", model="vgg")
REAL = record("real", **HERE, speedup_ir=2.5, speedup_ir_low=2.48, speedup_ir_high=2.52)


def written(url, wrong, *, predictions=True):
    """A run on disk, or wherever: each cell with the images that it gets wrong."""
    folder, found = Folder(str(url)), run(wrong)
    folder.write(tables.RECORDS, tables.records(found.records, {}))
    for number, (cell, said) in enumerate(found.predictions.items() if predictions else ()):
        columns = {"label": said.label, "prediction": said.prediction, "score": said.score}
        folder.write(f"predictions/{number}.parquet", pa.table({"cell": [cell] * N, "index": range(N), **columns}))
    return url


@pytest.fixture
def before(place):
    """What is compared with; the grid's other run is of the test."""
    return written(place.folder / "before" / "small", {IR: (), REAL: range(10), NOISE: range(10)})


def test_a_run_beside_itself_is_fine(place, before):
    said = place.farm("compare", before, before)
    assert "A and B are the same results" in said
    assert "no regression in 3 cells; judged: 3 by accuracy, 1 by speed" in said


def test_a_regression_stands_first_and_makes_the_command_fail(place, before):
    after = written(place.folder / "results" / "small", {IR: (), REAL: range(10), NOISE: range(40)})
    (place.folder / "results" / "small" / "plan.json").write_text("{}")
    said = place.farm("compare", before, "small", code=1)
    rows = said.splitlines()
    assert rows[1].startswith("vgg/noise{count=16}/default/CPU")
    assert "vgg/noise{count=16}/default/CPU lost 0.0300" in said
    assert rows[-1] == "1 cell of 3 got worse; judged: 3 by accuracy, 1 by speed"
    assert place.farm("compare", before, after, "--max-drop", "0.05").count("worse") == 0
    assert "no regression in 2 cells" in place.farm("compare", before, after, "--only", "model=resnet20")


def test_a_slowdown_fails_unless_the_measurement_is_noisy(place, before):
    slow = {"fps": 200.0, "speedup_ir": 2.0, "speedup_ir_low": 1.98, "speedup_ir_high": 2.02}
    for verdict, code in (("valid", 1), ("noisy", 0)):
        after = written(place.folder / verdict, {replace(REAL, **slow, verdict=verdict): range(10)})
        said = place.farm("compare", before, after, code=code)
        assert ("is slower by 20.0%" in said, "noisy in B" in said) == (code == 1, code == 0)
    assert "no regression" in place.farm("compare", before, place.folder / "valid", "--max-slowdown", "0.3")


def test_speeds_of_another_host_are_judged_only_when_told(place, before):
    slow = {"speedup_ir": 2.0, "speedup_ir_low": 1.98, "speedup_ir_high": 2.02, "host": "beta"}
    after = written(place.folder / "after", {replace(REAL, **slow): range(10)})
    assert "speed not judged, so it fails no comparison: another host in B" in place.farm("compare", before, after)
    assert "warning: FPS, p50 and x IR compare different hosts" in place.farm(
        "compare", before, after, "--across-hosts", code=1
    )


def test_json_and_markdown_say_the_same(place, before):
    after = written(place.folder / "after", {IR: (), NOISE: range(40)})
    said = json.loads(place.farm("compare", before, after, "--json", code=1))
    assert [each["cell"] for each in said["cells"]] == [NOISE.cell, IR.cell]
    assert (said["regressions"], said["only_first"]) == (1, [REAL.cell])
    markdown = place.farm("compare", before, after, "--md", code=1)
    assert markdown.startswith("### 1 cell of 2 got worse")
    assert "| vgg/noise\\{count=16\\}/default/CPU | 0.9600 | +0.0300" in markdown


def test_columns_are_chosen_and_all_stand_where_there_is_no_terminal(place, before):
    header = ["cell", "top-1", "drop", "accuracy", "x", "IR", "speed", "FPS", "p50", "MiB"]
    long = written(place.folder / "long" / "small", {record(model="a" * 120): ()})
    assert place.farm("compare", long, long).splitlines()[0].split() == header
    assert place.farm("compare", before, before, "--columns", "drop,MiB").splitlines()[0].split() == [
        "cell", "drop", "MiB"
    ]  # fmt: skip
    assert place.farm("compare", before, before, "--columns", "score,fps").splitlines()[0].split() == [
        "cell", "top-1", "FPS"
    ]  # fmt: skip
    assert "| cell | MiB |" in place.farm("compare", before, before, "--columns", "MiB", "--md")


def test_nothing_to_judge_is_not_taken_for_fine(place, before):
    """A metric whose predictions were not published has no interval, and nothing was measured."""
    bare = replace(NOISE, metric="my:metric", top1=None, score=0.5)
    for name in ("one", "other"):
        Folder(str(place.folder / name)).write(tables.RECORDS, tables.records([bare], {}))
    said = place.farm("compare", "one", "other", code=2)
    assert "my:metric has no interval without both runs' predictions" in said
    assert "farm: nothing could be judged" in said


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("before/small", "nowhere/small"), "there is no nowhere/small/records.parquet"),
        (("before/small", "memory://nowhere"), "there is no memory://nowhere/records.parquet"),
        (("before/small", "small"), "nothing was run in results yet"),
        (("before/small", "before/small", "--only", "modle=vgg"), "did you mean 'model'"),
        (("before/small", "before/small", "--json", "--md"), "choose one"),
        (("before/small", "before/small", "--columns", "fsp"), "--columns fsp: no such column"),
        (("before/small", "before/small", "--columns", ","), "--columns ',' names no column"),
        (("before/small", "before/small", "--columns", "drop", "--json"), "--json holds every column"),
        (("before/small", "before/small", "--max-drop", "-1"), "--max-drop -1: must be 0 or more"),
        (("before/small", "before/small", "--max-slowdown", "nan"), "--max-slowdown nan: must be 0 or more"),
    ],
)
def test_bad_input_is_one_clear_error_and_exit_code_2(place, before, arguments, text):
    assert text in place.farm("compare", *arguments, code=2)


@pytest.mark.parametrize(
    ("only", "cells"),
    [
        (["model=resnet20"], [IR.cell, REAL.cell]),
        (["calibration=-"], [IR.cell]),
        (["calibration=noise"], [NOISE.cell]),
        (["calibration=noise{count=16}"], [NOISE.cell]),
        (["calibration=real", "algorithm=default", NOISE.cell], [REAL.cell, NOISE.cell]),
        ([REAL.cell], [REAL.cell]),
    ],
)
def test_only_means_cells_of_records_as_it_does_of_a_grid(only, cells):
    first, second = run({IR: (), REAL: (), NOISE: ()}), run({IR: (), REAL: ()})
    one, other = compare._chosen(first, second, only)
    assert [each.cell for each in one.records] == cells
    assert [each.cell for each in other.records] == [cell for cell in cells if cell != NOISE.cell]


@pytest.mark.parametrize(
    ("only", "text"),
    [
        (["modle=vgg"], "--only modle=vgg: write AXIS=NAME, did you mean 'model'?"),
        (["model="], "--only model=: write AXIS=NAME"),
        (["model=vgh"], "--only model=vgh means no cell, did you mean 'vgg'?"),
        (["vgg/noise/default/CPU"], "--only vgg/noise/default/CPU: no such cell, did you mean"),
        (["model=vgg", "calibration=-"], "--only: no cell is meant by all of them together"),
    ],
)
def test_only_that_means_nothing_is_one_clear_error(only, text):
    one = run({IR: (), NOISE: ()})
    with pytest.raises(InputError) as caught:
        compare._chosen(one, one, only)
    assert str(caught.value).startswith(text)


def test_a_run_may_be_named_by_the_results_that_it_lies_in(place, before):
    said = place.farm("compare", before, before.parent)
    assert "A and B are the same results" in said


def test_a_runs_folder_may_be_a_url():
    url = f"memory://{uuid.uuid4().hex}"
    written(url, {IR: ()})
    assert Location.of("results").grid(url).has(tables.RECORDS)
    fsspec.filesystem("memory").rm(url, recursive=True)
