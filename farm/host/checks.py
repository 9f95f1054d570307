"""Whether a host is fit for measurements: what disturbs them there, and what to change.

The checks of the processor are in processor.py; here are those of what this process gets of the host.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from farm.errors import InputError
from farm.host import processor
from farm.host.check import CheckResult, Host, bad, count, doubtful, good, not_shown, user_name
from farm.host.lease import lock_folder
from farm.host.load import cpu_times, sample
from farm.host.topology import cpu_list, cpu_quota, leasable_count, parse_cpu_list, text, throttled_usec, usable_cores

STAGES_GIB, LEAST_GIB = 4.0, 1.5  # what stages may take; what importing their libraries and a small model takes
STEAL = 0.01  # a share of the time that a virtual machine wanted
IDLE_CPUS, BUSY_SHARE = 0.1, 0.5  # a system's own background; from half of the CPUs on, none is left to itself
DMI_WORDS = ("KVM", "QEMU", "VMware", "VirtualBox", "Virtual Machine", "HVM domU", "Google Compute", "Amazon EC2")
SHARED_LOCKS = "/var/lib/farm-locks"


def run_checks(host: Host) -> tuple[CheckResult, ...]:
    """What every check says, in the order of CHECKS; of isolated CPUs only where there are any."""
    return tuple(result for check in CHECKS if (result := check(host)) is not None)


def affinity(host: Host) -> CheckResult:
    """Which CPUs this process may use, of those that are online."""
    online = parse_cpu_list(text(host.cpu / "online"))
    allowed = f"this process may use {count(len(host.mask), 'CPU')} ({cpu_list(host.mask)})"
    if not online:
        return not_shown("affinity mask", f"{allowed}, of an unknown number")
    says = f"{allowed} of the host's {len(online)}"
    if len(usable_cores(host.sysfs, online)) == 1:
        says = f"{says}: on the only core, whatever else runs interrupts measurements"
        return doubtful("affinity mask", says, "give this machine a second core")
    return good("affinity mask", says)


def quota(host: Host) -> CheckResult:
    """A CPU quota stops a process for the rest of a period (mostly 100 ms) once it is used up."""
    group = host.proc / "self/cgroup"
    if not text(group):
        return not_shown("CPU quota", "it may stop measurements")
    limit, cores = cpu_quota(host.sysfs, group), usable_cores(host.sysfs, host.mask)
    if limit is None:
        return good("CPU quota", "none")
    if limit >= len(cores):
        return good("CPU quota", f"{limit:g}, enough for {count(len(cores), 'core')}")
    says = f"{limit:g} for {count(len(cores), 'core')}"
    lent = cores[: leasable_count(cores, limit)]
    cpus = cpu_list([cpu for core in lent for cpu in core.cpus])
    change = f"docker run --cpuset-cpus={cpus} in place of --cpus={limit:g}"
    if held_s := throttled_usec(host.sysfs, group) / 1e6:
        says = f"{says}, held back for {held_s:.1f} s so far"
    if limit < 1:
        return bad("CPU quota", f"{says}: one busy thread is stopped in each period", change)
    says = f"{says}: farm leases {len(lent)}, and what runs beside it in the container can have it stopped"
    return doubtful("CPU quota", says, change)


def memory(host: Host) -> CheckResult:
    """What stages can take before the kernel ends one of them."""
    entries = _meminfo(host.proc)
    if "MemAvailable" not in entries:
        return not_shown("memory", f"stages need {LEAST_GIB} to {STAGES_GIB} GiB")
    limits = [text(host.sysfs / "fs/cgroup" / file) for file in ("memory.max", "memory/memory.limit_in_bytes")]
    limit = min((int(limit) / 2**30 for limit in limits if limit.isdecimal()), default=float("inf"))
    available = entries["MemAvailable"] / 2**20
    says, change = f"{available:.1f} GiB available", "end other programs"
    if limit < available:
        available, change = limit, "docker run --memory=8g"
        says = f"{says}, {limit:.1f} GiB allowed to this container"
    if available >= STAGES_GIB:
        return good("memory", says)
    if available >= LEAST_GIB:
        return doubtful("memory", f"{says}: stages of large models need {STAGES_GIB:g} GiB", change)
    return bad("memory", f"{says}: stages need at least {LEAST_GIB} GiB", change)


def swap(host: Host) -> CheckResult:
    """A page that was swapped out comes back from a disk, in the middle of a measurement."""
    entries = _meminfo(host.proc)
    if not {"SwapTotal", "SwapFree"} <= set(entries):
        return not_shown("swap", "memory may lie on a disk")
    if used := entries["SwapTotal"] - entries["SwapFree"]:
        return doubtful("swap", f"{used / 2**10:.1f} MiB in use: memory comes back slowly", "sudo swapoff -a")
    return good("swap", "none in use")


def locks(host: Host) -> CheckResult:
    """Leases keep two farms off the same cores, if both look into the same folder."""
    try:
        folder = lock_folder()
    except InputError as error:
        return bad("lock folder", str(error), "export FARM_LOCKS=FOLDER")
    status, others = folder.stat(), sorted(host.users())
    says = f"{folder}, of {user_name(status.st_uid)}, mode {stat.S_IMODE(status.st_mode):o}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return bad("lock folder", f"{says}: no core can be leased without writing there", f"sudo chmod 1777 {folder}")
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        return doubtful("lock folder", f"{says}: any user can remove others' locks", f"sudo chmod 1777 {folder}")
    if others and not status.st_mode & (stat.S_IWOTH | stat.S_IWGRP):
        change = f"sudo install -d -m 1777 {SHARED_LOCKS}; then, every user: export FARM_LOCKS={SHARED_LOCKS}"
        return doubtful("lock folder", f"{says}: the leases of {', '.join(others)} are not seen", change)
    return good("lock folder", says)


def virtual(host: Host) -> CheckResult:
    """Neighbours on the physical host take time from a virtual machine: the kernel sees it as steal."""
    cpuinfo = text(host.proc / "cpuinfo")
    dmi = " ".join(text(host.sysfs / "class/dmi/id" / file) for file in ("sys_vendor", "product_name")).strip()
    time = cpu_times(host.proc).get("cpu")
    if not (cpuinfo or dmi) or time is None:
        return not_shown("virtual machine", "neighbours may take CPU time")
    flags = {flag for line in cpuinfo.splitlines() if line.startswith("flags") for flag in line.split()}
    named = any(word in dmi for word in DMI_WORDS) and "metal" not in dmi
    if not ("hypervisor" in flags or named or text(host.sysfs / "hypervisor/type")):
        return good("virtual machine", "no: nobody else has a share in this host's cores")
    says = f"yes: {time.stolen:.1%} of the CPU time that it wanted since boot went to neighbours (steal)"
    if time.stolen > STEAL:
        return doubtful("virtual machine", says, "use a dedicated or bare-metal instance, or one with pinned CPUs")
    return good("virtual machine", f"{says}; their use of caches and memory is not seen")


def load(host: Host) -> CheckResult:
    """What other programs do on the mask's CPUs now, and (by the load average) did in the last minute."""
    now, averages = sample(host.proc, host.mask, host.sleep, host.processes), text(host.proc / "loadavg").split()
    if now is None or not averages:
        return not_shown("load", "other programs may be busy")
    says = f"{now.busy:.1f} of {count(len(host.mask), 'CPU')} busy now, load average {averages[0]}"
    if now.programs:
        says = f"{says}, busiest: {', '.join(now.programs)}"
    if now.busy >= BUSY_SHARE * len(host.mask):
        return bad("load", says, "end other programs")
    if now.busy > IDLE_CPUS:
        return doubtful("load", says, "end other programs")
    online = parse_cpu_list(text(host.cpu / "online")) or host.mask
    if float(averages[0]) >= BUSY_SHARE * len(online):
        return doubtful("load", says, "see what comes and goes (top), or wait a minute")
    return good("load", says)


def delays(host: Host) -> CheckResult:
    """By the scheduler's delays, a measurement knows for how long other programs kept it waiting."""
    if text(host.proc / "self/schedstat"):
        return good("scheduler delays", "shown: what other programs take from a measurement is seen exactly")
    return not_shown("scheduler delays", "what other programs take from a measurement is seen less exactly")


def _meminfo(proc: Path) -> dict[str, int]:
    lines = [line.replace(":", " ").split() for line in text(proc / "meminfo").splitlines()]
    return {name: int(number) for name, number, *_ in lines}


CHECKS: tuple[Callable[[Host], CheckResult | None], ...] = (
    processor.governor,
    processor.turbo,
    processor.throttling,
    processor.smt,
    processor.kinds,
    processor.instructions,
    affinity,
    processor.isolated,
    quota,
    memory,
    swap,
    locks,
    virtual,
    load,
    delays,
)
