"""One round: its warm-up and its turns, on a simulated clock, and what it hears and tells."""

import os
import socket
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from farm.measuring import one_round
from farm.measuring.one_round import (
    LEAST_IN_WINDOW,
    MOST_WINDOWS,
    SETTLING_NS,
    STEADY,
    WINDOWS,
    Turns,
    Warmup,
    stray_cpus,
    warm_up,
    window,
)
from farm.measuring.runner import Runner

MS = 1_000_000


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
    assert warm_up(host.runner(), 0.3) == Warmup(inferences=300, steady=True, each_ns=MS)
    assert host.count == 300


def test_warming_up_goes_on_until_two_windows_take_the_same_time(clock):
    host = clock(lambda number: 2_000_000 if number < 400 else 1_000_000)
    warmup = warm_up(host.runner(), 0.3)
    assert warmup == Warmup(inferences=150, steady=True, each_ns=2 * MS), "it was steady when it was slow, too"
    falling = clock(lambda number: round(3_000_000 * 0.99 ** min(number, 300)))
    warmup = warm_up(falling.runner(), 0.3)
    assert warmup.steady
    assert warmup.inferences > 300, "the times had stopped falling"
    assert warmup.each_ns < 200_000, "as long as it took in the end"


@pytest.mark.parametrize(("second", "windows"), [(1 + STEADY * 0.99, 3), (1 - STEADY * 0.99, 3), (1 + STEADY * 1.5, 4)])
def test_steady_is_within_so_much_of_the_window_before(clock, second, windows):
    base = 10**9
    costs = [base] * 2 * LEAST_IN_WINDOW + [round(second * base)] * 10 * LEAST_IN_WINDOW
    warmup = warm_up(clock(lambda number: costs[number]).runner(), 0.3)
    assert (warmup.inferences, warmup.steady) == (windows * LEAST_IN_WINDOW, True)


def test_two_windows_are_not_enough_though_they_are_alike(clock):
    warmup = warm_up(clock(lambda _: 10**9).runner(), 0.3)
    assert (warmup.inferences, warmup.steady) == (WINDOWS * LEAST_IN_WINDOW, True)


def test_who_never_becomes_steady_is_told_so_and_not_waited_for_longer_than_ten_times(clock):
    host = clock(lambda number: 10**6 * (1 + number // LEAST_IN_WINDOW % 2))
    warmup = warm_up(host.runner(), 0.0)
    assert (warmup.inferences, warmup.steady) == (MOST_WINDOWS * LEAST_IN_WINDOW, False)
    slower = clock(lambda number: round(10**6 * 1.01**number))
    begun = slower.now
    assert not warm_up(slower.runner(), 0.3).steady
    last = slower.costs(slower.count)
    assert slower.now - begun <= 10 * 0.3e9 + MOST_WINDOWS * last


def test_a_turn_settles_before_its_clock_runs_and_synchronous_latencies_leave_no_gap(clock):
    host, turns = clock(lambda number: MS + number), Turns()
    each_ns = turns.take(host.runner(), 10 * MS)
    (latencies,), (wall_ns,) = turns.latencies_ns, turns.wall_ns
    settling = SETTLING_NS // MS
    assert latencies == [MS + settling + number for number in range(10)]
    assert wall_ns == sum(latencies) == host.now - 5_000 - sum(MS + number for number in range(settling))
    assert each_ns == wall_ns // 10


def test_a_turn_has_one_inference_to_settle_and_one_that_is_timed_at_least(clock):
    host, turns = clock(lambda number: 10**9 + number), Turns()
    assert turns.take(host.runner(), 1) == 10**9 + 1
    assert turns.latencies_ns == [[10**9 + 1]]


def test_inputs_rotate_on_from_turn_to_turn_and_every_turns_latencies_are_kept(clock):
    host, turns = clock(lambda number: MS + number), Turns()
    for turn_ns in (3 * MS, 7 * MS, 2 * MS):
        turns.take(host.runner(), turn_ns)
    assert host.indices == list(range(host.count))
    inferences, wall_ns, latencies_ns = turns.arrays()
    assert inferences.tolist() == [3, 7, 2]
    assert latencies_ns.tolist() == [MS + number for number in (*range(5, 8), *range(13, 20), *range(25, 27))]
    assert [sum(latencies_ns[:3]), sum(latencies_ns[3:10]), sum(latencies_ns[10:])] == wall_ns.tolist()
    assert {values.dtype for values in (inferences, wall_ns, latencies_ns)} == {np.dtype(np.int64)}


def test_what_the_runtime_tells_is_kept_of_timed_inferences_and_of_a_silent_one_nothing(clock):
    host, turns = clock(), Turns()
    turns.take(host.runner(), 3 * MS)
    assert turns.runtime_ms == [0.006, 0.007, 0.008]
    turns.take(Runner(step=lambda index: host.step(index) and None, properties={}), 3 * MS)
    assert len(turns.runtime_ms) == 3


class Queue(Clock):
    """Two inferences in flight, of 2 ms each where both are and of 1 ms where one is: while it fills and drains."""

    def __init__(self, monkeypatch):
        super().__init__(monkeypatch)
        self.running, self.ended = [], []

    def step(self, index):
        self.indices.append(index)
        if len(self.running) == 2:
            self.one_ends(2 * MS)
        self.running.append(self.now)

    def finish(self):
        super().finish()
        while self.running:
            self.one_ends(MS // 2)

    def one_ends(self, latency_ns):
        self.now += latency_ns // 2
        self.running.pop(0)
        self.ended.append((self.now, latency_ns))


def test_in_flight_only_those_are_timed_that_end_while_the_queue_is_full(monkeypatch):
    host, turns = Queue(monkeypatch), Turns()
    for _ in range(2):
        assert turns.take(host.runner(depth=2, ended=host.ended), 10 * MS) == MS, "an image a millisecond"
    assert turns.latencies_ns == [[2 * MS] * 10] * 2
    assert turns.wall_ns == [10 * MS] * 2
    assert host.indices == list(range(2 * (2 + 5 + 10))), "filled, settled, timed; twice"
    assert host.finished == 2, "nothing is in flight between two turns"
    assert turns.runtime_ms == [2.0] * 20


def test_in_flight_as_many_are_timed_at_least_as_fit_the_queue_and_as_many_end_before(monkeypatch):
    host, turns = Queue(monkeypatch), Turns()
    monkeypatch.setattr(one_round, "SETTLING_NS", 0)
    turns.take(host.runner(depth=2, ended=host.ended), 1)
    assert turns.latencies_ns == [[2 * MS] * 2]
    assert len(host.ended) == 2 + 2 + 2


def test_in_flight_requests_that_end_all_at_once_are_counted_by_whole_fillings(monkeypatch):
    """Four streams that started together: four images each 20 ms, wherever the clock stops."""

    class Lockstep(Queue):
        def step(self, index):
            self.indices.append(index)
            if len(self.indices) % 4 == 0:
                self.now += 20 * MS
                self.ended += [(self.now, 20 * MS)] * 4

    host, turns = Lockstep(monkeypatch), Turns()
    assert turns.take(host.runner(depth=4, ended=host.ended), 30 * MS) == 5 * MS
    assert len(turns.latencies_ns[0]) % 4 == 0


def test_a_conductor_that_has_gone_says_0():
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            for word in (15_000_000, -1, 2**62):
                one_round.say(theirs, word)
                assert one_round.heard(ours) == word
        assert one_round.heard(ours) == 0


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
