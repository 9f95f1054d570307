"""CPU time by CPU, as the kernel's clock counts it. Knows /proc/stat."""

import os
from dataclasses import dataclass
from pathlib import Path

from farm.host.topology import text

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


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
