"""Which programs disturb a measurement: who still ran, last on its cores, when a disturbed pair ended. Knows processes.

What a hypervisor's other guests do is not seen from here: their time is `steal`, and has no name. Nor is a program that
comes and goes within a pair.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from farm.host.check import other_processes
from farm.host.load import PROGRAMS, WORTH_NAMING, Processes
from farm.host.topology import siblings_outside
from farm.measuring.pairing import MeasurePair
from farm.measuring.round import Round
from farm.measuring.verdict import disturbances
from farm.shown import in_line

PROCESSOR = 36  # of the fields behind the name in /proc/PID/stat: the CPU that a thread ran on last


@dataclass(slots=True, kw_only=True)
class Disturbers:
    """The programs that were last seen on some CPUs, or their sibling threads, when disturbed pairs ended.

    used_s: their CPU time meanwhile, on whatever CPU, by name. disturbed_s: how long those pairs took. proc, processes:
    where a host tells of them.
    """

    cpus: Sequence[int]
    proc: Path = Path("/proc")
    processes: Callable[[], Processes] = other_processes
    clock: Callable[[], float] = time.monotonic
    used_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    disturbed_s: float = 0.0

    def amid(self, measure_pair: MeasurePair) -> MeasurePair:
        """Measures pairs as that does, and notes who else ran."""

        def pair(longer: float) -> Sequence[Round]:
            before, begun = self.processes(), self.clock()
            rounds = measure_pair(longer)
            if any(disturbances(one) for one in rounds):
                self._note(before, self.processes())
                self.disturbed_s += self.clock() - begun
            return rounds

        return pair

    def names(self) -> tuple[str, ...]:
        """Of the programs, the busiest first."""
        busy = [name for name, used_s in self.used_s.items() if used_s >= WORTH_NAMING * self.disturbed_s]
        return tuple(sorted(busy, key=self.used_s.__getitem__, reverse=True)[:PROGRAMS])

    def _note(self, before: Processes, after: Processes) -> None:
        ours = {*self.cpus, *siblings_outside(self.cpus)}
        for process, (name, used_s) in after.items():
            since_s = used_s - before.get(process, ("", 0.0))[1]
            if since_s > 0 and not ours.isdisjoint(self._ran_on(process)):
                self.used_s[in_line(name)] += since_s

    def _ran_on(self, process: int) -> set[int]:
        """The CPUs that its threads ran on last; none of a process that has ended."""
        found: set[int] = set()
        for path in (self.proc / str(process) / "task").glob("*/stat"):
            with suppress(OSError, IndexError, ValueError):  # it has ended, or is of another kernel's
                found.add(int(path.read_bytes().rpartition(b")")[2].split()[PROCESSOR]))
        return found
