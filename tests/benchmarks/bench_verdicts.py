"""How many speeds hold on a host that others use too, and how long that takes: by turns, and by rounds as of old.

Of each of the study's networks (of the packaged digits' one where FARM_DATA has none) the FP32 IR against itself, its
int8 model and PyTorch, on one leased core with one thread: 40 measurements in an order by lot, spread evenly over two
hours. On another core, where there is one, a process is busy for half a minute to five and idle as long, by lot.

Each is measured twice in a row, by lot which way first. *turns*: as farm measures by default. *rounds*: as farm did
before its rounds took turns, with the same looks, budget, memory settings and rules of what is disturbed: rounds of a
second each, alone on the core, one after another, and no probe. Each way goes on until x IR is known within 2 %, or
not; what it said and took when it would have been known within 5 %, or not, is of the same pairs and as many of them as
that needs.
full_speed_share: as farm keeps it. `--quick` measures the int8 model of one network.

Kept are two files: ``verdicts`` has a row a measurement, way and target, and ``verdicts_counted`` what is to be said of
them.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from cells import speed_of, study, study_cells
from processes import alone, hogging, leased_core, say
from publishing import NO_GOAL, goal, options, parser, publish

from farm.cli import interrupt
from farm.host.topology import usable_cores
from farm.measuring.full_speed import share
from farm.measuring.pairing import CELL, PARTNER, MeasurePair, conduct
from farm.measuring.round import Round
from farm.measuring.turns import Conductor
from farm.plan import Effort
from farm.stages import measure
from farm.stages.job import Job

NAME, COUNTED = "verdicts", "verdicts_counted"
TARGETS = (0.05, 0.02)
MEASUREMENTS, HOURS = 40, 2.0
ALGORITHMS = {"ir": "FP32 beside itself", "default": "int8", "pytorch": "PyTorch"}
BUSY_S, IDLE_S = (30.0, 300.0), (30.0, 300.0)
ROUND_S = 1.0
LEAST_VALID = {0.05: 0.9, 0.02: 0.6}
MOST_S = 30.0


def main() -> None:
    """Make what is measured, measure, publish."""
    interrupt.listen()
    parsed = parser(__doc__)
    parsed.add_argument("--hours", type=float, default=HOURS, help="over which the measurements are spread")
    sizes = options(parsed)
    available = study()
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        say("exporting and quantizing")
        cells = study_cells(available, Path(folder), quick=sizes.quick, baselines=("pytorch", "ir"))
        wanted = [("resnet20", "default")] if sizes.quick else by_lot(cells)
        rows: list[dict[str, Any]] = []
        try:
            for number, found in enumerate(measured(cells, wanted, 0.0 if sizes.quick else sizes.hours * 3600), 1):
                rows += found
                note = f"{number} of {len(wanted)} measurements, each both ways. {available.absent}"
        finally:  # two hours are long: what there is of them is kept
            if rows:
                publish(NAME, rows, note=note)
                publish(COUNTED, [row for target in TARGETS for row in counted(rows, target)], note=note)


def by_lot(cells: Mapping[tuple[str, str], Job]) -> list[tuple[str, str]]:
    """So many measurements, of each cell as often as of any other or once more."""
    rng, each = random.Random(NAME), sorted(cells)
    drawn = [cell for _ in range(MEASUREMENTS // len(each)) for cell in each]
    drawn += rng.sample(each, MEASUREMENTS - len(drawn))
    return rng.sample(drawn, len(drawn))


def measured(
    cells: Mapping[tuple[str, str], Job], wanted: Sequence[tuple[str, str]], spread_s: float
) -> Iterator[list[dict[str, Any]]]:
    """Rows of both ways, of one measurement after another; they begin at even distances."""
    rng, begun = random.Random(NAME), time.monotonic()
    everyone = {cpu for core in usable_cores() for cpu in core.cpus}
    with leased_core() as cpus, ExitStack() as stack:
        if others := sorted(everyone - {*cpus}):
            stack.enter_context(hogging(others[0], BUSY_S, IDLE_S))
        for number, (model, algorithm) in enumerate(wanted):
            time.sleep(max(0.0, begun + spread_s * number / len(wanted) - time.monotonic()))
            what = f"{model}, {ALGORITHMS[algorithm]}"
            rows: list[dict[str, Any]] = []
            for way in rng.sample(sorted(WAYS), 2):
                with tempfile.TemporaryDirectory(prefix="bench") as folder:
                    job = replace(cells[model, algorithm], cpus=cpus)
                    rows += verdicts(f"{number + 1}", what, way, job, Path(folder))
            yield rows


@dataclass(slots=True)
class Tape:
    """Pairs and when each was over, which can be measured once and looked at again by another target."""

    measure_pair: MeasurePair
    begun: float
    pairs: list[tuple[list[Round], float]] = field(default_factory=list)
    played: int = 0
    now: float = 0.0

    def pair(self, longer: float) -> list[Round]:
        """The next one."""
        if self.played == len(self.pairs):
            self.pairs.append((list(self.measure_pair(longer)), time.monotonic() - self.begun))
        rounds, self.now = self.pairs[self.played]
        self.played += 1
        return rounds


def verdicts(number: str, what: str, way: str, job: Job, folder: Path) -> Iterator[dict[str, Any]]:
    """A row a target, of one measurement."""
    conductor = measure.conductor_of(job, folder)
    tape = Tape(WAYS[way](conductor), time.monotonic())
    for target in TARGETS:
        tape.played, tape.now = 0, 0.0
        effort = Effort(target=target)
        conducted = conduct(tape.pair, effort, clock=lambda: tape.now)
        record = speed_of(replace(job, effort=effort), conducted.rounds, conducted.ended)
        row = {
            "what": what, "way": way, "target": target, "verdict": record.verdict, "within": record.within,
            "seconds": tape.now,
            "full_speed_share": share(conducted.undisturbed()) if way == "turns" else None,
            "pairs": record.pairs, "disturbed": record.disturbed_pairs, "ended": conducted.ended,
            "speedup_ir": record.speedup_ir, "cores_ran": record.cores_ran, "worst_signal": record.worst_signal,
        }  # fmt: skip
        say(f"{number}: " + ", ".join(str(value) for value in row.values()))
        yield row


def one_after_another(conductor: Conductor) -> MeasurePair:
    """Pairs of rounds that are alone on the core, whichever is first by lot."""

    def pair(longer: float) -> list[Round]:
        order = conductor.rng.sample([CELL, PARTNER], 2)
        requests = {name: replace(request, probed=False) for name, request in conductor.requests.items()}
        rounds = [alone(requests[name], name, conductor.scratch / name, longer * ROUND_S) for name in order]
        conductor.keep_format(rounds)
        return [
            replace(one, stretches=replace(one.stretches, turn=one.stretches.turn + turn))
            for turn, one in enumerate(rounds)
        ]

    return pair


WAYS: Mapping[str, Callable[[Conductor], MeasurePair]] = {
    "turns": lambda conductor: conductor.pair,
    "rounds": one_after_another,
}


def counted(rows: Sequence[Mapping[str, Any]], target: float) -> Iterator[dict[str, Any]]:
    """A row a way: how many of its measurements are valid, and what they took."""
    for way in WAYS:
        own = [row for row in rows if (row["way"], row["target"]) == (way, target)]
        valid, seconds = sum(row["verdict"] == "valid" for row in own), median(row["seconds"] for row in own)
        least = LEAST_VALID[target]
        aim = goal(
            f"at least {least:.0%} valid, median at most {MOST_S:.0f} s",
            met=valid >= least * len(own) and seconds <= MOST_S,
            reason=f"{valid} of {len(own)} valid, {seconds:.0f} s",
        )
        yield {
            "what": f"{way}, within {target:.0%}", "measurements": len(own), "valid": valid,
            "median_s": seconds, "most_s": max(row["seconds"] for row in own),
            "median_within": median(row["within"] or 1.0 for row in own),
            "at_full_speed": sum(row["cores_ran"] == "full" for row in own) if way == "turns" else None,
            **(aim if way == "turns" else NO_GOAL),
        }  # fmt: skip


if __name__ == "__main__":
    main()
