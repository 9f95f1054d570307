"""The physical cores that this process may use, from sysfs, its own mask and its cgroup.

Knows files under /sys and /proc, given as arguments; not `lscpu`, not `os.cpu_count`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

SYSFS = Path("/sys")
CGROUP_OF_SELF = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Core:
    """A physical core: its NUMA node and its logical CPUs (SMT siblings) inside the mask."""

    node: int
    cpus: tuple[int, ...]


def usable_cores(sysfs: Path = SYSFS, mask: frozenset[int] | None = None) -> tuple[Core, ...]:
    """Every physical core with a logical CPU in the mask, by NUMA node. mask: this process's own by default."""
    allowed = mask if mask is not None else frozenset(os.sched_getaffinity(0))
    nodes = _node_of_cpus(sysfs)
    found = set()
    for cpu in allowed:
        siblings = _siblings(sysfs, cpu) & allowed
        found.add(Core(node=nodes.get(cpu, 0), cpus=tuple(sorted(siblings | {cpu}))))
    return tuple(sorted(found))


def leasable_count(cores: tuple[Core, ...], quota: float | None) -> int:
    """How many cores may be busy at once: no more than the cgroup's CPU quota pays for, at least one."""
    return len(cores) if quota is None else max(1, min(len(cores), int(quota)))


def cpu_quota(sysfs: Path = SYSFS, cgroup_of_self: Path = CGROUP_OF_SELF) -> float | None:
    """The smallest CPU quota (in CPUs) of this process's cgroup (v2) and its parents; None if unlimited."""
    root = sysfs / "fs" / "cgroup"
    relative = _own_cgroup(cgroup_of_self)
    if relative is None:
        return None
    folders = [root / relative, *(root / parent for parent in Path(relative).parents)]
    quotas = [quota for folder in folders if (quota := _quota_of(folder)) is not None]
    return min(quotas, default=None)


def _siblings(sysfs: Path, cpu: int) -> frozenset[int]:
    path = sysfs / f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
    return parse_cpu_list(path.read_text()) if path.exists() else frozenset({cpu})


def _node_of_cpus(sysfs: Path) -> dict[int, int]:
    found = {}
    for folder in sorted((sysfs / "devices/system/node").glob("node[0-9]*")):
        for cpu in parse_cpu_list((folder / "cpulist").read_text()):
            found[cpu] = int(folder.name.removeprefix("node"))
    return found


def parse_cpu_list(text: str) -> frozenset[int]:
    """The kernel's list format: ``"0-2,8"`` is {0, 1, 2, 8}."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _own_cgroup(cgroup_of_self: Path) -> str | None:
    if not cgroup_of_self.exists():
        return None
    for line in cgroup_of_self.read_text().splitlines():
        if line.startswith("0::"):
            return line.removeprefix("0::").lstrip("/")
    return None


def _quota_of(folder: Path) -> float | None:
    path = folder / "cpu.max"
    if not path.exists():
        return None
    quota, _, period = path.read_text().strip().partition(" ")
    return None if quota == "max" else int(quota) / int(period)
