"""The measure stage on real models: which rounds it keeps, what it asked for and what was read back."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from farm.axes import Device, Images, Model
from farm.measuring import pairing, rounds
from farm.measuring.round import ROUNDS as ROUNDS_FILE
from farm.measuring.round import SCHEMA
from farm.measuring.runner import REQUESTS
from farm.measuring.verdict import mismatches
from farm.plan import Effort
from farm.plan.facts import Measured
from farm.plan.parameters import Measure, Rounds
from farm.stages import measure
from tests.measuring.rows import heard
from tests.stages.bench import DIGITS, DIGITS_PREPROCESSING

ROUNDS = Rounds(min_seconds=0.05, min_inferences=30, warmup_seconds=0.02, preprocess=False, per_node=1)
QUICK = Effort(pairs=(2, 2), budget_s=60.0)


def measurement(**changes):
    """The parameters of a quick measurement: the device or its rounds changed as told."""
    of_device = {name: value for name, value in changes.items() if name in Device.__dataclass_fields__}
    of_rounds = {name: value for name, value in changes.items() if name not in of_device}
    return Measure(
        device=replace(Device(threads=1), **of_device),
        rounds=replace(ROUNDS, **of_rounds),
        dataset=Images(name="digits", options={"count": None}),
        preprocessing=DIGITS_PREPROCESSING,
    )


def in_pytorch(**changes):
    return replace(measurement(**changes), model=Model(name="resnet20"))


def request_of(folder, parameters):
    """What a round of the cell is asked: of models in a folder, on two of seven cores."""
    return rounds.Measurement(
        parameters=parameters, ir=folder, variant=folder / "int8", files={},
        images=folder / "inputs.npy", cpus=(0, 1), cores=7,
    ).request("cell")  # fmt: skip


def effort(**changes):
    return replace(QUICK, **changes)


def measured(bench, parameters, inputs, files=None, *, effort=QUICK, **changes):
    """What the stage tells, and its rows; the effort changed as told."""
    facts, folder = bench.run(measure.run, parameters, inputs, files, effort=replace(effort, **changes))
    table = pq.read_table(folder / ROUNDS_FILE)
    assert table.schema.equals(SCHEMA)
    return facts, table.to_pylist()


@pytest.fixture(scope="module")
def pair(small, small_int8):
    """What a measurement is given: the FP32 IR and its INT8 model."""
    return {"ir": small, "model": small_int8}


EFFORTS = {"latency": effort(pairs=(4, 32), target=1e9), "throughput": QUICK}


@pytest.fixture(scope="module")
def measured_once(session_bench, pair):
    """Measures with a hint and its effort, once: what the stage tells, and its rows."""
    known = {}

    def measured_once(hint):
        if hint not in known:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(pairing, "disturbances", lambda *_, **__: ())  # as in `undisturbed`
                known[hint] = measured(session_bench, measurement(hint=hint), pair, effort=EFFORTS[hint])
        return known[hint]

    return measured_once


@pytest.mark.parametrize("hint", EFFORTS)
def test_a_measurement_keeps_every_latency_of_paired_rounds(measured_once, hint):
    facts, rows = measured_once(hint)
    assert replace(facts, pairs=2, ended="pairs") == Measured(
        pairs=2, disturbed=0, ended="pairs", threads=1, streams=1, precision="f32"
    )
    assert len(rows) == 2 * facts.pairs
    assert [row["pair"] for row in rows[:4]] == [0, 0, 1, 1]
    assert [row["variant"] for row in rows[:4]] in (["cell", "ir", "ir", "cell"], ["ir", "cell", "cell", "ir"])
    for row in rows:
        assert len(row["latencies_ns"]) == row["inferences"] >= 30
        assert min(row["latencies_ns"]) > 0
        assert row["batch"] == 1
        assert row["wall_ns"] >= 0.05e9
        assert row["synchronous"] is (hint != "throughput")
        if row["synchronous"]:
            assert sum(row["latencies_ns"]) == row["wall_ns"], "no time is lost between synchronous inferences"
        assert 0 < row["request_p50_ns"] <= max(row["latencies_ns"])


@pytest.mark.parametrize("hint", EFFORTS)
def test_every_row_tells_what_was_asked_what_was_read_back_and_what_went_on(measured_once, hint):
    _, rows = measured_once(hint)
    asked = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": True}
    asked |= {"EXECUTION_DEVICES": "CPU"} | ({"NUM_STREAMS": 1} if hint == "latency" else {})
    for row in rows:
        assert json.loads(row["asked"]) == asked
        found = json.loads(row["properties"])
        assert set(asked) <= set(found), "what was asked for is what is read back"
        assert mismatches(asked, found, row["stray_cpus"]) == ()
        assert row["cpus"] == sorted(os.sched_getaffinity(0))
        assert row["stray_cpus"] == []
        assert (row["runtime"], row["threads"], row["streams"], row["precision"]) == ("openvino", 1, 1, "f32")
        assert row["warmup_inferences"] >= 15
        assert row["steady"] in (True, False)
        for name in ("steal_s", "foreign_s", "siblings_s", "throttled_s"):
            assert 0 <= row[name] <= row["wall_ns"] / 1e9 * len(row["cpus"]) + 0.02
        assert row["overheated"] >= 0
    assert all(None not in {**row, "mhz": 0}.values() for row in rows), "only the frequency may be unknown"


@pytest.mark.usefixtures("undisturbed")
def test_the_fp32_partner_is_always_measured_in_fp32(bench, pair):
    _, rows = measured(bench, measurement(precision="bf16"), pair, pairs=(1, 1))
    asked = {row["variant"]: json.loads(row["asked"])["INFERENCE_PRECISION_HINT"] for row in rows}
    assert asked == {"cell": "bf16", "ir": "f32"}


@pytest.mark.usefixtures("undisturbed")
def test_the_fp32_ir_is_paired_with_itself(bench, small):
    _, rows = measured(bench, measurement(), {"ir": small}, pairs=(1, 1))
    assert sorted(row["variant"] for row in rows) == ["cell", "ir"]
    assert {row["runtime"] for row in rows} == {"openvino"}
    assert len({row["properties"] for row in rows}) == 1


@pytest.mark.usefixtures("undisturbed")
def test_the_pytorch_baseline_is_paired_with_the_fp32_ir_and_runs_in_the_memory_format_that_was_faster(
    bench, small, monkeypatch
):
    really, trials = rounds.run_round, {}

    def listening(request, scratch):
        """Keeps how fast a trial was, which is short."""
        found = really(request, scratch)
        if request.min_seconds == rounds.TRIAL_S:
            trials[json.loads(found.properties)["MEMORY_FORMAT"]] = found.fps
        return found

    monkeypatch.setattr(rounds, "run_round", listening)
    _, rows = measured(bench, in_pytorch(), {"ir": small}, {"weights": DIGITS}, pairs=(1, 1))
    by_variant = {row["variant"]: row for row in rows}
    assert {name: row["runtime"] for name, row in by_variant.items()} == {"cell": "pytorch", "ir": "openvino"}
    own = by_variant["cell"]
    properties = json.loads(own["properties"])
    assert set(trials) == set(rounds.MEMORY_FORMATS)
    assert properties["MEMORY_FORMAT"] == max(trials, key=trials.get)
    assert json.loads(own["asked"]) == {"INFERENCE_NUM_THREADS": 1}
    assert mismatches(json.loads(own["asked"]), properties, own["stray_cpus"]) == ()
    assert own["request_p50_ns"] is None
    assert by_variant["ir"]["request_p50_ns"] > 0


@pytest.mark.parametrize("faster", rounds.MEMORY_FORMATS)
def test_the_faster_memory_format_is_that_of_more_images_a_second(tmp_path, monkeypatch, faster):
    monkeypatch.setattr(rounds, "run_round", lambda request, _: heard(100 + (request.memory_format == faster)))
    assert rounds.faster_format(request_of(tmp_path, in_pytorch()), tmp_path) == faster


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("preprocess", [False, True])
def test_batches_that_do_not_fit_a_page_are_measured_too(bench, small, preprocess):
    """Of so many images that the allocator gives the memory of a batch back at once when it is let go."""
    changed = measurement(preprocess=preprocess, batch=64, min_inferences=3)
    _, rows = measured(bench, changed, {"ir": small}, pairs=(1, 1))
    assert [row["batch"] for row in rows] == [64, 64]
    assert all(sum(row["latencies_ns"]) == row["wall_ns"] for row in rows)


def test_as_many_test_images_are_loaded_as_rounds_rotate_through():
    assert rounds.rotating_images(measurement(), {}).shape == (REQUESTS, 3, 32, 32)
    assert rounds.rotating_images(measurement(batch=2), {}).shape == (2 * REQUESTS, 3, 32, 32)
    raw = rounds.rotating_images(measurement(preprocess=True), {})
    assert (raw.shape, raw.dtype) == ((REQUESTS, 32, 32, 3), "uint8")
    assert len(rounds.rotating_images(measurement(batch=100), {})) == 599, "all that there are"


@pytest.mark.parametrize(("threads", "asked"), [(3, 3), (None, 7)])
def test_threads_are_the_devices_or_as_many_as_cores_are_leased(tmp_path, threads, asked):
    request = request_of(tmp_path, measurement(threads=threads))
    assert request.asked["INFERENCE_NUM_THREADS"] == request.config["INFERENCE_NUM_THREADS"] == asked
    assert request.config["PERFORMANCE_HINT"] == "LATENCY"
    assert (request.cpus, request.ir) == ((0, 1), str(tmp_path / "int8" / "model.xml"))


def test_a_round_has_a_users_own_environment_but_for_the_fork_servers_threads(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SOMETHING", "mine")
    found = rounds.round_environment()
    assert found["SOMETHING"] == "mine"
    assert not {"OMP_WAIT_POLICY", "OMP_NUM_THREADS"} & set(found)


@pytest.mark.usefixtures("undisturbed")
def test_no_further_pair_starts_when_the_budget_is_spent(bench, small):
    facts, rows = measured(bench, measurement(), {"ir": small}, pairs=(50, 50), budget_s=0.01)
    assert (facts.pairs, facts.ended, len(rows)) == (1, "budget", 2)


@pytest.mark.parametrize(("hint", "pairs", "ended"), [("latency", 4, "target"), ("throughput", 2, "pairs")])
def test_no_further_pair_starts_when_the_ratio_is_known_well_enough_or_there_may_be_no_more(
    measured_once, hint, pairs, ended
):
    facts, _ = measured_once(hint)
    assert (facts.pairs, facts.ended) == (pairs, ended)


def test_a_disturbed_pair_is_kept_counted_and_measured_again(bench, small, monkeypatch):
    said = iter([(), ("foreign",)])
    monkeypatch.setattr(pairing, "disturbances", lambda *_, **__: next(said, ()))
    facts, rows = measured(bench, measurement(), {"ir": small}, pairs=(1, 1))
    assert (facts.pairs, facts.disturbed, facts.ended) == (1, 1, "pairs")
    assert [row["disturbed"] for row in rows] == [["foreign"]] * 2 + [[]] * 2
    assert [row["variant"] for row in rows[:2]] == [row["variant"] for row in rows[2:]]


def test_a_round_that_fails_fails_the_stage_and_says_so(bench, tmp_path):
    (tmp_path / "model.xml").write_text("no model")
    with pytest.raises(RuntimeError, match="a round of openvino failed with exit code 1"):
        bench.run(measure.run, measurement(), {"ir": tmp_path})


@pytest.fixture
def hogged():
    """This process on one CPU alone, which another program keeps busy all the time."""
    mask = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(mask)})
    script = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # it runs; the mask is inherited
        yield
        process.kill()
    os.sched_setaffinity(0, mask)


@pytest.mark.slow
@pytest.mark.usefixtures("hogged")
@pytest.mark.parametrize("hint", ["latency", "throughput"])
def test_a_program_that_runs_on_the_leased_core_all_the_time_ends_the_measurement(bench, pair, hint):
    facts, rows = measured(bench, measurement(hint=hint, min_seconds=0.3), pair, pairs=(8, 32), max_redone=0)
    assert facts.ended == "disturbed"
    assert facts.disturbed == 1
    assert facts.pairs == 0, "its pair did not have the core to itself"
    for row in rows:
        assert {"foreign", "delayed"} & {*row["disturbed"]}
        assert row["foreign_s"] > 0.2 * row["wall_ns"] / 1e9
