"""The measure stage on real models: which turns it keeps, what it asked for and what was read back."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from farm.axes import Device, Images, Model
from farm.measuring import pairing
from farm.measuring.full_speed import share
from farm.measuring.requests import Measurement, rotating_images
from farm.measuring.round import SCHEMA, TURNS, rounds_of
from farm.measuring.runner import MEMORY_FORMAT, MEMORY_FORMATS, REQUESTS
from farm.measuring.verdict import mismatches
from farm.plan import Effort
from farm.plan.facts import Measured
from farm.plan.parameters import Measure, Rounds
from farm.stages import measure
from tests.stages.bench import DIGITS, DIGITS_PREPROCESSING, keep_every_pair

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
    return Measurement(
        parameters=parameters, ir=folder, variant=folder / "int8", files={},
        images=folder / "inputs.npy", cpus=(0, 1), cores=7,
    ).request("cell")  # fmt: skip


def effort(**changes):
    return replace(QUICK, **changes)


def measured(bench, parameters, inputs, files=None, *, effort=QUICK, **changes):
    """What the stage tells, and its rounds; the effort changed as told."""
    facts, folder = bench.run(measure.run, parameters, inputs, files, effort=replace(effort, **changes))
    table = pq.read_table(folder / TURNS)
    assert table.schema.equals(SCHEMA)
    return facts, rounds_of(table)


@pytest.fixture(scope="module")
def pair(small, small_int8):
    """What a measurement is given: the FP32 IR and its INT8 model."""
    return {"ir": small, "model": small_int8}


EFFORTS = {"latency": effort(pairs=(4, 32), target=1e9), "throughput": QUICK}


@pytest.fixture(scope="module")
def measured_once(session_bench, pair):
    """Measures with a hint and its effort, once: what the stage tells, and its rounds."""
    known = {}

    def measured_once(hint):
        if hint not in known:
            with pytest.MonkeyPatch.context() as patch:
                keep_every_pair(patch)
                known[hint] = measured(session_bench, measurement(hint=hint), pair, effort=EFFORTS[hint])
        return known[hint]

    return measured_once


@pytest.mark.parametrize("hint", EFFORTS)
def test_a_measurement_keeps_every_latency_of_every_turn(measured_once, hint):
    facts, rounds = measured_once(hint)
    assert replace(facts, pairs=2, ended="pairs", full_speed_share=1.0, disturbers=()) == Measured(
        pairs=2, disturbed=0, full_speed_share=1.0, ended="pairs", threads=1, streams=1, precision="f32"
    )
    assert facts.full_speed_share == share(rounds)
    assert len(rounds) == len({(one.pair, one.variant) for one in rounds}) == 2 * len({one.pair for one in rounds})
    for one in rounds:
        turns = one.stretches
        assert len(turns.latencies_ns) == turns.inferences.sum() >= 30
        assert min(turns.latencies_ns) > 0
        assert one.batch == 1
        assert one.wall_s >= 0.9 * 0.05
        assert one.synchronous is (hint != "throughput")
        if one.synchronous:
            sums = np.add.reduceat(turns.latencies_ns, np.cumsum(turns.inferences) - turns.inferences)
            assert (sums == turns.wall_ns).all(), "no time is lost between synchronous inferences"
        assert 0 < one.request_p50_ns <= max(turns.latencies_ns)


@pytest.mark.parametrize("hint", EFFORTS)
def test_both_of_a_pair_have_as_many_turns_each_stretch_between_two_probes(measured_once, hint):
    _, rounds = measured_once(hint)
    for cell, ir in zip(rounds[::2], rounds[1::2], strict=True):
        assert {cell.variant, ir.variant} == {"cell", "ir"}
        of_cell, of_ir = set(cell.stretches.turn), set(ir.stretches.turn)
        assert len(of_cell) == len(of_ir)
        assert sorted(of_cell | of_ir) == list(range(2 * len(of_cell)))
        for played in (cell.stretches, ir.stretches):
            probes = 1 + len(cell.cpus) * (len(cell.cpus) > 1)
            assert played.probes_ns.shape == (len(played), 2, probes)
            assert (played.probes_ns > 0).all()
            assert (len(played) > len(set(played.turn))) is (hint == "latency"), "in flight a turn is one stretch"


@pytest.mark.parametrize("hint", EFFORTS)
def test_every_round_tells_what_was_asked_what_was_read_back_and_what_went_on(measured_once, hint):
    _, rounds = measured_once(hint)
    asked = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": True}
    asked |= {"EXECUTION_DEVICES": "CPU"} | ({"NUM_STREAMS": 1} if hint == "latency" else {})
    for one in rounds:
        assert json.loads(one.asked) == asked
        found = json.loads(one.properties)
        assert set(asked) <= set(found), "what was asked for is what is read back"
        assert mismatches(asked, found, one.stray_cpus) == ()
        assert one.cpus == tuple(sorted(os.sched_getaffinity(0)))
        assert one.stray_cpus == ()
        assert (one.runtime, one.threads, one.streams, one.precision) == ("openvino", 1, 1, "f32")
        assert one.warmup_inferences >= 15
        assert one.steady in (True, False)
        assert one.wall_s < one.played_s
        for signal in ("steal_s", "foreign_s", "siblings_s", "throttled_s"):
            assert 0 <= getattr(one, signal) <= one.played_s * len(one.cpus) + 0.02
        assert one.overheated >= 0


@pytest.mark.usefixtures("undisturbed")
def test_the_fp32_partner_is_always_measured_in_fp32(bench, pair):
    _, rounds = measured(bench, measurement(precision="bf16"), pair, pairs=(1, 1))
    asked = {one.variant: json.loads(one.asked)["INFERENCE_PRECISION_HINT"] for one in rounds}
    assert asked == {"cell": "bf16", "ir": "f32"}


@pytest.mark.usefixtures("undisturbed")
def test_the_fp32_ir_is_paired_with_itself(bench, small):
    _, rounds = measured(bench, measurement(), {"ir": small}, pairs=(1, 1))
    assert sorted(one.variant for one in rounds) == ["cell", "ir"]
    assert {one.runtime for one in rounds} == {"openvino"}
    assert len({one.properties for one in rounds}) == 1


@pytest.mark.usefixtures("undisturbed")
def test_the_pytorch_baseline_is_paired_with_the_fp32_ir_and_runs_in_the_memory_format_that_was_faster(bench, small):
    _, rounds = measured(bench, in_pytorch(), {"ir": small}, {"weights": DIGITS}, pairs=(2, 2))
    assert len({one.properties for one in rounds if one.variant == "cell"}) == 1, "all pairs run in one"
    by_variant = {one.variant: one for one in rounds}
    assert {name: one.runtime for name, one in by_variant.items()} == {"cell": "pytorch", "ir": "openvino"}
    own = by_variant["cell"]
    properties = json.loads(own.properties)
    assert properties[MEMORY_FORMAT] in MEMORY_FORMATS
    assert json.loads(own.asked) == {"INFERENCE_NUM_THREADS": 1}
    assert mismatches(json.loads(own.asked), properties, own.stray_cpus) == ()
    assert own.request_p50_ns is None
    assert by_variant["ir"].request_p50_ns > 0


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("preprocess", [False, True])
def test_batches_that_do_not_fit_a_page_are_measured_too(bench, small, preprocess):
    """Of so many images that the allocator gives the memory of a batch back at once when it is let go."""
    changed = measurement(preprocess=preprocess, batch=64, min_inferences=3)
    _, rounds = measured(bench, changed, {"ir": small}, pairs=(1, 1))
    assert [one.batch for one in rounds] == [64, 64]
    assert all(sum(one.stretches.latencies_ns) == sum(one.stretches.wall_ns) for one in rounds)


def test_as_many_test_images_are_loaded_as_rounds_rotate_through():
    assert rotating_images(measurement(), {}).shape == (REQUESTS, 3, 32, 32)
    assert rotating_images(measurement(batch=2), {}).shape == (2 * REQUESTS, 3, 32, 32)
    raw = rotating_images(measurement(preprocess=True), {})
    assert (raw.shape, raw.dtype) == ((REQUESTS, 32, 32, 3), "uint8")
    assert len(rotating_images(measurement(batch=100), {})) == 599, "all that there are"


@pytest.mark.parametrize(("threads", "asked"), [(3, 3), (None, 7)])
def test_threads_are_the_devices_or_as_many_as_cores_are_leased(tmp_path, threads, asked):
    request = request_of(tmp_path, measurement(threads=threads))
    assert request.asked["INFERENCE_NUM_THREADS"] == request.config["INFERENCE_NUM_THREADS"] == asked
    assert request.config["PERFORMANCE_HINT"] == "LATENCY"
    assert (request.cpus, request.ir) == ((0, 1), str(tmp_path / "int8" / "model.xml"))


@pytest.mark.usefixtures("undisturbed")
def test_no_further_pair_starts_when_the_budget_is_spent(bench, small):
    facts, rounds = measured(bench, measurement(), {"ir": small}, pairs=(50, 50), budget_s=0.01)
    assert (facts.pairs, facts.ended, len(rounds)) == (1, "budget", 2)


@pytest.mark.parametrize(("hint", "pairs", "ended"), [("latency", 4, "target"), ("throughput", 2, "pairs")])
def test_no_further_pair_starts_when_the_ratio_is_known_well_enough_or_there_may_be_no_more(
    measured_once, hint, pairs, ended
):
    facts, _ = measured_once(hint)
    assert (facts.pairs, facts.ended) == (pairs, ended)


@pytest.mark.usefixtures("undisturbed")
def test_a_disturbed_pair_is_kept_counted_and_measured_again(bench, small, monkeypatch):
    said = iter([(), ("foreign",)])
    monkeypatch.setattr(pairing, "disturbances", lambda *_, **__: next(said, ()))
    facts, rounds = measured(bench, measurement(), {"ir": small}, pairs=(1, 1))
    assert (facts.pairs, facts.disturbed, facts.ended) == (1, 1, "pairs")
    assert [one.disturbed for one in rounds] == [("foreign",)] * 2 + [()] * 2


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
    facts, rounds = measured(bench, measurement(hint=hint, min_seconds=0.3), pair, pairs=(8, 32), max_redone=0)
    assert facts.ended == "disturbed"
    assert facts.disturbed == 1
    assert facts.pairs == 0, "its pair did not have the core to itself"
    for one in rounds:
        assert {"foreign", "delayed"} & {*one.disturbed}
        assert one.foreign_s > 0.2 * one.played_s
