"""One round: its warm-up and its timed loop on a simulated clock, and the script in an interpreter of its own."""

import json
import os
import threading
import timeit
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from farm.axes import Model
from farm.data.imageset import prepare
from farm.measuring import one_round
from farm.measuring.one_round import LEAST_IN_WINDOW, MOST_WINDOWS, STEADY, WINDOWS, stray_cpus, warm_up, window
from farm.measuring.round import SCHEMA
from farm.measuring.runner import Runner
from tests.measuring.conftest import CONFIG, HOW, answer_of, request_with, round_of

ROOT = Path(__file__).parents[2]
ANSWERED = set(SCHEMA.names) - {"pair", "position", "variant", "asked", "cpus", "disturbed", "latencies_ns"}


class Clock:
    """A clock that only a simulated inference moves; costs: index of the inference -> its nanoseconds."""

    def __init__(self, monkeypatch, costs=lambda number: 1_000_000):
        self.now, self.count, self.costs = 5_000, 0, costs
        self.indices, self.finished = [], 0
        monkeypatch.setattr(one_round, "time", SimpleNamespace(perf_counter_ns=lambda: self.now))

    def step(self, index):
        self.indices.append(index)
        self.now += self.costs(self.count)
        self.count += 1
        return self.count / 1000  # what the runtime tells, in ms

    def finish(self):
        self.finished += 1

    def runner(self, **more):
        return Runner(step=self.step, properties={}, finish=self.finish, **more)


@pytest.fixture
def clock(monkeypatch):
    return lambda *costs: Clock(monkeypatch, *costs)


def test_a_window_lasts_so_long_and_waits_for_all_that_it_started(clock):
    host = clock()
    assert window(host.runner(), 0.0125) == (13, 13_000_000)
    assert host.indices == list(range(13)), "inputs rotate"
    assert host.finished == 1


def test_a_window_has_so_many_inferences_at_least(clock):
    assert window(clock(lambda _: 10**9).runner(), 0.001) == (LEAST_IN_WINDOW, LEAST_IN_WINDOW * 10**9)


def test_who_is_steady_from_the_start_warms_up_as_long_as_told_and_no_longer(clock):
    host = clock()
    assert warm_up(host.runner(), 0.3) == (300, True)
    assert host.count == 300


def test_warming_up_goes_on_until_two_windows_take_the_same_time(clock):
    host = clock(lambda number: 2_000_000 if number < 400 else 1_000_000)
    count, steady = warm_up(host.runner(), 0.3)
    assert (count, steady) == (150, True), "it was steady when it was slow, too"
    falling = clock(lambda number: round(3_000_000 * 0.99 ** min(number, 300)))
    count, steady = warm_up(falling.runner(), 0.3)
    assert steady
    assert count > 300, "the times had stopped falling"


@pytest.mark.parametrize(("second", "windows"), [(1 + STEADY * 0.99, 3), (1 - STEADY * 0.99, 3), (1 + STEADY * 1.5, 4)])
def test_steady_is_within_so_much_of_the_window_before(clock, second, windows):
    base = 10**9
    costs = [base] * 2 * LEAST_IN_WINDOW + [round(second * base)] * 10 * LEAST_IN_WINDOW
    count, steady = warm_up(clock(lambda number: costs[number]).runner(), 0.3)
    assert (count, steady) == (windows * LEAST_IN_WINDOW, True)


def test_two_windows_are_not_enough_though_they_are_alike(clock):
    assert warm_up(clock(lambda _: 10**9).runner(), 0.3) == (WINDOWS * LEAST_IN_WINDOW, True)


