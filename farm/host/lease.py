"""Core leases: exclusive right to some physical cores of this host, by `flock`. Knows cores and files.

One file a physical core. A lease is all or nothing; a killed holder's cores are free at once, because
the kernel drops its locks.
"""

import os
import random
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from farm.errors import InputError
from farm.files import locked
from farm.host.topology import Core, cpu_quota, leasable_count, usable_cores

RETRY_S = 0.1
QUEUE = "queue.lock"  # held by whoever is next to get cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The leased cores. cpus: their logical CPUs, the holder's affinity mask."""

    cores: tuple[Core, ...]

    @property
    def cpus(self) -> tuple[int, ...]:
        """All logical CPUs of the leased cores."""
        return tuple(sorted(cpu for core in self.cores for cpu in core.cpus))


def lock_folder() -> Path:
    """``$FARM_LOCKS``, which several users of a host share, else a folder of this user's under the temporary folder.

    Raises InputError if the folder is a link, or somebody else's and not shared with us on purpose.
    """
    chosen = os.environ.get("FARM_LOCKS")
    folder = Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"farm-cores-{os.getuid()}"
    return safe_folder(folder, shared=bool(chosen))


def safe_folder(folder: Path, *, shared: bool = False) -> Path:
    """Make a folder, or check that an existing one is a real folder of this user's (or a shared one)."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise InputError(f"cannot use the folder {folder}: {error.strerror}; set FARM_LOCKS to another") from error
    if not stat.S_ISDIR(status.st_mode) or (status.st_uid != os.getuid() and not shared):
        raise InputError(f"{folder} is not a folder of this user's; remove it or set FARM_LOCKS to another")
    return folder


def host_cores() -> tuple[Core, ...]:
    """The cores of this host that may be leased, within this process's mask and cgroup quota."""
    cores = usable_cores()
    return cores[: leasable_count(cores, cpu_quota())]


@contextmanager
def lease(cores: tuple[Core, ...], count: int | None, folder: Path, wait_s: float = 86_400.0) -> Iterator[Lease]:
    """Hold `count` of the cores (None: all) as `_groups` has them, waiting for them where others hold them.

    All or nothing, so that two holders never wait for each other; one at a time gathers cores, so that who needs all is
    not overtaken for ever. Raises InputError if there are not so many cores, TimeoutError after `wait_s` seconds.
    """
    wanted = len(cores) if count is None else count
    if not 1 <= wanted <= len(cores):
        raise InputError(f"{wanted} cores wanted, but this host lends {len(cores)}")
    deadline = time.monotonic() + wait_s
    with ExitStack() as locks, ExitStack() as queue:
        our_turn, taken = False, None
        while taken is None:
            our_turn = our_turn or _lock(folder / QUEUE, queue)
            taken = _take(cores, wanted, folder, locks) if our_turn else None
            if taken is None and time.monotonic() > deadline:
                raise TimeoutError(f"{wanted} cores were not free within {wait_s:g} s; others hold them in {folder}")
            if taken is None:
                time.sleep(RETRY_S * (0.5 + random.random()))  # noqa: S311 - spreads retries, guards nothing
        queue.close()
        yield Lease(cores=taken)


def _take(cores: tuple[Core, ...], wanted: int, folder: Path, locks: ExitStack) -> tuple[Core, ...] | None:
    """Lock so many cores of one of the groups that they may come from; None if no group has so many free."""
    for candidates in _groups(cores, wanted):
        with ExitStack() as attempt:
            taken: list[Core] = []
            for core in candidates:
                if len(taken) < wanted and _lock(folder / f"core-{core.name}.lock", attempt):
                    taken.append(core)
            if len(taken) == wanted:
                locks.push(attempt.pop_all())
                return tuple(taken)
    return None


def _groups(cores: tuple[Core, ...], wanted: int) -> list[tuple[Core, ...]]:
    """Of which cores so many may be taken: of one kind and NUMA node, else of one kind, else of all.

    The first of these that is enough counts, whether or not its cores are free: who needs two waits for
    two of one node. Performance cores come first.
    """
    ordered = sorted(cores)
    for alike in (lambda core: (core.efficient, core.node), lambda core: core.efficient):
        groups = [tuple(group) for _, group in groupby(ordered, key=alike)]
        if enough := [group for group in groups if len(group) >= wanted]:
            return enough
    return [tuple(ordered)]


def _lock(path: Path, locks: ExitStack) -> bool:
    try:
        locks.enter_context(locked(path))
    except BlockingIOError:
        return False
    return True
