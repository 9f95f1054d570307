"""`farm run` as a user types it: what runs, what runs again, what it leaves behind."""

import importlib
import json
import os
import re
import shlex
import signal
import subprocess
from collections import Counter

import psutil
import pytest

from tests.cli.conftest import QUICK
from tests.engine.test_contract import wait_until

INLINE = ("--engine", "inline")
UNMEASURED = {"accuracy_only": [{"device": "CPU"}]}  # rounds take longer than all else of a small run
IR, INT8 = "tiny/-/ir/CPU", "tiny/noise{count=16}/default/CPU"


def uris(attempts):
    return sorted(attempt["uri"] for attempt in attempts)


def test_a_grid_runs_and_a_second_run_does_nothing(ran):
    place = ran
    records = place.records()
    assert set(records) == {IR, INT8}
    for record in records.values():
        assert record["outcome"] == "ok"
        assert record["fps"] > 0
        assert record["precision"] == "f32"
        assert record["n_images"] == 60
        assert record["verdict"] in ("valid", "noisy"), record["mismatches"]
        assert record["pairs"] + record["disturbed_pairs"] >= 1
        assert record["timed"] == "inference"
    assert records[INT8]["int8_layers"] == 2
    assert records[INT8]["subset_size"] == 16
    assert records[INT8]["speedup_ir"] > 0
    assert records[IR]["speedup_ir"] > 0
    assert records[IR]["top1_drop"] == 0
    before = place.attempts()
    assert len(before) == len(set(uris(before))) == 7
    said = place.farm("run", place.grid())
    assert "starting Ray" not in said
    assert "nothing to run" in said
    assert "records.parquet" in said
    assert uris(place.attempts()) == uris(before)


def test_the_table_has_the_columns_that_are_named(ran):
    said = ran.farm("run", ran.grid(), "--columns", "drop")
    assert said.splitlines()[0].split() == ["model", "variant", "calibration", "drop"]


@pytest.mark.parametrize(("named", "text"), [("drob", "did you mean 'drop'"), ("foo:bar", "the metric is top-1")])
def test_a_slip_in_a_columns_name_is_said_before_anything_runs(place, named, text):
    assert text in place.farm("run", place.grid(), *INLINE, "--columns", named, code=2)
    assert not (place.folder / "results").exists()


def test_accuracy_alone_runs_without_measuring_and_a_later_run_does_only_the_measurements(place):
    grid = place.grid()
    said = place.farm("run", grid, "--no-measure", *INLINE)
    header = said.splitlines()[0].split()
    assert (header[:5], header[-2:]) == (["model", "variant", "calibration", "top-1", "drop"], ["MiB", "outcome"])
    assert {(record["outcome"], record["fps"]) for record in place.records().values()} == {("ok", None)}
    assert "2 measurements are left: the same command without --no-measure does the rest" in said
    before = uris(place.attempts())
    assert {uri.partition("/")[0] for uri in before} == {"synthesize", "export", "quantize", "evaluate"}
    assert "left: " not in place.farm("run", grid, *INLINE)
    assert {uri.partition("/")[0] for uri in uris(place.attempts()) if uri not in before} == {"measure"}
    assert all(record["fps"] > 0 for record in place.records().values())


def test_measurements_of_cells_that_failed_are_not_left(place):
    """Of a calibration set that nobody can open; the FP32 IR's is."""
    (place.folder / "photos").mkdir()
    sets = [{"name": "noise", "count": 16}, {"name": "folder", "path": "photos", "count": 4}]
    said = place.farm("run", place.grid(calibrations=sets), "--no-measure", *INLINE, code=1)
    assert [record["outcome"] for record in place.records().values()].count("failed") == 1
    assert "2 measurements are left: " in said


def test_of_more_rows_than_anybody_reads_only_what_is_to_be_said_of_them_is_printed(place, monkeypatch):
    monkeypatch.setattr(importlib.import_module("farm.cli.run"), "MOST", 2)
    (place.folder / "photos").mkdir()
    sets = [{"name": "noise", "count": 16}, {"name": "folder", "path": "photos", "count": 4}]
    grid = place.grid(calibrations=sets)
    said = place.farm("run", grid, "--no-measure", *INLINE, code=1)
    assert "drop" not in said
    assert "1 of 3 cells failed; next: farm why 'tiny/folder" in said
    assert re.search(r"^\w+: tiny/folder", said, re.MULTILINE), "the reason"
    assert "so many rows are printed by: farm show quick" in said
    for asked in (("--only", INT8), ("--wide",), ("--columns", "drop")):
        assert "drop" in place.farm("run", grid, "--no-measure", *asked, *INLINE, code=int(asked[0] != "--only"))


