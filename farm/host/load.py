"""How busy a host is at this moment, and with what. Knows /proc/stat and processes, not what is good or bad.

The scheduler's clock ticks a hundred times a second, so half a second tells a busy share to about 2 %.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from farm.host.cpu_time import CpuTime, cpu_times

SAMPLE_S = 0.5
PROGRAMS = 3  # so many of the busiest are named
WORTH_NAMING = 0.05  # CPUs; what is less disturbs nobody

Processes = Mapping[int, tuple[str, float]]  # process id -> its program's name, seconds of CPU time until now


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """busy: how many CPUs were busy. programs: the busiest, as "name (CPUs)"."""

    busy: float
    programs: tuple[str, ...]


def other_processes() -> Processes:
    """All processes but this one, as far as the system tells of them."""
    us, others = os.getpid(), {}
    for process in psutil.process_iter(["name", "cpu_times"]):
        times = process.info["cpu_times"]  # None where it is not ours to know
        if process.pid != us and times is not None:
            others[process.pid] = (str(process.info["name"]), float(times.user + times.system))
    return others


def sample(
    proc: Path, cpus: frozenset[int], sleep: Callable[[float], None], processes: Callable[[], Processes]
) -> Load | None:
    """How busy these CPUs are while this process sleeps; None if the host does not show it."""
    programs = processes()
    before = cpu_times(proc)
    sleep(SAMPLE_S)
    after = cpu_times(proc)
    seen = [f"cpu{cpu}" for cpu in cpus if f"cpu{cpu}" in before and f"cpu{cpu}" in after]
    if not seen:
        return None
    busy = sum(_busy_share(before[name], after[name]) for name in seen)
    return Load(busy=busy, programs=_busiest(programs, processes()))


def _busy_share(before: CpuTime, after: CpuTime) -> float:
    busy = after.busy - before.busy
    return busy / max(1, busy + after.idle - before.idle + after.steal - before.steal)


def _busiest(before: Processes, after: Processes) -> tuple[str, ...]:
    """The programs that used most CPU time between; one that has just started counts from its start."""
    used = [((s - before.get(pid, ("", 0.0))[1]) / SAMPLE_S, name) for pid, (name, s) in after.items()]
    most = sorted((program for program in used if program[0] >= WORTH_NAMING), reverse=True)[:PROGRAMS]
    return tuple(f"{name} ({cpus:.1f})" for cpus, name in most)
