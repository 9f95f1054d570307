"""A round while it lives: an interpreter of its own, which answers, is stopped where it has no turn, and ends."""

import json
import os
import signal
import subprocess
import sys
import time
import timeit
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from farm.axes import Model
from farm.data.imageset import prepare
from farm.measuring.one_round import CONVERTER, LEAST_IN_WINDOW, STRETCH_NS, WINDOWS
from farm.measuring.round import FACTS
from farm.measuring.running import MEBI, RoundCrashed, RunningRound, on_cpus, round_environment
from farm.measuring.turns import ALIGNED, MOVED, PAGE
from tests.measuring.conftest import CONFIG, HOW, TURN_NS, answer_of, asked

ROOT = Path(__file__).parents[2]
MS = 1_000_000
SIGNALS = ("steal_s", "foreign_s", "siblings_s", "throttled_s", "overheated")
OF_THE_CONDUCTOR = {"pair", "variant", "asked", "cpus", "disturbed", "played_s", "mhz", *SIGNALS}


def test_a_round_answers_with_every_latency_of_every_stretch_of_every_turn(tmp_path, free):
    answer = answer_of(tmp_path, ir=str(free), turns=3)
    played, facts = answer.stretches, SimpleNamespace(**answer.facts)
    assert (np.bincount(played.turn, played.wall_ns) >= TURN_NS).all()
    assert len(np.bincount(played.turn)) == 3
    assert (played.wall_ns >= STRETCH_NS).all()
    assert len(played.latencies_ns) == sum(played.inferences)
    stretches = np.split(played.latencies_ns, np.cumsum(played.inferences)[:-1])
    assert [sum(latencies) for latencies in stretches] == played.wall_ns.tolist()
    within = np.diff(played.turn) == 0
    assert (played.probes_ns > 0).all()
    assert (played.probes_ns[1:, 0] == played.probes_ns[:-1, 1])[within].all(), "one between two stretches"
    assert set(answer.facts) == set(FACTS) - OF_THE_CONDUCTOR
    assert (facts.runtime, facts.batch, facts.synchronous) == ("openvino", 1, True)
    assert 0 < facts.request_p50_ns <= max(played.latencies_ns)
    assert facts.warmup_inferences >= WINDOWS * LEAST_IN_WINDOW
    assert (facts.threads, facts.streams, facts.precision, facts.stray_cpus) == (1, 1, "f32", [])
    assert 0 < sum(played.wall_ns) / 1e9 < facts.used_s + facts.delayed_s + 0.1


def test_a_round_without_a_turn_answers_too(tmp_path, free):
    answer = answer_of(tmp_path, ir=str(free), turns=0)
    assert answer.facts["request_p50_ns"] is None
    assert len(answer.stretches) == len(answer.stretches.latencies_ns) == 0


@pytest.mark.parametrize("probed", [True, False])
def test_a_turn_tells_how_much_of_it_was_at_full_speed_by_what_is_known(tmp_path, free, probed):
    """Known is a probe that no core can be as fast as. AUTO runs on the CPU as well, but may do so elsewhere."""
    changes = {} if probed else {"name": "AUTO", "config": {"PERFORMANCE_HINT": "LATENCY"}}
    with RunningRound(asked(tmp_path, ir=str(free), fast_ns=1.0, **changes), tmp_path) as one:
        one.compiled()
        each_ns = one.warmed_up()
        full_ns = [one.turn(TURN_NS) for _ in range(2)]
        played = one.end().stretches
    assert 0 < each_ns < 10**9
    assert full_ns == ([0, 0] if probed else np.bincount(played.turn, played.wall_ns).tolist())
    assert played.probes_ns.shape[1:] == (2, 1 if probed else 0)


def test_a_round_in_flight_answers_with_every_latency(tmp_path, free):
    throughput = CONFIG | {"PERFORMANCE_HINT": "THROUGHPUT"}
    answer = answer_of(tmp_path, ir=str(free), hint="throughput", config=throughput)
    assert answer.facts["synchronous"] is False
    played = answer.stretches
    assert played.turn.tolist() == [0, 1], "a stretch a turn"
    assert len(played.latencies_ns) == sum(played.inferences)
    assert (played.latencies_ns > 0).all()
    assert (played.wall_ns > 0).all()
    assert (played.probes_ns > 0).all()