def test_accuracy_alone_keeps_what_was_measured(ran):
    before = ran.records()
    said = ran.farm("run", ran.grid(), "--no-measure")
    assert "nothing to run" in said
    assert {cell: row["fps"] for cell, row in ran.records().items()} == {c: row["fps"] for c, row in before.items()}
    said = ran.farm("run", ran.grid(), "--no-measure", "--fresh", "measure", code=2)
    assert "--fresh measure and --no-measure: choose one" in said


def test_a_cell_that_is_added_runs_alone(ran):
    place = ran
    before = uris(place.attempts())
    place.farm("run", place.grid(calibrations=[{"name": "noise", "count": 16, "seed": [0, 1]}]), *INLINE)
    added = [uri for uri in uris(place.attempts()) if uri not in before]
    assert sorted(uri.partition("/")[0] for uri in added) == ["evaluate", "measure", "quantize", "synthesize"]
    assert len(place.records()) == 3


def test_a_failed_cell_runs_again_when_its_cause_is_gone(place):
    mood = place.folder / "mood"
    mood.touch()
    grid = place.grid(models=[{"factory": "networks:tiny"}, {"factory": "networks:moody"}], **UNMEASURED)
    said = place.farm("run", grid, *INLINE, code=1)
    assert "error: moody/-/ir/CPU and 1 more" in said
    assert "export moody: not in the mood" in said
    record = place.records()["moody/-/ir/CPU"]
    assert (record["outcome"], record["error_class"], record["error_type"]) == ("failed", "error", "RuntimeError")
    assert record["score"] is None
    assert "not in the mood" in place.farm("why", "moody/-/ir/CPU")
    mood.unlink()
    before = place.attempts()
    place.farm("run", grid, "--failed", *INLINE)
    assert all(record["outcome"] == "ok" for record in place.records().values())
    assert place.records()["moody/-/ir/CPU"]["attempts"] == 3, "the failed attempt counts too"
    assert len(place.attempts()) == len(before) + 4


@pytest.mark.parametrize(
    ("kind", "name", "again"),
    [
        ("quantize", "model.bin", ["quantize"]),
        ("evaluate", "predictions.parquet", ["evaluate"]),
        ("export", "../manifest.json", ["export"]),
    ],
)
def test_what_is_damaged_is_set_aside_and_made_again(ran, kind, name, again):
    before, records = uris(ran.attempts()), ran.records()
    for manifest in ran.folder.glob(f"results/store/{kind}/*/*/manifest.json"):
        path = manifest.parent / json.loads(manifest.read_text())["copy"] / name
        path.write_bytes(path.read_bytes()[:-10])
    said = ran.farm("run", ran.grid(), *INLINE)
    assert "damaged, set aside, and made again" in said
    more = list((Counter(uris(ran.attempts())) - Counter(before)).elements())
    assert {uri.partition("/")[0] for uri in more} == {*again}
    assert "damaged" in [each.get("error_class") for each in ran.attempts() if each["uri"] in more]
    after = ran.records()
    assert {cell: record["score"] for cell, record in after.items()} == {
        cell: record["score"] for cell, record in records.items()
    }
    assert all(record["outcome"] == "ok" for record in after.values())
    assert "nothing to run" in ran.farm("run", ran.grid(), *INLINE)


def test_a_stage_that_finds_what_it_needs_damaged_has_it_made_again(ran):
    """Of a quantized model only the bytes are wrong, which no size shows; its evaluation cannot read it."""
    [manifest] = ran.folder.glob("results/store/quantize/*/*/manifest.json")
    path = manifest.parent / json.loads(manifest.read_text())["copy"] / "model.xml"
    path.write_bytes(b"?" * path.stat().st_size)
    before = uris(ran.attempts())
    ran.farm("run", ran.grid(), "--fresh", "evaluate", *INLINE)
    more = list((Counter(uris(ran.attempts())) - Counter(before)).elements())
    kinds = Counter(uri.partition("/")[0] for uri in more)
    assert kinds == {"quantize": 2, "evaluate": 3}, "set aside and made again; an evaluation before and after"
    assert all(record["outcome"] == "ok" for record in ran.records().values())


