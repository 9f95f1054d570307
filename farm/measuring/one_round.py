"""One round: a script for a fresh interpreter that imports only what it needs, and infers when it is its turn.

Run as ``python -P -m farm.measuring.one_round REQUEST.json ANSWER.npz SOCKET`` with its affinity mask set; SOCKET is
the number of an inherited descriptor, over which 8-byte integers go to and fro (`farm.measuring.running` has the other
end): it says 0 when the model is compiled, and each number that it hears is a turn of so many nanoseconds, the first of
them to warm up. When a turn is over it says what an inference took, in nanoseconds; a turn of 0 ends the round. The
answer holds every timed latency, the turns' wall times, the properties read back, and what the process used meanwhile.
Judges nothing.
"""

import ctypes
import json
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
from farm.measuring.request import RoundRequest
from farm.measuring.runner import NS_PER_MS, PRECISION, STREAMS, THREADS, Runner, runner_of

WORD = struct.Struct("<q")
PR_SET_PDEATHSIG = 1
SETTLING_NS = 5_000_000  # of a turn before its clock runs: what the other left in caches and predictors has to go
STEADY = 0.03  # two windows of warm-up whose mean times differ by no more
WINDOWS = 3  # of warm-up at least
MOST_WINDOWS = 30
LEAST_IN_WINDOW = 5


def main() -> None:
    """Compile, take turns, answer."""
    leave_with_conductor()
    request = decode(RoundRequest, json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    sys.path[:0] = request.python_path
    runner, turns = runner_of(request, np.load(request.images)), Turns()
    with socket.socket(fileno=int(sys.argv[3])) as conductor:
        say(conductor, 0)
        heard(conductor)
        warmup = warm_up(runner, request.warmup_seconds)
        say(conductor, warmup.each_ns * runner.depth)
        while turn_ns := heard(conductor):
            say(conductor, turns.take(runner, turn_ns))
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
        inferences, wall_ns, latencies_ns = turns.arrays()
        np.savez(
            sys.argv[2], facts=json.dumps(facts), inferences=inferences, wall_ns=wall_ns, latencies_ns=latencies_ns
        )
        say(conductor, 0)


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


def say(conductor: socket.socket, word: int) -> None:
    """Tell the conductor a number."""
    conductor.sendall(WORD.pack(word))


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
    total, before_ns, each_ns = 0, 0.0, 0.0
    for number in range(1, MOST_WINDOWS + 1):
        count, spent_ns = window(runner, seconds / WINDOWS)
        total += count
        each_ns = spent_ns / count
        if number >= WINDOWS and abs(each_ns - before_ns) <= STEADY * before_ns:
            return Warmup(inferences=total, steady=True, each_ns=int(each_ns))
        before_ns = each_ns
    return Warmup(inferences=total, steady=False, each_ns=int(each_ns))


def window(runner: Runner, seconds: float) -> tuple[int, int]:
    """How many inferences so many seconds take, five at least, and how many nanoseconds they took."""
    clock = time.perf_counter_ns
    begun, count = clock(), 0
    while clock() - begun < seconds * 1e9 or count < LEAST_IN_WINDOW:
        runner.step(count)
        count += 1
    runner.finish()
    return count, clock() - begun


@dataclass(slots=True)
class Turns:
    """The turns so far: of each its wall time and its latencies, in ns. runtime_ms: what the runtime itself tells.

    own: what the process had used before and after each, for it waits when it has no turn.
    """

    wall_ns: list[int] = field(default_factory=list)
    latencies_ns: list[list[int]] = field(default_factory=list)
    runtime_ms: list[float] = field(default_factory=list)
    own: list[tuple[signals.Own, signals.Own]] = field(default_factory=list)
    started: int = 0  # inferences, timed or not

    def take(self, runner: Runner, turn_ns: int) -> int:
        """A turn of so long at least; gives what an inference took."""
        way = self._one_by_one if runner.ended is None else self._in_flight
        before = signals.read_own()
        latencies, wall_ns = way(runner, turn_ns)
        self.own.append((before, signals.read_own()))
        self.wall_ns.append(wall_ns)
        self.latencies_ns.append(latencies)
        return wall_ns // len(latencies)

    def arrays(self) -> tuple[NDArray[np.int64], ...]:
        """How many inferences each turn timed, its wall time, and all latencies of all turns; in ns."""
        counts = [len(turn) for turn in self.latencies_ns]
        flat = [latency for turn in self.latencies_ns for latency in turn]
        return tuple(np.asarray(values, dtype=np.int64) for values in (counts, self.wall_ns, flat))

    def _one_by_one(self, runner: Runner, turn_ns: int) -> tuple[list[int], int]:
        """Synchronous inferences one after another."""
        clock, step, index = time.perf_counter_ns, runner.step, self.started
        latencies: list[int] = []
        runtime_ms: list[float | None] = []
        settled = clock() + SETTLING_NS
        while (before := clock()) < settled or index == self.started:
            step(index)
            index += 1
        begun = before
        end = begun + turn_ns
        while before < end:
            runtime_ms.append(step(index))
            now = clock()
            latencies.append(now - before)
            before = now
            index += 1
        self.started = index
        self.runtime_ms += [latency for latency in runtime_ms if latency is not None]
        return latencies, before - begun

    def _in_flight(self, runner: Runner, turn_ns: int) -> tuple[list[int], int]:
        """Asynchronous inferences; timed are those that end while the queue is full, from one end to another."""
        clock, step, ended, index = time.perf_counter_ns, runner.step, runner.ended, self.started
        assert ended is not None  # noqa: S101 - such a runner was chosen
        ended.clear()
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
        return latencies, ends[-1][0] - ends[first - 1][0]


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)  # all is written, and the libraries' own tear-down takes up to half a second
