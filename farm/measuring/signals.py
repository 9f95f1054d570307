"""What else went on while a pair played: steal, other programs, throttling. Knows /proc and /sys.

The conductor reads the counters of the leased CPUs before the first turn and after the last, and each round its own;
the differences are what may have disturbed the pair. Never looks at the latencies themselves. The clock of /proc/stat
ticks a hundred times a second; what the scheduler and getrusage say is exact to the nanosecond.
"""

import math
import resource
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from farm.host.load import TICK_S, cpu_times
from farm.host.topology import CGROUP_OF_SELF, SYSFS, siblings_outside, throttled_usec

PROC = Path("/proc")
TICK_ERROR = 1.25  # three standard deviations of the difference of two rounded-down counts, in ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What a process used until now, in seconds. used_s: CPU time of all its threads; delayed_s: of each."""

    used_s: float
    delayed_s: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The counters of the leased CPUs at one moment. Times are seconds since some start.

    idle_s: of all of them; steal_s: of each. siblings_s: of each sibling thread that is not leased.
    """

    at_s: float
    idle_s: float
    steal_s: Mapping[str, float]
    siblings_s: Mapping[str, float]
    throttled_s: float
    overheated: int
    mhz: float | None


def read_own(proc: Path = PROC) -> Own:
    """What this process used until now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Own(used_s=used.ru_utime + used.ru_stime, delayed_s=_delayed_s(proc))


def read(
    cpus: Collection[int], proc: Path = PROC, sysfs: Path = SYSFS, cgroup_of_self: Path = CGROUP_OF_SELF
) -> Reading:
    """The counters of the leased CPUs now: some small files a CPU."""
    ticks = cpu_times(proc)
    both = (cpus, siblings_outside(cpus, sysfs))
    leased, beside = ({name: ticks[name] for cpu in some if (name := f"cpu{cpu}") in ticks} for some in both)
    khz = _numbers(sysfs, cpus, "cpufreq/scaling_cur_freq")
    return Reading(
        at_s=time.perf_counter(),
        idle_s=sum(spent.idle for spent in leased.values()) * TICK_S,
        steal_s={name: spent.steal * TICK_S for name, spent in leased.items()},
        siblings_s={name: spent.busy * TICK_S for name, spent in beside.items()},
        throttled_s=throttled_usec(sysfs, cgroup_of_self) / 1e6,
        overheated=sum(_numbers(sysfs, cpus, "thermal_throttle/core_throttle_count")),
        mhz=sum(khz) / len(khz) / 1000 if khz else None,
    )


def of_own(spans: Sequence[tuple[Own, Own]]) -> dict[str, float]:
    """What a round used: columns of `farm.measuring.round.Round`. spans: its turns, each between two readings.

    used_s: from the first to the last. delayed_s: within them, of the thread that waited longest.
    """
    delayed_s: Counter[str] = Counter()
    for before, after in spans:
        delayed_s.update({name: value - before.delayed_s.get(name, 0.0) for name, value in after.delayed_s.items()})
    used_s = spans[-1][1].used_s - spans[0][0].used_s if spans else 0.0
    return {"used_s": used_s, "delayed_s": max(delayed_s.values(), default=0.0)}


def between(before: Reading, after: Reading, cpus: int, used_s: float) -> dict[str, float | None]:
    """What went on between two readings of so many leased CPUs: columns of `farm.measuring.round.Round`.

    used_s: CPU time of farm's own processes there. Inferences wait for the slowest of their threads, so the worst of
    several counters is what counts. foreign_s: CPU time on all leased CPUs that was not farm's, beyond what the
    clock's ticks leave open.
    """
    played_s = after.at_s - before.at_s
    idle_s = after.idle_s - before.idle_s
    steal_s = sum(after.steal_s.values()) - sum(before.steal_s.values())
    unsure_s = TICK_ERROR * math.sqrt(cpus) * TICK_S if idle_s or steal_s else 0.0
    return {
        "played_s": played_s,
        "steal_s": _most(before.steal_s, after.steal_s),
        "foreign_s": max(0.0, played_s * cpus - used_s - idle_s - steal_s - unsure_s),
        "siblings_s": _most(before.siblings_s, after.siblings_s),
        "throttled_s": after.throttled_s - before.throttled_s,
        "overheated": after.overheated - before.overheated,
        "mhz": after.mhz,
    }


def _most(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """The greatest growth of one counter; what is new has grown from 0."""
    return max((value - before.get(name, 0.0) for name, value in after.items()), default=0.0)


def _delayed_s(proc: Path) -> dict[str, float]:
    """How long each of this process's threads has stood ready but not run; nothing where the kernel does not tell."""
    delayed = {}
    for path in (proc / "self/task").glob("*/schedstat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            delayed[path.parent.name] = int(path.read_text().split()[1]) / 1e9
    return delayed


def _numbers(sysfs: Path, cpus: Collection[int], name: str) -> list[int]:
    paths = [sysfs / f"devices/system/cpu/cpu{cpu}/{name}" for cpu in cpus]
    return [int(path.read_text()) for path in paths if path.exists()]