def test_fresh_measures_again_and_nothing_else(ran):
    place = ran
    before = uris(place.attempts())
    place.farm("run", place.grid(), "--fresh", "measure", *INLINE)
    again = uris(place.attempts())
    assert len(again) == len(before) + 2
    assert {uri.partition("/")[0] for uri in again if again.count(uri) > 1} == {"measure"}


def test_fresh_that_cannot_run_deletes_nothing(ran):
    before = sorted(ran.folder.glob("results/store/measure/*/*/manifest.json"))
    said = ran.process("run", ran.grid(), "--fresh", "measure", "--address", "127.0.0.1:1", code=2)
    assert "cannot reach Ray" in said
    assert sorted(ran.folder.glob("results/store/measure/*/*/manifest.json")) == before


def test_only_runs_the_cells_that_are_meant(place):
    said = place.farm("run", place.grid(**UNMEASURED), "--only", "algorithm=ir", *INLINE)
    assert "1 of 2 cells" in said
    assert {cell: record["outcome"] for cell, record in place.records().items()} == {IR: "ok", INT8: "pending"}
    assert "did you mean" in place.farm("run", place.grid(), "--only", "algorithm=defualt", code=2)


def test_only_runs_the_cell_that_is_named_as_a_verdict_quotes_it(place):
    grid = place.grid(settings={"measure": QUICK["settings"]["measure"] | {"pairs": 2, "target": 1e-9}})
    place.farm("run", grid.name, *INLINE)
    record = place.records()[INT8]
    assert record["verdict"] == "noisy"
    (command,) = re.findall(r", then: farm (.*)", place.farm("why", INT8))
    assert command == f"run quick.yaml --only '{INT8}' --fresh measure"
    before = uris(place.attempts())
    place.farm(*shlex.split(command), *INLINE)
    again = uris(place.attempts())
    assert len(again) == len(before) + 1
    assert [uri.partition("/")[0] for uri in again if again.count(uri) > 1] == ["measure"] * 2
    for told in re.findall(r", then: farm (.*)", place.farm("show")):  # below the table, one for cells of one reason
        place.farm(*shlex.split(told), *INLINE)
    last = uris(place.attempts())
    assert len(last) == len(again) + 2
    assert sorted(last.count(uri) for uri in {*last} if uri.startswith("measure/")) == [2, 3]


def test_missing_weights_say_where_they_were_looked_for_and_the_rest_runs(place):
    grid = place.grid(
        models=[{"factory": "networks:tiny"}, {"name": "resnet20", "weights": "nowhere.pt"}], **UNMEASURED
    )
    place.farm("run", grid, *INLINE, code=1)
    records = place.records()
    assert records[IR]["outcome"] == records[INT8]["outcome"] == "ok"
    missing = records["resnet20{weights=nowhere.pt}/-/ir/CPU"]
    assert missing["error_class"] == "missing_input"
    assert str(place.folder / "nowhere.pt") in missing["error_message"]
    assert "give `weights: FILE`" in missing["error_message"]
    assert missing["attempts"] == 0
    said = place.farm("run", grid, code=1)
    assert "starting Ray" not in said, "nothing can run"


def test_a_model_of_other_classes_than_the_dataset_says_both_numbers(place):
    place.farm("run", place.grid(models=[{"factory": "networks:twelve"}], **UNMEASURED), *INLINE, code=1)
    message = place.records()["twelve/-/ir/CPU"]["error_message"]
    assert "tells 12 classes apart, the dataset has 10" in message


@pytest.mark.ray
@pytest.mark.slow
def test_four_bad_models_are_four_kinds_of_failed_rows_and_nothing_stays_behind(place):
    bad = {"segfaults": "crash", "hangs": "timeout", "raises": "error", "eats": "oom"}
    models = [{"factory": f"networks:{name}"} for name in ("tiny", *bad)]
    settings = {
        "timeout_s": {"export": 10},
        "memory_gib": {"export": 1.5},
        "measure": {"pairs": 1, "min_seconds": 0.05, "max_redone": 0},
    }
    process = place.start("run", place.grid(models=models, settings=settings))
    family = set()
    wait_until(lambda: family.update(children(process)) or process.poll() is not None, 240)
    _, err = process.communicate()
    assert process.returncode == 1, err
    records = place.records()
    assert records[IR]["outcome"] == records[INT8]["outcome"] == "ok"
    for name, cause in bad.items():
        record = records[f"{name}/-/ir/CPU"]
        assert (record["outcome"], record["error_class"]) == ("failed", cause)
        assert record["error_message"]
    tries = [attempt for attempt in place.attempts() if attempt["label"] == "eats"]
    assert sorted(attempt["memory_gib"] for attempt in tries) == [1.5, 3.0], (
        "memory is retried once, with twice as much"
    )
    assert_nothing_left(family, place)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_run_on_ray_that_is_ended_goes_on_without_doing_anything_twice(place, ending):
    ended_and_run_again(place, ending)


