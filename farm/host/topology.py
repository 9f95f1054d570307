"""The physical cores that this process may use, from sysfs, its own mask and its cgroup.

Knows files under /sys and /proc, given as arguments; not `lscpu`, not `os.cpu_count`.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

SYSFS = Path("/sys")
CGROUP_OF_SELF = Path("/proc/self/cgroup")
CONTROLLER_MOUNTS = ("cpu", "cpu,cpuacct", "cpuacct,cpu")  # of cgroup v1; distributions name it differently


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Core:
    """A physical core; performance cores sort first, then by NUMA node and CPUs.

    efficient: an efficiency core of a host that also has faster ones. node: its NUMA node. cpus: its logical CPUs (SMT
    siblings) inside the mask. outside: those outside the mask.
    """

    efficient: bool = False
    node: int
    cpus: tuple[int, ...]
    outside: tuple[int, ...] = field(default=(), compare=False)

    @property
    def name(self) -> int:
        """Its lowest logical CPU, in the mask or not: what processes under other masks call it too."""
        return min(self.cpus + self.outside)


def usable_cores(sysfs: Path = SYSFS, mask: frozenset[int] | None = None) -> tuple[Core, ...]:
    """Every physical core with a logical CPU in the mask, performance cores first, then by NUMA node.

    mask: this process's own by default, which lies inside its cgroup's cpuset already (the kernel keeps it
    there: sched_setaffinity(2)), so that no cpuset file is read. CPUs of the mask that are offline are left out.
    """
    allowed = mask if mask is not None else frozenset(os.sched_getaffinity(0))
    online = frozenset(cpu for cpu in allowed if (_cpu_folder(sysfs, cpu) / "topology").exists())
    allowed = online or allowed  # an offline CPU has no such folder; no CPU has one where no topology is told
    nodes, efficient = _node_of_cpus(sysfs), _efficient(sysfs, allowed)
    cores = set()
    for cpu in allowed:
        siblings = _siblings(sysfs, cpu) | {cpu}
        inside, outside = (tuple(sorted(part)) for part in (siblings & allowed, siblings - allowed))
        cores.add(Core(efficient=cpu in efficient, node=nodes.get(cpu, 0), cpus=inside, outside=outside))
    return tuple(sorted(cores))


def measurable(cores: tuple[Core, ...]) -> tuple[Core, ...]:
    """The cores that a measurement may run on: those of one kind, performance cores where there are any."""
    return tuple(core for core in cores if not core.efficient) or cores


def siblings_outside(cpus: Collection[int], sysfs: Path = SYSFS) -> tuple[int, ...]:
    """The SMT siblings of these logical CPUs that are not among them: whatever runs there slows what runs here."""
    siblings = {sibling for cpu in cpus for sibling in _siblings(sysfs, cpu)}
    return tuple(sorted(siblings.difference(cpus)))


def leasable_count(cores: tuple[Core, ...], quota: float | None) -> int:
    """How many cores may be busy at once: no more than the cgroup's CPU quota pays for, at least one."""
    return len(cores) if quota is None else max(1, min(len(cores), int(quota)))


def cpu_quota(sysfs: Path = SYSFS, cgroup_of_self: Path = CGROUP_OF_SELF) -> float | None:
    """The smallest CPU quota (in CPUs) of this process's cgroup (v1 or v2) and its parents; None if unlimited."""
    folders = _own_cgroups(sysfs, cgroup_of_self)
    return min((quota for folder in folders if (quota := _quota_of(folder)) is not None), default=None)


def throttled_usec(sysfs: Path = SYSFS, cgroup_of_self: Path = CGROUP_OF_SELF) -> int:
    """Microseconds for which a CPU quota has held back this process's cgroup or a parent, since they were made.

    The sum over the groups: a difference of two readings is more than 0 whichever was held back. 0 without a quota.
    From the kernel's documentation, `cpu.stat` of cgroup v2 and of the CFS bandwidth control (v1, nanoseconds).
    """
    return sum(_throttled_usec_of(folder) for folder in _own_cgroups(sysfs, cgroup_of_self))


