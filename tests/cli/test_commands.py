"""The commands that look and hand over, what they all share, and their help."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from farm.plan.stage import PAIR_S

ROOT = Path(__file__).parents[2]

IR, INT8 = "tiny/-/ir/CPU", "tiny/noise{count=16}/default/CPU"


def test_plan_counts_what_is_done_and_what_is_waiting_and_runs_nothing(ran):
    grid = ran.grid("more", calibrations=[{"name": "noise", "count": 16}, {"name": "noise", "count": 17}])
    before = len(ran.attempts())
    stages = json.loads(ran.farm("plan", grid, "--json"))["stages"]
    assert stages["export"] == {
        "done": 1, "failed": 0, "missing_input": 0, "will_fail": 0, "waiting": 0, "total": 1, "estimate_s": 0.0
    }  # fmt: skip
    assert stages["quantize"]["done"] == stages["quantize"]["waiting"] == 1
    assert stages["quantize"]["estimate_s"] > 0
    first = json.loads(ran.farm("plan", grid, "--results", ran.folder / "none", "--json"))["stages"]["measure"]
    assert first["estimate_s"] == first["waiting"] * PAIR_S, "by the pairs that are asked for, one here"
    assert "quantize" in ran.farm("plan", grid)
    assert len(ran.attempts()) == before


def test_why_says_hit_or_which_input_changed(ran):
    ran.farm("run", ran.grid())  # it was copied: its plan names the grid file of the original
    assert ran.farm("why", INT8).count(" done ") == 6
    measure = {"pairs": 1, "min_seconds": 0.06, "min_inferences": 20, "warmup_seconds": 0.02, "max_redone": 0}
    ran.grid(settings={"measure": measure})
    said = json.loads(ran.farm("why", INT8, "--json"))
    states = {row["role"]: (row["state"], row["because"]) for row in said}
    assert states["measure"][0] == "stale"
    assert states["measure"][1].startswith("changed: parameters.rounds.min_seconds")
    assert states["quantize"][0] == "done"
    assert {row["verdict"] for row in said} == {""}, "the measurement that was made is not this one"


def test_why_says_why_a_measurement_does_not_hold(ran):
    assert ran.records()[INT8]["verdict"] == "noisy", "one pair is too few"
    shown = ran.farm("why", INT8)
    verdicts = {row["role"]: row["verdict"] for row in json.loads(ran.farm("why", INT8, "--json"))}
    reason = verdicts.pop("measure")
    assert f"its measurement is {reason}\n" in shown
    assert reason.startswith("noisy: ")
    assert reason.endswith(f" --only {shlex.quote(INT8)} --fresh measure")
    assert set(verdicts.values()) == {""}
    assert "\nits measurement: cores at full speed in " in shown
    shutil.rmtree(ran.folder / "results" / "quick" / "latencies")
    (ran.folder / "results" / "quick" / "records.parquet").unlink()
    assert "its measurement" not in ran.farm("why", INT8), "nothing is gathered that could say so"


def test_why_says_no_other_runs_verdict(ran):
    results = ran.folder / "results"
    shutil.copytree(results / "quick", results / "copy")
    path = results / "quick" / "records.parquet"
    records = pq.read_table(path)
    column = records.schema.get_field_index("verdict")
    other = pa.array(["invalid"] * len(records), records.schema.field(column).type)
    pq.write_table(records.set_column(column, records.schema.field(column), other), path)
    assert "its measurement is invalid: " in ran.farm("why", INT8, "--grid", "quick")
    assert "its measurement is noisy: " in ran.farm("why", INT8, "--grid", "copy")


def test_why_says_nothing_of_a_measurement_that_is_not_there(ran):
    shutil.rmtree(ran.folder / "results" / "store" / "measure")
    assert "its measurement" not in ran.farm("why", INT8)


def test_why_names_the_results_in_the_command_that_it_ends_with(ran):
    (ran.folder / "results").rename(ran.folder / "my results")
    said = ran.farm("why", INT8, "--results", "my results")
    assert f"{INT8} of the grid quick:\n" in said
    assert f"quick.yaml --results 'my results' --only {shlex.quote(INT8)} --fresh measure" in said


@pytest.mark.parametrize("command", [("why", "{cell}"), ("layers", "{cell}"), ("get", "{cell}", "model")])
def test_a_cell_is_found_in_any_grid_and_where_several_have_it_they_are_named(ran, command):
    results, typed = ran.folder / "results", [word.format(cell=INT8) for word in command]
    (results / "last").mkdir()
    (results / "last" / "plan.json").write_text('{"schema": 2, "cells": [], "stages": {}}')
    assert "of the grid quick" in ran.farm(*typed)
    shutil.copytree(results / "quick", results / "other", copy_function=shutil.copy)
    assert f"{INT8} is a cell of 2 grids, other, quick: choose one with --grid" in ran.farm(*typed, code=2)
    assert "no results of a grid 'othe' in results, did you mean 'other'" in ran.farm(*typed, "--grid", "othe", code=2)


def test_why_of_an_unknown_cell_says_what_was_meant(ran):
    assert f"did you mean '{IR}'" in ran.farm("why", "tiny/-/irr/CPU", code=2)


@pytest.mark.parametrize("what", ["models", "sources", "datasets", "algorithms", "baselines", "devices"])
def test_list_says_what_a_grid_may_name(place, what):
    assert place.farm("list", what).strip()
    assert json.loads(place.farm("list", what, "--json"))


def test_gather_rebuilds_the_parquet_from_the_store(ran):
    before = ran.records()
    for path in (ran.folder / "results" / "quick").rglob("*.parquet"):
        path.unlink()
    assert "records.parquet" in ran.farm("gather", "quick")
    assert ran.records() == before
    assert len(list((ran.folder / "results" / "quick" / "predictions").iterdir())) == 1


def test_get_hands_over_a_model_that_its_example_can_run(ran, tmp_path):
    from PIL import Image

    ran.farm("get", INT8, tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {"model.xml", "model.bin", "preprocessing.json", "quantization.json", "record.json", "infer.py"}
    assert json.loads((tmp_path / "model" / "record.json").read_text())["cell"] == INT8
    Image.new("RGB", (32, 32), "white").save(tmp_path / "image.png")
    command = [sys.executable, "infer.py", str(tmp_path / "image.png")]
    said = subprocess.run(command, cwd=tmp_path / "model", check=True, capture_output=True, text=True)
    assert int(said.stdout) in range(10)
    said = subprocess.run(command[:2], cwd=tmp_path / "model", check=False, capture_output=True, text=True)
    assert (said.returncode, said.stdout, said.stderr) == (1, "", "usage: python infer.py IMAGE\n")
    assert "is not an empty folder" in ran.farm("get", INT8, tmp_path / "model", code=2)


def test_a_get_that_fails_leaves_no_folder(ran):
    records = ran.folder / "results" / "quick" / "records.parquet"
    records.rename(ran.folder / "records")
    assert "run the grid, or `farm gather` it" in ran.farm("get", INT8, "new/model", code=2)
    (ran.folder / "records").rename(records)
    [model] = ran.folder.glob("results/store/quantize/**/model.xml")
    model.unlink()
    model.mkdir()  # what cannot be copied
    said = ran.farm("get", INT8, "new/model", code=2)
    assert "model.xml: it is not what its manifest says" in said
    assert not (ran.folder / "new").exists()
    (ran.folder / "empty").mkdir()
    ran.farm("get", INT8, "empty", code=2)
    assert not list((ran.folder / "empty").iterdir()), "it was there before"
    shutil.rmtree(ran.folder / "results" / "store" / "quantize")
    said = ran.farm("get", INT8, "new", "--results", ran.folder / "results", code=2)
    where = f"--grid quick --results {ran.folder / 'results'}"
    assert (
        f"has no model, for its quantize was not done yet: run the grid; or ask: farm why {shlex.quote(INT8)} {where}"
        in said
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("run", "nowhere.yaml"), "cannot read the grid nowhere.yaml"),
        (("show",), "nothing was run in results yet"),
        (("list", "model"), "did you mean 'models'"),
        (("run", "quick.yaml", "--engine", "rya"), "did you mean 'ray'"),
        (("run", "quick.yaml", "--fresh", "mesure"), "did you mean 'measure'"),
        (("run", "quick.yaml", "--failed"), "no cell of this grid failed before"),
        (("run", "quick.yaml", "--nonsense"), "No such option"),
    ],
)
def test_bad_input_is_one_clear_error_and_exit_code_2(place, arguments, text):
    place.grid()
    assert text in place.farm(*arguments, code=2)


def test_what_is_finished_is_kept_only_where_something_was_begun(ran):
    records, kept = ran.folder / "results" / "quick" / "records.parquet", "; what is finished is kept"
    records.unlink()
    records.mkdir()
    for command in (("show",), ("run", ran.grid())):  # all of it was there
        said = ran.farm(*command, code=2)
        assert "Is a directory" in said or "records.parquet is no file: remove it" in said
        assert kept not in said
    grid = ran.grid(calibrations=[{"name": "noise", "count": 17}], accuracy_only=[{"device": "CPU"}])
    assert ran.farm("run", grid, "--engine", "inline", code=2).strip().endswith(kept)


def test_a_grid_with_faults_says_all_of_them(place):
    place.grid(models=["resnet2O"], calibrations=["nosie"], devices=[{"name": "CPU", "thread": 2}])
    said = place.farm("run", "quick.yaml", code=2)
    assert "did you mean 'resnet20'" in said
    assert "did you mean 'noise'" in said
    assert "did you mean 'threads'" in said
    assert said.count("quick.yaml:") == 3


def test_a_grid_names_a_fault_on_its_hundredth_line(place):
    grid = place.grid()
    lines = grid.read_text().splitlines()
    grid.write_text("\n".join([*lines, *[""] * (99 - len(lines)), "nmae: x"]))
    assert "quick.yaml:100: nmae: unknown key" in place.farm("run", grid, code=2)  # and not a picture of 100


def test_the_version_names_what_numbers_depend_on(place):
    said = place.farm("--version")
    assert [each.split(" ")[0] for each in said.split(", ")] == [
        "farm", "openvino", "nncf", "torch", "torchvision", "ray"
    ]  # fmt: skip
    assert f"openvino {metadata.version('openvino')}" in said


def test_farm_alone_shows_its_help_and_no_error(place):
    with place.start() as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Usage: " in out
    assert "Start with: farm run jobs/quickstart.yaml" in out
    assert err == ""


def test_a_reader_that_has_seen_enough_ends_a_command_without_a_fault_and_no_work(ran):
    with ran.start("show") as process:
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (0, "")
    session = {"FARM_SESSION": os.environ["FARM_SESSION"]}
    with ran.start("synth", "noise", "--count", 20, "--out", "set", **session) as process:
        process.stderr.close()
        assert process.wait(60) == 0
        assert "20 images of 32x32; 20 made" in process.stdout.read()


def test_results_may_lie_in_a_folder_whose_name_is_a_pattern(ran):
    (ran.folder / "results").rename(ran.folder / "w [1]")
    assert IR in ran.farm("show", "--csv", "--results", "w [1]")


def test_help_teaches_every_command_by_examples(place):
    commands = re.findall(r"^│ ([a-z]+) ", place.farm("--help").partition("Commands")[2], re.MULTILINE)
    assert len(commands) == 17
    for command in commands:
        text = place.farm(command, "--help")
        assert f"Usage: farm {command} " in text
        assert re.search(rf"^ farm {command}\b", text.rpartition("╯")[2], re.MULTILINE), command
