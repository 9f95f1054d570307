"""One round: a script for a fresh interpreter that imports only what it needs, and infers when it is its turn.

Run as ``python -P -m farm.measuring.one_round REQUEST.json ANSWER.npz SOCKET`` with its affinity mask set; SOCKET is
the number of an inherited descriptor, over which 8-byte integers go to and fro (`farm.measuring.running` has the other
end): each number that it hears is a turn of so many nanoseconds, the first of them to warm up, and 0 ends the round.
When the model is compiled, when a turn is over and when the answer is written it says two numbers: for how long of the
turn it was at full speed, as far as it can tell by then, and what an inference took, in nanoseconds. The
answer holds every timed latency, the stretches of each turn with the probes around them, the properties read back, and
what the process used meanwhile. Judges nothing.
"""

import ctypes
import json
import math
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from farm.codec import decode
from farm.measuring import signals
from farm.measuring.probe import Probe, fastest, is_fast
from farm.measuring.request import RoundRequest
from farm.measuring.runner import NS_PER_MS, PRECISION, STREAMS, THREADS, Runner, runner_of

WORD, REPLY = struct.Struct("<q"), struct.Struct("<qq")
PR_SET_PDEATHSIG = 1
CONVERTER = "openvino.tools.ovc"  # half of what importing OpenVINO takes, which does without
SETTLING_NS = 10_000_000  # of a turn before its clock runs: what the other left in caches and predictors has to go
STRETCH_NS = 2_000_000  # of a turn, from one probe to the next
STEADY = 0.03  # two windows of warm-up whose mean times differ by no more
WINDOWS = 3  # of warm-up at least
MOST_TIMES = 10  # as long as asked for, a warm-up may last that is not steady
LEAST_IN_WINDOW = 3


