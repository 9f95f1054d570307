"""What a check says of a host, and where a host tells of itself. Knows no single check."""

import os
import pwd
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from farm.host.load import Processes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check says of a host, as far as it matters to measurements.

    state: doubtful: measurements may suffer, or the host does not show it; bad: they will not hold, or not run.
    change: what to type or to set; empty where it is good or nothing can be done.
    """

    what: str
    state: Literal["good", "doubtful", "bad"]
    says: str
    change: str = ""


def other_processes() -> Processes:
    """All processes but this one, as far as the system tells of them."""
    us, others = os.getpid(), {}
    for process in psutil.process_iter(["name", "cpu_times"]):
        times = process.info["cpu_times"]  # None where it is not ours to know
        if process.pid != us and times is not None:
            others[process.pid] = (str(process.info["name"]), float(times.user + times.system))
    return others


def other_users() -> frozenset[str]:
    """Who else is logged in."""
    return frozenset(user.name for user in psutil.users()) - {user_name(os.getuid())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where a host tells of itself; the one that this process runs on by default. mask: the CPUs it may use."""

    sysfs: Path = Path("/sys")
    proc: Path = Path("/proc")
    mask: frozenset[int] = field(default_factory=lambda: frozenset(os.sched_getaffinity(0)))
    sleep: Callable[[float], None] = time.sleep
    processes: Callable[[], Processes] = other_processes
    users: Callable[[], frozenset[str]] = other_users

    @property
    def cpu(self) -> Path:
        """The folder that tells of CPUs."""
        return self.sysfs / "devices/system/cpu"


def good(what: str, says: str) -> CheckResult:
    """Nothing to change."""
    return CheckResult(what=what, state="good", says=says)


def doubtful(what: str, says: str, change: str = "") -> CheckResult:
    """Measurements may suffer."""
    return CheckResult(what=what, state="doubtful", says=says, change=change)


def bad(what: str, says: str, change: str) -> CheckResult:
    """Measurements will not hold, or not run."""
    return CheckResult(what=what, state="bad", says=says, change=change)


def not_shown(what: str, so: str) -> CheckResult:
    """A file that would tell is not there: what follows is not known to be good."""
    return doubtful(what, f"not shown by this host: {so}")


def count(number: int, thing: str) -> str:
    """``"1 core"``, ``"2 cores"``."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def user_name(uid: int) -> str:
    """The name of a user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user need not have a name
        return str(uid)
