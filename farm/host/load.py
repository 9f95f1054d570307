"""How busy a host is: CPU time by CPU, as /proc/stat counts it, and the busiest programs. Imported by rounds, so small.

The scheduler's clock ticks a hundred times a second, so half a second tells a busy share to about 2 %.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from farm.host.topology import text

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.5
PROGRAMS = 3  # so many of the busiest are named
WORTH_NAMING = 0.05  # CPUs; what is less disturbs nobody

Processes = Mapping[int, tuple[str, float]]  # process id -> its program's name, seconds of CPU time until now


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTime:
    """CPU time since boot by kind, in ticks. idle: also while it waited for a disk."""

    busy: int
    idle: int
    steal: int

    @property
    def stolen(self) -> float:
        """Which share of the time that it was wanted a virtual CPU did not get."""
        return self.steal / max(1, self.busy + self.steal)


def cpu_times(proc: Path) -> dict[str, CpuTime]:
    """The lines of /proc/stat: ``"cpu"`` for all since boot, ``"cpu0"``, ``"cpu1"``, ...; empty if there are none."""
    times = {}
    for line in text(proc / "stat").splitlines():
        if line.startswith("cpu"):
            name, *counts = line.split()
            user, nice, system, idle, iowait, irq, softirq, steal = (*map(int, counts[:8]), *[0] * 8)[:8]
            times[name] = CpuTime(busy=user + nice + system + irq + softirq, idle=idle + iowait, steal=steal)
    return times


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """busy: how many CPUs were busy. programs: the busiest, as "name (CPUs)"."""

    busy: float
    programs: tuple[str, ...]


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
