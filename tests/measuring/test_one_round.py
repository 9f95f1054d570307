"""One round: its warm-up, its turns and their stretches, on a simulated clock, and what it hears and tells."""

import math
import os
import socket
import subprocess
import sys
import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from farm.measuring import one_round
from farm.measuring.one_round import (
    CONVERTER,
    LEAST_IN_WINDOW,
    REPLY,
    SETTLING_NS,
    STEADY,
    STRETCH_NS,
    WINDOWS,
    WORD,
    Timed,
    Turns,
    Warmup,
    stray_cpus,
    warm_up,
    window,
)
from farm.measuring.probe import SLACK
from farm.measuring.runner import Runner

MS = 1_000_000
SETTLED = SETTLING_NS // MS  # inferences of a millisecond


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
    base = 10**8
    costs = [base] * 2 * LEAST_IN_WINDOW + [round(second * base)] * 10 * LEAST_IN_WINDOW
    warmup = warm_up(clock(lambda number: costs[number]).runner(), 0.3)
    assert (warmup.inferences, warmup.steady) == (windows * LEAST_IN_WINDOW, True)


def test_two_windows_are_not_enough_though_they_are_alike(clock):
    warmup = warm_up(clock(lambda _: 10**9).runner(), 0.3)
    assert (warmup.inferences, warmup.steady) == (WINDOWS * LEAST_IN_WINDOW, True)


def test_who_never_becomes_steady_is_told_so_and_not_waited_for_longer_than_ten_times(clock):
    slower = clock(lambda number: round(10**6 * 1.01**number))
    begun = slower.now
    assert not warm_up(slower.runner(), 0.3).steady
    last_window = 0.1e9 + slower.costs(slower.count)
    assert 10 * 0.3e9 <= slower.now - begun < 10 * 0.3e9 + last_window