def main() -> None:
    """Compile, take turns, answer."""
    leave_with_conductor()
    request = decode(RoundRequest, json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    _kept = move(request)
    sys.path[:0] = request.python_path
    if request.model is None:
        leave_out(CONVERTER)
    runner = runner_of(request, np.load(request.images))
    turns = Turns(probe=Probe() if request.probed else None, fast_ns=request.fast_ns)
    with socket.socket(fileno=int(sys.argv[3])) as conductor:
        say(conductor)
        heard(conductor)
        runner.choose()
        warmup = warm_up(runner, request.warmup_seconds)
        say(conductor, each_ns=warmup.each_ns * runner.depth)
        while turn_ns := heard(conductor):
            each_ns = turns.take(runner, turn_ns)
            say(conductor, full_speed_ns=turns.full_speed_ns(), each_ns=each_ns)
        facts = {
            "runtime": request.runtime,
            "batch": request.device.batch,
            "synchronous": runner.ended is None,
            "request_p50_ns": median(turns.runtime_ms) * NS_PER_MS if turns.runtime_ms else None,
            "warmup_inferences": warmup.inferences,
            "steady": warmup.steady,
            "stray_cpus": stray_cpus(request.cpus),
            **read_back(runner),
            **signals.of_own(turns.own),
        }
        np.savez(sys.argv[2], facts=json.dumps(facts), **turns.arrays())  # type: ignore[arg-type]  # of `allow_pickle`
        say(conductor)


def move(request: RoundRequest) -> NDArray[np.uint8]:
    """Memory that nobody touches: while it is kept, what the main thread takes from the heap lies behind it."""
    return np.empty(request.moved, np.uint8)


def read_back(runner: Runner) -> dict[str, object]:
    """How the model really runs: columns of `farm.measuring.round.Round`."""
    properties = runner.properties
    return {
        "threads": int(properties.get(THREADS, 0)),
        "streams": int(properties.get(STREAMS, 0)),
        "precision": properties.get(PRECISION, ""),
        "properties": json.dumps(properties, sort_keys=True),
    }


def leave_with_conductor() -> None:
    """Have the kernel kill this process when its parent dies: a process that is stopped hears of nothing else."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(70)


def leave_out(module: str) -> None:
    """Have this process's imports of a module fail."""
    sys.modules[module] = None  # type: ignore[assignment]  # as the import system documents it


def say(conductor: socket.socket, *, full_speed_ns: int = 0, each_ns: int = 0) -> None:
    """Tell the conductor what it waits for: two numbers, of the turn that is over."""
    conductor.sendall(REPLY.pack(full_speed_ns, each_ns))


def heard(conductor: socket.socket) -> int:
    """The next word; 0 also from a conductor that has gone."""
    word = conductor.recv(WORD.size, socket.MSG_WAITALL)
    return int(WORD.unpack(word)[0]) if len(word) == WORD.size else 0


def stray_cpus(leased: Collection[int]) -> list[int]:
    """CPUs outside the lease that some thread of this process is allowed on."""
    allowed: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # a thread that has just ended
            allowed |= os.sched_getaffinity(int(task.name))
    return sorted(allowed.difference(leased))


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """inferences: untimed ones. steady: whether two windows took the same time. each_ns: an inference, in the last."""

    inferences: int
    steady: bool
    each_ns: int


def warm_up(runner: Runner, seconds: float) -> Warmup:
    """Untimed inferences for so long at least, and until two windows in a row take the same time.

    Gives up after ten times as long.
    """
    total, windows, passed_ns, before_ns = 0, 0, 0, 0.0
    while True:
        count, spent_ns = window(runner, seconds / WINDOWS)
        total, windows, passed_ns = total + count, windows + 1, passed_ns + spent_ns
        each_ns = spent_ns / count
        steady = abs(each_ns - before_ns) <= STEADY * before_ns
        if windows >= WINDOWS and (steady or passed_ns >= MOST_TIMES * seconds * 1e9):
            return Warmup(inferences=total, steady=steady, each_ns=int(each_ns))
        before_ns = each_ns


def window(runner: Runner, seconds: float) -> tuple[int, int]:
    """How many inferences so many seconds take, three at least, and how many nanoseconds they took."""
    clock = time.perf_counter_ns
    begun, count = clock(), 0
    while clock() - begun < seconds * 1e9 or count < LEAST_IN_WINDOW:
        runner.step(count)
        count += 1
    runner.finish()
    return count, clock() - begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Inferences between two probes, in ns. turn: of the round. probes_ns: before and after, if it is probed."""

    turn: int
    wall_ns: int
    latencies_ns: list[int]
    probes_ns: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class Turns:
    """The turns so far. fast_ns: as in `RoundRequest`. runtime_ms: what the runtime itself tells of inferences.

    own: what the process had used before and after each, for it waits when it has no turn.
    """

    probe: Probe | None = None
    fast_ns: float = math.inf
    stretches: list[Timed] = field(default_factory=list)
    runtime_ms: list[float] = field(default_factory=list)
    own: list[tuple[signals.Own, signals.Own]] = field(default_factory=list)
    started: int = 0  # inferences, timed or not

    def take(self, runner: Runner, turn_ns: int) -> int:
        """A turn of so long at least; gives what an inference took."""
        way, first = self._one_by_one if runner.ended is None else self._in_flight, len(self.stretches)
        before = signals.read_own()
        way(runner, turn_ns)
        self.own.append((before, signals.read_own()))
        played = self.stretches[first:]
        return sum(one.wall_ns for one in played) // sum(len(one.latencies_ns) for one in played)

    def full_speed_ns(self) -> int:
        """For how long of the last turn the probes were fast: measured by the fastest so far, and by what was known."""
        after = [probe for one in self.stretches for probe in one.probes_ns[1:]]
        fast_ns = min(self.fast_ns, float(fastest(after)))
        last = [one for one in self.stretches if one.turn == len(self.own) - 1]
        return sum(one.wall_ns for one in last if is_fast(one.probes_ns, fast_ns).all())

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """Of each stretch its turn, how many inferences it timed, its wall time and probes; all latencies; in ns."""
        told = {
            "turn": [one.turn for one in self.stretches],
            "inferences": [len(one.latencies_ns) for one in self.stretches],
            "wall_ns": [one.wall_ns for one in self.stretches],
            "probes_ns": [one.probes_ns for one in self.stretches],
            "latencies_ns": [latency for one in self.stretches for latency in one.latencies_ns],
        }
        arrays = {name: np.asarray(values, dtype=np.int64) for name, values in told.items()}
        return arrays | {"probes_ns": arrays["probes_ns"].reshape(len(self.stretches), 2, 1 if self.probe else 0)}

    def _probed(self) -> tuple[int, ...]:
        return (self.probe.here(),) if self.probe else ()

    def _keep(self, wall_ns: int, latencies_ns: list[int], probes_ns: tuple[int, ...]) -> None:
        one = Timed(turn=len(self.own), wall_ns=wall_ns, latencies_ns=latencies_ns, probes_ns=probes_ns)
        self.stretches.append(one)

    def _settle(self, runner: Runner) -> None:
        """Untimed inferences, one at least."""
        clock, settled = time.perf_counter_ns, time.perf_counter_ns() + SETTLING_NS
        first = self.started
        while clock() < settled or self.started == first:
            runner.step(self.started)
            self.started += 1

    def _one_by_one(self, runner: Runner, turn_ns: int) -> None:
        """Synchronous inferences one after another, but for the probes between stretches."""
        self._settle(runner)
        clock, step, index = time.perf_counter_ns, runner.step, self.started
        played_ns, probed = 0, self._probed()
        runtime_ms: list[float | None] = []
        while played_ns < turn_ns:
            latencies: list[int] = []
            begun = before = clock()
            end = begun + STRETCH_NS
            while before < end:
                runtime_ms.append(step(index))
                now = clock()
                latencies.append(now - before)
                before = now
                index += 1
            last, probed = probed, self._probed()
            self._keep(before - begun, latencies, last + probed)
            played_ns += before - begun
        self.started = index
        self.runtime_ms += [latency for latency in runtime_ms if latency is not None]

    def _in_flight(self, runner: Runner, turn_ns: int) -> None:
        """Asynchronous inferences; timed are those that end while the queue is full, from one end to another."""
        clock, step, ended, index = time.perf_counter_ns, runner.step, runner.ended, self.started
        assert ended is not None  # noqa: S101 - such a runner was chosen
        ended.clear()
        probed = self._probed()
        settled = clock() + SETTLING_NS
        while clock() < settled or len(ended) < runner.depth:
            step(index)
            index += 1
        first, begun = len(ended), max(ended)[0]
        while clock() < begun + turn_ns or len(ended) < first + runner.depth:
            step(index)
            index += 1
        ends = sorted(ended)
        ends = ends[: first + (len(ends) - first) // runner.depth * runner.depth]  # they may end all at once
        runner.finish()
        self.started = index
        latencies = [latency for _, latency in ends[first:]]
        self.runtime_ms += [latency / NS_PER_MS for latency in latencies]
        self._keep(ends[-1][0] - ends[first - 1][0], latencies, probed + self._probed())


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)  # all is written, and the libraries' own tear-down takes up to half a second