@pytest.mark.alone  # others on its cores would be timed too
def test_a_round_times_preparing_only_where_it_is_asked_for(tmp_path, free):
    """By the shortest latency of many: other programs make some longer, none shorter."""
    shortest = {}
    for preprocess, shape in ((False, (64, 3, 32, 32)), (True, (64, 32, 32, 3))):
        np.save(tmp_path / "inputs.npy", np.zeros(shape, np.uint8 if preprocess else np.float32))
        answer = answer_of(
            tmp_path, ir=str(free), batch=64, preprocess=preprocess, turn_ns=300 * MS, warmup_seconds=0.1
        )
        shortest[preprocess] = answer.stretches.latencies_ns.min()
    how, images = HOW, np.zeros((64, 32, 32, 3), np.uint8)
    alone = min(timeit.repeat(lambda: prepare(images, how), number=1, repeat=100)) * 1e9
    assert shortest[True] - shortest[False] > alone / 2


def test_a_round_runs_pytorch_in_the_memory_format_asked_for(tmp_path):
    model = Model(factory="tests.stages.networks:ten")
    facts = answer_of(tmp_path, model=model, memory_format="channels_last", python_path=(str(ROOT),)).facts
    assert json.loads(facts["properties"])["MEMORY_FORMAT"] == "channels_last"
    assert (facts["runtime"], facts["threads"], facts["precision"]) == ("pytorch", 1, "f32")
    assert facts["request_p50_ns"] is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "XPU"}, 'Device with "XPU" name is not registered'),
        ({"images": "nowhere.npy"}, "FileNotFoundError"),
    ],
    ids=str,
)
def test_a_round_refuses_nothing_silently(tmp_path, free, capfd, changes, says):
    with pytest.raises(RuntimeError, match="a round of openvino failed with exit code 1"):
        answer_of(tmp_path, **{"ir": str(free)} | changes)
    assert says in capfd.readouterr().err


def test_a_batch_that_the_model_does_not_take_is_refused(tmp_path, fixed):
    with pytest.raises(RuntimeError, match=r"code 1: the model has a fixed batch of 1, the device's `batch` is 2$"):
        answer_of(tmp_path, ir=str(fixed), batch=2)


MOVE = """
import sys
import numpy as np
from farm.measuring.one_round import move
from tests.measuring.conftest import request_with
kept = move(request_with(moved=int(sys.argv[1])))
print(np.empty(1_000_000, np.uint8).ctypes.data - kept.ctypes.data)
"""


@pytest.mark.parametrize("by", [0, ALIGNED, 1024, PAGE - ALIGNED])
def test_what_a_round_allocates_lies_as_far_on_in_memory_as_it_is_told(by):
    command = [sys.executable, "-P", "-c", MOVE, str(MOVED + by)]
    how = round_environment() | {"PYTHONPATH": str(ROOT)}
    assert int(subprocess.check_output(command, env=how)) == MOVED + by + ALIGNED, "with what malloc notes of it"


def test_a_rounds_files_have_names_as_long_as_it_is_told_and_go_with_it(tmp_path, free):
    for longer in (0, 150):
        with RunningRound(asked(tmp_path, ir=str(free), longer=longer), tmp_path / "one"):
            (question,) = (tmp_path / "one").glob("*.json")
            assert len(question.stem) == len("round") + longer
        assert [*(tmp_path / "one").iterdir()] == []


def children():
    """Processes that this one has started."""
    return {process.pid for process in psutil.Process().children()}