def test_of_a_model_of_seconds_three_windows_are_warmed_up_even_if_they_differ(clock):
    host = clock(lambda number: 10**9 * (1 + number // LEAST_IN_WINDOW % 2))
    warmup = warm_up(host.runner(), 0.1)
    assert (warmup.inferences, warmup.steady) == (WINDOWS * LEAST_IN_WINDOW, False)


class Probing:
    """A probe on a simulated clock, of which it takes a while; each says one more than the last.

    seen: what `look` gave at each.
    """

    def __init__(self, host, look):
        self.host, self.look, self.seen = host, look, []

    def here(self):
        self.seen.append(self.look())
        self.host.now += 70_000
        return 999 + len(self.seen)


def latencies(turns):
    """In nanoseconds, by stretch."""
    return [one.latencies_ns for one in turns.stretches]


def test_a_turn_settles_and_then_is_played_in_stretches_with_a_probe_before_the_first_and_after_each(clock):
    host = clock(lambda number: MS + number)
    probe = Probing(host, lambda: host.count)
    turns = Turns(probe=probe)
    each_ns = turns.take(host.runner(), 9 * MS)
    of_stretch = STRETCH_NS // MS
    assert probe.seen == [SETTLED + of_stretch * number for number in range(6)], "of five stretches"
    assert [one.probes_ns for one in turns.stretches] == [(1000 + number, 1001 + number) for number in range(5)]
    assert latencies(turns) == [[MS + first, MS + first + 1] for first in probe.seen[:-1]]
    assert [one.wall_ns for one in turns.stretches] == [sum(each) for each in latencies(turns)], "without a gap"
    assert each_ns == MS + SETTLED + 4, "probes are in no time that is told"


def test_who_is_not_probed_plays_the_same_stretches(clock):
    played = []
    for probed in (True, False):
        host = clock()
        turns = Turns(probe=Probing(host, lambda: None) if probed else None)
        turns.take(host.runner(), 9 * MS)
        played.append(turns.arrays())
    assert [arrays["probes_ns"].shape for arrays in played] == [(5, 2, 1), (5, 2, 0)]
    same = [{name: values.tolist() for name, values in arrays.items() if name != "probes_ns"} for arrays in played]
    assert same[0] == same[1]


def test_a_turn_has_one_inference_to_settle_and_one_that_is_timed_at_least(clock):
    host, turns = clock(lambda number: 10**9 + number), Turns()
    assert turns.take(host.runner(), 1) == 10**9 + 1
    assert latencies(turns) == [[10**9 + 1]]


def test_inputs_rotate_on_from_turn_to_turn_and_every_stretch_is_kept_with_its_turn(clock):
    host = clock(lambda number: MS + number)
    turns = Turns(probe=Probing(host, lambda: host.count))
    for turn_ns in (3 * MS, 7 * MS, 2 * MS):
        turns.take(host.runner(), turn_ns)
    assert host.indices == list(range(host.count))
    arrays = turns.arrays()
    assert arrays["turn"].tolist() == [0, 0, 1, 1, 1, 1, 2]
    assert arrays["inferences"].tolist() == [2] * 7
    first, second, third = (number * SETTLED + before for number, before in ((1, 0), (2, 4), (3, 12)))
    timed = [*range(first, first + 4), *range(second, second + 8), *range(third, third + 2)]
    assert arrays["latencies_ns"].tolist() == [MS + number for number in timed]
    assert arrays["wall_ns"].tolist() == arrays["latencies_ns"].reshape(7, 2).sum(axis=1).tolist()
    assert arrays["probes_ns"][:, :, 0].tolist() == [[1000 + at, 1001 + at] for at in (0, 1, 3, 4, 5, 6, 8)]
    assert {values.dtype for values in arrays.values()} == {np.dtype(np.int64)}


def test_what_the_runtime_tells_is_kept_of_timed_inferences_and_of_a_silent_one_nothing(clock):
    host, turns = clock(), Turns()
    turns.take(host.runner(), 3 * MS)
    assert turns.runtime_ms == [(SETTLED + number) / 1000 for number in (1, 2, 3, 4)]
    turns.take(Runner(step=lambda index: host.step(index) and None, properties={}), 3 * MS)
    assert len(turns.runtime_ms) == 4


def stretches(*probes, turn):
    """Stretches of a second, with these probes around them."""
    return [Timed(turn=turn, wall_ns=10**9, latencies_ns=[], probes_ns=each) for each in pairwise(probes)]


ALMOST, BEYOND = round(1000 * (1 + SLACK)) - 1, round(1000 * (1 + SLACK)) + 1


@pytest.mark.parametrize(
    ("last", "before", "fast_ns", "full_s"),
    [
        ([1000, ALMOST, 1000], [], math.inf, 2),
        ([1000, BEYOND, 1000, 1000], [], math.inf, 1),
        ([BEYOND, 1000, 1000], [], math.inf, 1),
        ([1500] * 5, [], math.inf, 4),
        ([1500] * 5, [1000] * 5, math.inf, 0),
        ([1000] * 5, [1500] * 5, math.inf, 4),
        ([1000, 1000, 500, 1000], [1000] * 100, math.inf, 3),
        ([BEYOND] * 5, [], 1000.0, 0),
        ([ALMOST] * 5, [1000] * 5, 1000.0, 4),
        ([BEYOND] * 5, [1000] * 5, 5000.0, 0),
    ],
    ids=[
        "a little slower", "slower amid it", "slower at first", "nothing else known", "slower than before",
        "faster than before", "luck", "slower than was known", "as was known", "faster than was known",
    ],
)  # fmt: skip
def test_a_turn_was_at_full_speed_by_the_fastest_probes_so_far_and_by_what_was_known(last, before, fast_ns, full_s):
    played = [*stretches(*before, turn=0), *stretches(*last, turn=1)]
    assert Turns(fast_ns=fast_ns, stretches=played, own=[None] * 2).full_speed_ns() == full_s * 10**9


def test_who_is_not_probed_is_always_at_full_speed(clock):
    host, turns = clock(), Turns(fast_ns=1.0)
    for turn_ns in (10 * MS, 4 * MS):
        turns.take(host.runner(), turn_ns)
        assert turns.full_speed_ns() == turn_ns


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
    assert latencies(turns) == [[2 * MS] * 10] * 2
    assert [one.wall_ns for one in turns.stretches] == [10 * MS] * 2
    assert host.indices == list(range(2 * (2 + SETTLED + 10))), "filled, settled, timed; twice"
    assert host.finished == 2, "nothing is in flight between two turns"
    assert turns.runtime_ms == [2.0] * 20


def test_in_flight_a_turn_is_one_stretch_with_its_probes_while_nothing_is_in_flight(monkeypatch):
    host = Queue(monkeypatch)
    turns = Turns(probe=Probing(host, lambda: (len(host.running), len(host.indices))))
    for _ in range(2):
        turns.take(host.runner(depth=2, ended=host.ended), 10 * MS)
    each = 2 + SETTLED + 10
    assert turns.probe.seen == [(0, 0), (0, each), (0, each), (0, 2 * each)]
    assert [(one.turn, one.wall_ns, one.probes_ns) for one in turns.stretches] == [
        (0, 10 * MS, (1000, 1001)), (1, 10 * MS, (1002, 1003)),
    ]  # fmt: skip


def test_in_flight_as_many_are_timed_at_least_as_fit_the_queue_and_as_many_end_before(monkeypatch):
    host, turns = Queue(monkeypatch), Turns()
    monkeypatch.setattr(one_round, "SETTLING_NS", 0)
    turns.take(host.runner(depth=2, ended=host.ended), 1)
    assert latencies(turns) == [[2 * MS] * 2]
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
    assert len(latencies(turns)[0]) % 4 == 0


def test_a_conductor_that_has_gone_says_0():
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            for word in (15_000_000, -1, 2**62):
                theirs.sendall(WORD.pack(word))
                assert one_round.heard(ours) == word
        assert one_round.heard(ours) == 0


def test_a_reply_is_how_much_was_at_full_speed_and_what_an_inference_took():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        one_round.say(theirs, full_speed_ns=2**40, each_ns=3)
        one_round.say(theirs)
        assert REPLY.unpack(ours.recv(REPLY.size)) == (2**40, 3)
        assert REPLY.unpack(ours.recv(REPLY.size)) == (0, 0)


def test_openvino_does_without_its_converter():
    code = f"""
import sys
from farm.measuring.one_round import CONVERTER, leave_out
leave_out(CONVERTER)
import openvino
print(openvino.Core().available_devices, [name for name in sys.modules if name.startswith({CONVERTER + "."!r})])
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "'CPU'" in said.stdout
    assert said.stdout.endswith(" []\n"), "nothing of it was imported"


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