def test_who_never_becomes_steady_is_told_so_and_not_waited_for_longer_than_ten_times(clock):
    host = clock(lambda number: 10**6 * (1 + number // LEAST_IN_WINDOW % 2))
    assert warm_up(host.runner(), 0.0) == (MOST_WINDOWS * LEAST_IN_WINDOW, False)
    slower = clock(lambda number: round(10**6 * 1.01**number))
    begun = slower.now
    assert warm_up(slower.runner(), 0.3)[1] is False
    last = slower.costs(slower.count)
    assert slower.now - begun <= 10 * 0.3e9 + MOST_WINDOWS * last


TIMED = request_with(min_seconds=0.0105, min_inferences=3)


def test_synchronous_latencies_leave_no_gap(clock):
    host = clock(lambda number: 1_000_000 + number)
    latencies, wall_ns, told_ms = one_round._one_by_one(host.runner(), TIMED)
    assert latencies == [1_000_000 + number for number in range(11)]
    assert wall_ns == sum(latencies)
    assert told_ms == 0.006, "the median of what the runtime tells"


@pytest.mark.parametrize("inferences", [1, 50])
def test_it_lasts_a_least_time_and_a_least_number_of_inferences(clock, inferences):
    latencies, _, _ = one_round._one_by_one(clock().runner(), replace(TIMED, min_inferences=inferences))
    assert len(latencies) == max(11, inferences)


def test_a_runtime_that_tells_no_latency_is_none(clock):
    host = clock()
    silent = Runner(step=lambda index: host.step(index) and None, properties={})
    assert one_round._one_by_one(silent, TIMED)[2] is None


class Flying(Clock):
    """Inferences in flight: their latencies come in when they are waited for."""

    def __init__(self, monkeypatch):
        super().__init__(monkeypatch)
        self.latencies, self.before = [7, 7, 7], 0  # of the warm-up

    def finish(self):
        super().finish()
        self.now += 500
        self.latencies += [3_000_000] * (self.count - self.before)

    def taken(self):
        found, self.latencies = self.latencies, []
        return found


def test_in_flight_the_clock_runs_until_the_last_has_ended_and_warm_up_is_forgotten(monkeypatch):
    host = Flying(monkeypatch)
    latencies, wall_ns, told_ms = one_round._in_flight(host.runner(taken=host.taken), TIMED)
    assert latencies == [3_000_000] * 11
    assert wall_ns == 11_000_500
    assert told_ms == 3.0


def test_in_flight_there_are_so_many_inferences_at_least(monkeypatch):
    host = Flying(monkeypatch)
    assert len(one_round._in_flight(host.runner(taken=host.taken), replace(TIMED, min_inferences=40))[0]) == 40


@pytest.fixture
def elsewhere():
    """A thread of this process on all CPUs that it may use, while this one is on the first alone."""
    mask, done = sorted(os.sched_getaffinity(0)), threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    os.sched_setaffinity(0, mask[:1])
    yield mask
    os.sched_setaffinity(0, mask)
    done.set()
    thread.join()


@pytest.mark.alone  # others on its cores would be timed too
def test_a_thread_that_may_run_outside_the_lease_is_told(elsewhere):
    assert stray_cpus(elsewhere) == []
    assert stray_cpus(elsewhere[:1]) == elsewhere[1:]
    assert stray_cpus([]) == elsewhere


def test_a_thread_that_has_just_ended_strays_nowhere(monkeypatch):
    def gone(_):
        raise ProcessLookupError

    monkeypatch.setattr(os, "sched_getaffinity", gone)
    assert stray_cpus([0]) == []


def test_the_script_alone_answers_with_every_latency(tmp_path, free):
    code, said, answer = round_of(tmp_path, ir=str(free))
    assert (code, said) == (0, "")
    told, latencies = answer_of(answer)
    assert len(latencies) == told.inferences == 3
    assert told.wall_ns == sum(latencies)
    assert set(vars(told)) == ANSWERED
    assert (told.runtime, told.batch, told.synchronous) == ("openvino", 1, True)
    assert 0 < told.request_p50_ns <= max(latencies)
    assert told.warmup_inferences >= WINDOWS * LEAST_IN_WINDOW
    assert (told.threads, told.streams, told.precision) == (1, 1, "f32")


def test_the_script_tells_which_cpus_it_could_stray_to(tmp_path, free):
    mask = sorted(os.sched_getaffinity(0))
    for leased in (mask, mask[:1]):
        told, _ = answer_of(round_of(tmp_path, ir=str(free), cpus=leased)[2])
        assert told.stray_cpus == mask[len(leased) :]


def test_the_script_in_flight_answers_with_every_latency(tmp_path, free):
    throughput = CONFIG | {"PERFORMANCE_HINT": "THROUGHPUT"}
    code, _, answer = round_of(tmp_path, ir=str(free), hint="throughput", config=throughput, min_inferences=40)
    told, latencies = answer_of(answer)
    assert code == 0
    assert (told.synchronous, told.inferences, len(latencies)) == (False, 40, 40)
    assert (latencies > 0).all()


@pytest.mark.alone  # others on its cores would be timed too
def test_the_script_times_preparing_only_where_it_is_asked_for(tmp_path, free):
    """By the shortest latency of many: other programs make some longer, none shorter."""
    shortest = {}
    for preprocess, shape in ((False, (64, 3, 32, 32)), (True, (64, 32, 32, 3))):
        np.save(tmp_path / "inputs.npy", np.zeros(shape, np.uint8 if preprocess else np.float32))
        code, said, answer = round_of(
            tmp_path, ir=str(free), batch=64, preprocess=preprocess, min_inferences=100, warmup_seconds=0.1
        )
        assert (code, said) == (0, "")
        _, latencies = answer_of(answer)
        shortest[preprocess] = latencies.min()
    how, images = HOW, np.zeros((64, 32, 32, 3), np.uint8)
    alone = min(timeit.repeat(lambda: prepare(images, how), number=1, repeat=100)) * 1e9
    assert shortest[True] - shortest[False] > alone / 2


def test_the_script_runs_pytorch_in_the_memory_format_asked_for(tmp_path):
    model = Model(factory="tests.stages.networks:ten")
    code, said, answer = round_of(tmp_path, model=model, memory_format="channels_last", python_path=(str(ROOT),))
    assert (code, said) == (0, "")
    told, _ = answer_of(answer)
    assert json.loads(told.properties)["MEMORY_FORMAT"] == "channels_last"
    assert (told.runtime, told.threads, told.precision) == ("pytorch", 1, "f32")
    assert told.request_p50_ns is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "XPU"}, 'Device with "XPU" name is not registered'),
        ({"images": "nowhere.npy"}, "FileNotFoundError"),
    ],
    ids=str,
)
def test_the_script_refuses_nothing_silently(tmp_path, free, changes, says):
    code, said, answer = round_of(tmp_path, **{"ir": str(free)} | changes)
    assert code == 1
    assert says in said
    assert not answer.exists()


def test_a_batch_that_the_model_does_not_take_is_refused(tmp_path, fixed):
    code, said, _ = round_of(tmp_path, ir=str(fixed), batch=2)
    assert (code, said) == (1, "the model has a fixed batch of 1, the device's `batch` is 2\n")