@pytest.mark.slow
def test_a_run_in_line_that_is_ended_goes_on_without_doing_anything_twice(place):
    ended_and_run_again(place, signal.SIGTERM, *INLINE)


def ended_and_run_again(place, ending, *options):
    """End a run while it goes on, and run it again, then in line."""
    mood = place.folder / "mood"
    mood.touch()
    models = [{"factory": "networks:moody"}, {"factory": "networks:tiny"}]
    calibrations = [{"name": "noise", "count": 16, "seed": [0, 1]}]
    grid = place.grid(models=models, calibrations=calibrations)
    process = place.start("run", grid, *options)
    wait_until(lambda: finished(place, "quantize"), 120)
    family = children(process)
    process.send_signal(ending)
    out, err = process.communicate(timeout=30)
    assert process.returncode == (-ending if ending == signal.SIGKILL else 130), out + err
    assert ("starting Ray" in out + err) == (not options)
    kept = "interrupted: what is finished is kept; the same command goes on from here"
    assert (kept in err) == (ending != signal.SIGKILL)
    assert_nothing_left(family, place)
    before = {attempt["uri"] for attempt in place.attempts() if "error_class" not in attempt}
    failed = [attempt for attempt in place.attempts() if "error_class" in attempt]
    assert [attempt["label"] for attempt in failed] == ["moody"]
    place.farm("run", grid, *INLINE, code=1)
    fine = [attempt["uri"] for attempt in place.attempts() if "error_class" not in attempt]
    assert before <= set(fine)
    assert len(fine) == len(set(fine)), "a finished stage ran twice"
    records = place.records()
    assert len(records) == 6
    assert [record["outcome"] for cell, record in records.items() if cell.startswith("tiny/")] == ["ok"] * 3
    assert records["moody/-/ir/CPU"]["attempts"] == 2


def children(process):
    try:
        return set(psutil.Process(process.pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def finished(place, kind):
    return any(place.folder.glob(f"results/store/{kind}/*/*/manifest.json"))


AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")  # of a killed Ray: they look for it for a minute, then end


def assert_nothing_left(family, place):
    """Neither what the run started nor stages, which are nobody's children but the fork server's."""
    stages = {process for process in psutil.process_iter() if works_in(process, str(place.folder))}
    left = family | stages
    try:
        wait_until(lambda: not any(alive(process) for process in left), 30)
    except AssertionError:
        still = [(each.pid, each.status(), each.cmdline()[:3]) for each in left if alive(each)]
        raise AssertionError(f"still there: {still}") from None


def alive(process):
    try:
        agent = " ".join(process.cmdline()).startswith(AGENTS)
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE and not agent
    except psutil.NoSuchProcess:
        return False


def works_in(process, folder):
    try:
        return process.pid != os.getpid() and process.cwd().startswith(folder)
    except (psutil.AccessDenied, psutil.NoSuchProcess, FileNotFoundError):
        return False


def test_an_unwritable_results_place_is_one_clear_error(place):
    (place.folder / "file").touch()
    said = place.farm("run", place.grid(), "--results", place.folder / "file" / "below", code=2)
    assert "cannot write to" in said
    assert "--results" in said


def test_a_full_disk_loses_nothing_that_was_finished(place):
    disk = place.folder / "results"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "none", disk], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    try:
        grid = place.grid(calibrations=[{"name": "noise", "count": 400}], **UNMEASURED)
        said = place.farm("run", grid, *INLINE, code=2)
        assert "farm: no space is left on a disk ([Errno 28] No space left on device" in said
        assert said.rstrip().endswith("free some, and run it again")
        done = finished(place, "export")
        assert done, "what was finished is kept"
        subprocess.run(["mount", "-o", "remount,size=50m", disk], check=True)
        place.farm("run", grid, *INLINE)
        assert {record["outcome"] for record in place.records().values()} == {"ok"}
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)  # whoever looks through /tmp may be in it
