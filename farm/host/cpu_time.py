"""CPU time by CPU, as the kernel's clock counts it. Knows /proc/stat."""

import os
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks:
    """CPU time since boot by kind, in ticks. idle: also while it waited for a disk."""

    busy: int
    idle: int
    steal: int

    @property
    def stolen(self) -> float:
        """Which share of the time that it was wanted a virtual CPU did not get."""
        return self.steal / max(1, self.busy + self.steal)


def cpu_ticks(proc: Path) -> dict[str, Ticks]:
    """The lines of /proc/stat: ``"cpu"`` for all since boot, ``"cpu0"``, ``"cpu1"``, ...; empty if there are none."""
    path, found = proc / "stat", {}
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.startswith("cpu"):
            name, *counts = line.split()
            user, nice, system, idle, iowait, irq, softirq, steal = (*map(int, counts[:8]), *[0] * 8)[:8]
            found[name] = Ticks(busy=user + nice + system + irq + softirq, idle=idle + iowait, steal=steal)
    return found
