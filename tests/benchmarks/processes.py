"""What the scripts run beside themselves: commands, company that disturbs, and all of it on a core of its own."""

import os
import subprocess
import sys
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import company as program

from farm.host.lease import host_cores, lease, lock_folder
from farm.host.topology import measurable

PATIENCE_S = 30


def session() -> str:
    """A new session's name."""
    return uuid.uuid4().hex[:12]


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def leased_core() -> Iterator[tuple[int, ...]]:
    """A core leased as farm leases it, with this process, and so all that it starts, on it. Gives its CPUs."""
    with lease(measurable(host_cores()), 1, lock_folder()) as held, pinned(held.cpus):
        yield held.cpus


@contextmanager
def pinned(cpus: Collection[int]) -> Iterator[None]:
    """This thread, and what it starts, on these CPUs only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """A command. If it still runs at the block's end, it is asked to end, and then made to."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, **how) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def company(what: str, cpu: int, *details: object) -> Iterator[subprocess.Popen[str]]:
    """A process on that CPU, busy from the start of the block to its end, as `company.py` says."""
    command = [sys.executable, program.__file__, what, str(cpu), *map(str, details)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != program.READY:
                sys.exit(f"{' '.join(command)} did not start")
            yield process
        finally:
            process.kill()
