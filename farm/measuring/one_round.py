"""One round: a script for a fresh interpreter that imports only what it needs.

Run as ``python -P -m farm.measuring.one_round REQUEST.json ANSWER.npz`` with its affinity mask set. The answer holds
every latency of the timed loop in nanoseconds, the loop's wall time, the properties read back, and what the
host says of the time in between. Judges nothing.
"""

import json
import os
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from statistics import median

import numpy as np

from farm.codec import decode
from farm.measuring import signals
from farm.measuring.request import RoundRequest
from farm.measuring.runner import NS_PER_MS, PRECISION, STREAMS, THREADS, Runner, runner_of

STEADY = 0.03  # two windows of warm-up whose mean times differ by no more
WINDOWS = 3  # of warm-up at least
MOST_WINDOWS = 30
LEAST_IN_WINDOW = 5


def main() -> None:
    """Compile, warm up, time, answer."""
    request = decode(RoundRequest, json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    sys.path[:0] = request.python_path
    runner = runner_of(request, np.load(request.images))
    warmup_inferences, steady = warm_up(runner, request.warmup_seconds)
    before = signals.read(request.cpus)
    latencies, wall_ns, runtime_ms = (_in_flight if runner.taken else _one_by_one)(runner, request)
    after = signals.read(request.cpus)
    properties = runner.properties
    answer = {
        "runtime": request.runtime,
        "batch": request.device.batch,
        "inferences": len(latencies),
        "wall_ns": wall_ns,
        "synchronous": runner.taken is None,
        "request_p50_ns": runtime_ms and runtime_ms * NS_PER_MS,
        "warmup_inferences": warmup_inferences,
        "steady": steady,
        "threads": int(properties.get(THREADS, 0)),
        "streams": int(properties.get(STREAMS, 0)),
        "precision": properties.get(PRECISION, ""),
        "properties": json.dumps(properties, sort_keys=True),
        "stray_cpus": stray_cpus(request.cpus),
        **signals.between(before, after, len(request.cpus)),
    }
    np.savez(sys.argv[2], answer=json.dumps(answer), latencies_ns=np.asarray(latencies, dtype=np.int64))


def stray_cpus(leased: Collection[int]) -> list[int]:
    """CPUs outside the lease that some thread of this process is allowed on."""
    allowed: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # a thread that has just ended
            allowed |= os.sched_getaffinity(int(task.name))
    return sorted(allowed.difference(leased))


def warm_up(runner: Runner, seconds: float) -> tuple[int, bool]:
    """Untimed inferences for so long at least, and until two windows in a row take the same time.

    Returns how many there were, and whether they became steady before ten times as long.
    """
    total, before_ns = 0, 0.0
    for number in range(1, MOST_WINDOWS + 1):
        count, spent_ns = window(runner, seconds / WINDOWS)
        total += count
        each_ns = spent_ns / count
        if number >= WINDOWS and abs(each_ns - before_ns) <= STEADY * before_ns:
            return total, True
        before_ns = each_ns
    return total, False


def window(runner: Runner, seconds: float) -> tuple[int, int]:
    """How many inferences so many seconds take, five at least, and how many nanoseconds they took."""
    clock = time.perf_counter_ns
    begun, count = clock(), 0
    while clock() - begun < seconds * 1e9 or count < LEAST_IN_WINDOW:
        runner.step(count)
        count += 1
    runner.finish()
    return count, clock() - begun


def _one_by_one(runner: Runner, request: RoundRequest) -> tuple[list[int], int, float | None]:
    """Synchronous inferences one after another: the latency of each and the wall time of all, in ns.

    Last, the median in ms of what the runtime itself tells: without the call from Python.
    """
    clock, step = time.perf_counter_ns, runner.step
    latencies: list[int] = []
    runtime_ms: list[float | None] = []
    least, begun = request.min_inferences, clock()
    end, before = begun + int(request.min_seconds * 1e9), begun
    while before < end or len(latencies) < least:
        runtime_ms.append(step(len(latencies)))
        now = clock()
        latencies.append(now - before)
        before = now
    given = [latency for latency in runtime_ms if latency is not None]
    return latencies, before - begun, median(given) if given else None


def _in_flight(runner: Runner, request: RoundRequest) -> tuple[list[int], int, float | None]:
    """Asynchronous inferences: the latency of each, from its start to its end, and the wall time of all, in ns."""
    assert runner.taken is not None  # noqa: S101 - such a runner was chosen
    clock, step = time.perf_counter_ns, runner.step
    runner.taken()
    least, begun, started = request.min_inferences, clock(), 0
    end = begun + int(request.min_seconds * 1e9)
    while clock() < end or started < least:
        step(started)
        started += 1
    runner.finish()
    wall_ns = clock() - begun
    latencies = runner.taken()
    return latencies, wall_ns, median(latencies) / NS_PER_MS


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)  # all is written, and the libraries' own tear-down takes up to half a second