def cpu_list(cpus: Collection[int]) -> str:
    """The kernel's list format, which taskset and docker take too: {0, 1, 2, 8} is ``"0-2,8"``."""
    starts = [cpu for cpu in sorted(cpus) if cpu - 1 not in cpus]
    ends = [cpu for cpu in sorted(cpus) if cpu + 1 not in cpus]
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def parse_cpu_list(text: str) -> frozenset[int]:
    """The kernel's list format: ``"0-2,8"`` is {0, 1, 2, 8}."""
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return frozenset(cpus)


def _cpu_folder(sysfs: Path, cpu: int) -> Path:
    return sysfs / f"devices/system/cpu/cpu{cpu}"


def _siblings(sysfs: Path, cpu: int) -> frozenset[int]:
    return parse_cpu_list(text(_cpu_folder(sysfs, cpu) / "topology/thread_siblings_list")) or frozenset({cpu})


def _node_of_cpus(sysfs: Path) -> dict[int, int]:
    nodes = {}
    for folder in sorted((sysfs / "devices/system/node").glob("node[0-9]*")):
        for cpu in parse_cpu_list(text(folder / "cpulist")):
            nodes[cpu] = int(folder.name.removeprefix("node"))
    return nodes


def _efficient(sysfs: Path, cpus: frozenset[int]) -> frozenset[int]:
    """Which of these CPUs are slower by design: by Intel's lists, else by their capacity (arm64).

    Capacities differ among Intel's performance cores too, and by firmware among cores that are alike: one counts as
    smaller if the largest exceeds it by more than 5 %, as in the kernel (`capacity_greater` in kernel/sched/fair.c).
    """
    lists = {kind: sysfs / "devices" / kind / "cpus" for kind in ("cpu_core", "cpu_atom", "cpu_lowpower")}
    if any(path.exists() for path in lists.values()):
        return cpus & (parse_cpu_list(text(lists["cpu_atom"])) | parse_cpu_list(text(lists["cpu_lowpower"])))
    texts = {cpu: text(_cpu_folder(sysfs, cpu) / "cpu_capacity") for cpu in cpus}
    capacities = {cpu: int(capacity) for cpu, capacity in texts.items() if capacity}
    most = max(capacities.values(), default=0)
    return frozenset(cpu for cpu, capacity in capacities.items() if most * 1024 > capacity * 1078)


def _own_cgroups(sysfs: Path, cgroup_of_self: Path) -> list[Path]:
    """The folders of this process's cgroup and its parents, in the hierarchies that may hold a CPU quota.

    A line is ``"0::/a/b"`` for v2 and ``"4:cpu,cpuacct:/a/b"`` for v1. Inside a container the path is often
    the host's and leads nowhere; the mount's root, the last of the parents, is then the container's own group.
    """
    root = sysfs / "fs" / "cgroup"
    folders: list[Path] = []
    for line in text(cgroup_of_self).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mounts = [root, root / "unified"]  # the latter where v1 has the controllers (a hybrid mount)
        elif "cpu" in controllers.split(","):
            mounts = [root / name for name in CONTROLLER_MOUNTS if (root / name).exists()][:1]  # the rest are links
        else:
            continue
        relative = Path(path.lstrip("/"))
        folders += [mount / part for mount in mounts for part in (relative, *relative.parents)]
    return folders


def _quota_of(folder: Path) -> float | None:
    if limit := text(folder / "cpu.max"):
        quota, period = limit.split()
        return None if quota == "max" else int(quota) / int(period)
    quota_us = int(text(folder / "cpu.cfs_quota_us") or -1)  # -1: unlimited
    return None if quota_us < 0 else quota_us / int(text(folder / "cpu.cfs_period_us"))


def _throttled_usec_of(folder: Path) -> int:
    entries = dict(line.split(" ", 1) for line in text(folder / "cpu.stat").splitlines())
    return int(entries.get("throttled_usec", 0)) + int(entries.get("throttled_time", 0)) // 1000


def text(path: Path) -> str:
    """A file's text; none of one that is not there, or not for us to read (a cgroup may be gone meanwhile)."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
