"""What the scripts run beside themselves: commands, a hog that disturbs, and all of it on a core of its own."""

import subprocess
import sys
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hog
import stand_in

from farm.host.lease import host_cores, lease, lock_folder
from farm.host.topology import measurable
from farm.measuring import signals
from farm.measuring.pairing import PARTNER
from farm.measuring.request import RoundRequest
from farm.measuring.round import Round
from farm.measuring.running import RunningRound, on_cpus
from farm.measuring.turns import Conductor, round_of

PATIENCE_S = 30


def session() -> str:
    """A new session's name."""
    return uuid.uuid4().hex[:12]


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@dataclass(slots=True, kw_only=True)
class Beside(Conductor):
    """Pairs in which the partner infers in another way: see `stand_in`."""

    way: str
    variants: Collection[str] = (PARTNER,)

    def kind(self, name: str) -> type[RunningRound]:
        """Of a round, by its name."""
        script = {"SCRIPT": (str(stand_in.__file__), self.way)}
        return type("StandIn", (RunningRound,), script) if name in self.variants else RunningRound


def alone(request: RoundRequest, variant: str, scratch: Path, seconds: float) -> Round:
    """A round that has the core for itself, in one turn."""
    with RunningRound(request, scratch) as one:
        one.compiled()
        one.warmed_up()
        before = signals.read(request.cpus)
        one.turn(round(seconds * 1e9))
        after = signals.read(request.cpus)
        answer = one.end()
    between = signals.between(before, after, len(request.cpus), answer.facts["used_s"])
    return round_of(request, variant, answer, between)


@contextmanager
def leased_core() -> Iterator[tuple[int, ...]]:
    """A core leased as farm leases it, with this process, and so all that it starts, on it. Gives its CPUs."""
    with lease(measurable(host_cores()), 1, lock_folder()) as held, on_cpus(held.cpus):
        yield held.cpus


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
def hogging(cpu: int, busy_s: tuple[float, float], idle_s: tuple[float, float], work: str = "spin") -> Iterator[None]:
    """A hog on that CPU during the block. busy_s, idle_s: how long it is so by turns, from and to. work: see `hog`."""
    command = [sys.executable, hog.__file__, *map(str, (cpu, work, *busy_s, *idle_s))]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != hog.READY:
                sys.exit(f"{' '.join(command)} did not start")
            yield
        finally:
            process.kill()