def state(pid):
    """As in ``/proc/PID/stat``: T is stopped, R runs, S sleeps."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_for(condition, patience_s=10):
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


@pytest.fixture
def one(tmp_path, free):
    """A round that is compiled and warm, and without a turn."""
    before = children()
    with RunningRound(asked(tmp_path, ir=str(free)), tmp_path) as found:
        found.compiled()
        found.warmed_up()
        yield found
    assert children() == before


@pytest.fixture
def pid(one):
    (pid,) = (pid for pid in children() if "farm.measuring.one_round" in psutil.Process(pid).cmdline())
    return pid


def used_s(pid):
    return sum(psutil.Process(pid).cpu_times()[:2])


def test_a_round_is_stopped_but_in_its_turn(one, pid):
    wait_for(lambda: state(pid) == "T")
    before = used_s(pid)
    one.begin(300 * MS)
    wait_for(lambda: state(pid) == "R")
    one.finish()
    wait_for(lambda: state(pid) == "T")
    assert used_s(pid) > before
    assert set(one.end().stretches.turn) == {0}


def test_all_threads_of_a_round_are_stopped(one, pid):
    wait_for(lambda: {state(f"{pid}/task/{thread.id}") for thread in psutil.Process(pid).threads()} == {"T"})


@pytest.mark.parametrize(
    ("number", "begun"), [(signal.SIGKILL, True), (signal.SIGSEGV, False)], ids=["in its turn", "stopped"]
)
def test_who_is_killed_has_crashed_with_that_signal(one, pid, number, begun):
    if begun:
        one.begin(10**12)
    os.kill(pid, number)
    with pytest.raises(RoundCrashed, match=rf"^a round of openvino was ended by signal {number} \({number.name}\)$"):
        one.finish() if begun else one.turn(TURN_NS)
    assert pid not in children()


def test_who_is_killed_before_it_answers_has_crashed_too(one, pid):
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RoundCrashed):
        one.end()


def begin(one):
    """Leave a round in mid-turn."""
    one.compiled()
    one.warmed_up()
    one.begin(10**12)


@pytest.mark.parametrize("leave", [lambda _: None, RunningRound.compiled, begin], ids=["at once", "stopped", "in turn"])
def test_who_is_left_at_any_time_is_gone(tmp_path, free, leave):
    before = children()
    with RunningRound(asked(tmp_path, ir=str(free)), tmp_path) as one:
        leave(one)
        assert len(children()) == len(before) + 1
    assert children() == before


def test_a_round_has_the_cpus_that_it_is_asked_for_and_this_process_keeps_its_own(one, pid):
    mask = os.sched_getaffinity(0)
    assert os.sched_getaffinity(pid) == set(one.request.cpus)
    with on_cpus({max(mask)}):
        assert os.sched_getaffinity(0) == {max(mask)}
    assert os.sched_getaffinity(0) == mask


def test_a_round_has_a_users_own_environment_but_for_the_fork_servers_threads(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SOMETHING", "mine")
    found = round_environment()
    assert found["SOMETHING"] == "mine"
    assert not {"OMP_WAIT_POLICY", "OMP_NUM_THREADS"} & set(found)


def faults(environment):
    """How often the kernel gave a process memory while it freed 60 MiB and took them anew five times."""
    code = f"""
import resource
def take():
    blocks = [bytearray(b"x") * (20 * {MEBI}) for _ in range(3)]
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
take(), take()
before = faults()
for _ in range(5): take()
print(faults() - before)
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    return int(said.stdout)


def test_a_round_keeps_the_memory_that_it_frees(pid, monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    assert faults(round_environment()) < 10 < faults(dict(os.environ))
    assert b"GLIBC_TUNABLES=glibc.malloc." in Path(f"/proc/{pid}/environ").read_bytes(), "a real one too"
    monkeypatch.setenv("GLIBC_TUNABLES", "a.user=1")
    assert round_environment()["GLIBC_TUNABLES"] == "a.user=1"


@pytest.mark.parametrize(
    ("library", "changes", "there"),
    [("openvino", {}, False), ("torch", {"model": Model(factory="tests.stages.networks:ten")}, True)],
    ids=["openvino", "pytorch"],
)
def test_only_a_round_of_openvino_leaves_its_converter_out(tmp_path, library, changes, there):
    """A library in its place says so: a user's own network may need it."""
    (tmp_path / f"{library}.py").write_text(f"import sys; sys.exit(str({CONVERTER!r} not in sys.modules))\n")
    with pytest.raises(RuntimeError, match=f"exit code 1: {there}$"):
        answer_of(tmp_path, python_path=(str(tmp_path),), **changes)
