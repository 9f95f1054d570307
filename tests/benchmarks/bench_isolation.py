"""Whether a measurement in a busy farm says the same as one alone, and what it would say without farm's care.

1. `farm run` on Ray of a grid whose measured cells (the packaged digits ResNet20 calibrated on noise, on one thread)
   have many light stages before and among them: cells calibrated on fractals, which are not measured. Then `farm run
   --fresh measure` of the same grid, when nothing else is left to do. Two such grids, one after the other, so
   that a drift of the host does not stand for a difference. Compared by cell: FPS, and x IR, the ratio to the FP32 IR
   of the same minutes, which alone has an interval of its own. Means are geometric, with t-intervals of 99 % over the
   cells. A difference is called uncertain where its interval holds 1, where a measurement was not valid, and, of FPS,
   where that of the FP32 IR, measured by turns with it, moved by half as much or more: then the host did.
2. What is avoided: rounds on one leased core alone, and by turns with them rounds in company of what a light stage
   does (inferences in batches of 64 on one thread), on each of the other cores, and on the same core. farm would do
   such pairs again; here all of them count, and all turns.

count: of disturbed pairs, which farm does not take; in the rows of light stages, of these.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import yaml
from cells import GRID, digits
from processes import running, say
from publishing import NO_GOAL, goal, options, parser, publish

from farm.cli import interrupt
from farm.host.lease import host_cores, lease, lock_folder
from farm.host.topology import Core, measurable
from farm.measuring.pairing import PARTNER, conduct, speeds
from farm.measuring.running import on_cpus
from farm.results import tables
from farm.stages import measure
from farm.stages.job import Job
from farm.stats.ratios import Ratio, paired_ratio, quotient

NAME = "isolation"
LOW, HIGH = 0.98, 1.02
BLOCKS = 2
SHORT = {"min_seconds": 0.25, "warmup_seconds": 0.1}
EXCLUSIVE = "measure"
BATCH = 64  # of a light stage


class Sizes(NamedTuple):
    """measured: cells of a grid. beside: cells that are not measured, for each of them. pairs: of rounds."""

    measured: int
    beside: int
    pairs: int


FULL, TRIAL = Sizes(10, 2, 8), Sizes(2, 1, 2)  # while light stages wait, eight cells have to wait too


class Ran(NamedTuple):
    """One run: its records and attempts, as rows; records by cell, of measured cells only."""

    records: dict[str, Mapping[str, Any]]
    attempts: list[Mapping[str, Any]]


def main() -> None:
    """Run busy and alone, compare; disturb on purpose; publish."""
    interrupt.listen()
    said = options(parser(__doc__))
    sizes = TRIAL if said.quick else FULL
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        blocks = [block(number, Path(folder), sizes) for number in range(1 if said.quick else BLOCKS)]
        cost = list(avoided(Path(folder), sizes.pairs))
    rows = [*compared(blocks), *apart([busy for busy, _ in blocks]), *cost]
    each = [record for pair in blocks for ran in pair for record in ran.records.values()]
    noisy = sum(record["verdict"] != "valid" for record in each)
    publish(NAME, rows, note=f"{noisy} of {len(each)} measurements were not valid, all counted here.")


def block(number: int, folder: Path, sizes: Sizes) -> tuple[Ran, Ran]:
    """One grid, busy and alone."""
    path, name = folder / f"grid{number}.yaml", f"{NAME}{number}"
    path.write_text(yaml.safe_dump(grid(name, number, sizes)), encoding="utf-8")
    busy = run(path, name, folder / "results")
    return busy, run(path, name, folder / "results", "--fresh", EXCLUSIVE)


def grid(name: str, number: int, sizes: Sizes) -> dict[str, Any]:
    """Stages are fed in the grid's order: light ones between any two measurements, and after the last."""
    calibrations = []
    for index in range(number * sizes.measured, (number + 1) * sizes.measured):
        others = list(range(index * sizes.beside, (index + 1) * sizes.beside))
        calibrations += [{"name": "noise", "seed": index}, {"name": "fractal", "seed": others, "count": 300}]
    return {
        **GRID,
        "name": name,
        "dataset": "digits",
        "calibrations": calibrations,
        "algorithms": ["default"],
        "baselines": [],
        "accuracy_only": [{"calibration": "fractal"}],
        "settings": {"measure": short(sizes.pairs)},
    }


def short(pairs: int) -> dict[str, Any]:
    """Settings of the measurements."""
    return {**SHORT, "pairs": pairs, "max_redone": pairs}


def run(path: Path, name: str, results: Path, *more: str) -> Ran:
    """`farm run`, with what it says as progress."""
    say(f"farm run {' '.join((path.name, *more))}")
    command = [sys.executable, "-m", "farm", "run", str(path), "--results", str(results), *more]
    with running(command, stdout=sys.stderr) as driver:
        code = driver.wait()
    if code:
        sys.exit(f"exit code {code} of {' '.join(command)}")
    records = pq.read_table(results / name / tables.RECORDS).to_pylist()
    attempts = pq.read_table(results / name / tables.ATTEMPTS).to_pylist()
    return Ran({record["cell"]: record for record in records if record["fps"] is not None}, attempts)


def compared(blocks: Sequence[tuple[Ran, Ran]]) -> Iterator[dict[str, Any]]:
    """Rows of every cell, and the means, each with the goal."""
    cells = [(record, alone.records[cell]) for busy, alone in blocks for cell, record in busy.records.items()]
    noisy = sum(record["verdict"] != "valid" for both in cells for record in both)
    for column, what, name in (("fps", "FPS", "fps"), ("speedup_ir", "x IR", "speedup")):
        for busy, alone in cells:
            ratio = quotient(_ratio(busy, column), _ratio(alone, column))
            disturbed = busy["disturbed_pairs"] + alone["disturbed_pairs"]
            figures = {f"{name}_busy": busy[column], f"{name}_alone": alone[column]}
            found = row(f"{what}, {busy['calibration']}", ratio, count=disturbed, **figures)
            yield found | aim(ratio, uncertainties(busy, alone, column))
        mean = paired_ratio([(busy[column], alone[column]) for busy, alone in cells]) or Ratio(value=1.0)
        of_mean = [f"{noisy} of {2 * len(cells)} measurements were not valid"] if noisy else []
        yield row(f"{what}, mean of {len(cells)} cells", mean) | aim(mean, of_mean)


def _ratio(record: Mapping[str, Any], column: str) -> Ratio:
    return Ratio(value=record[column], low=record.get(f"{column}_low"), high=record.get(f"{column}_high"))


def uncertainties(busy: Mapping[str, Any], alone: Mapping[str, Any], column: str) -> list[str]:
    """What makes a cell's difference uncertain, but for its interval."""
    both = {"busy": busy, "alone": alone}
    found = [f"{record['verdict']} when {when}" for when, record in both.items() if record["verdict"] != "valid"]
    moved, own = busy["fps_ir"] / alone["fps_ir"] - 1, busy[column] / alone[column] - 1
    if column == "fps" and own * moved > 0 and abs(moved) >= abs(own) / 2:
        found.append(f"the FP32 IR beside it moved by {moved:+.1%} too")
    return found


def aim(ratio: Ratio, causes: Sequence[str]) -> dict[str, Any]:
    """The goal of one comparison. causes: what makes the difference uncertain, but for its interval."""
    text, causes = f"{abs(ratio.value - 1):.1%} {'more' if ratio.value > 1 else 'less'} in a busy farm", list(causes)
    if ratio.low is not None and ratio.high is not None and ratio.low <= 1 <= ratio.high:
        causes.append(f"its interval, {ratio.low:.3f}-{ratio.high:.3f}, holds 1")
    sure = "both are valid" if ratio.low is None else "its interval excludes 1, and all are valid"
    reason = f"{text}, uncertain: {'; '.join(causes)}" if causes else f"{text}; {sure}"
    return goal(f"from {LOW} to {HIGH}", met=LOW <= ratio.value <= HIGH, reason=reason)


def apart(runs: Sequence[Ran]) -> Iterator[dict[str, Any]]:
    """Rows of how many light stages ran among measurements, and beside one, which none may."""
    among = beside = 0
    for ran in runs:
        lights, exclusive = [], []
        for each in ran.attempts:
            (exclusive if each["uri"].startswith(f"{EXCLUSIVE}/") else lights).append(each)
        first, last = min(each["started_at"] for each in exclusive), max(each["started_at"] for each in exclusive)
        among += sum(first < each["started_at"] < last for each in lights)
        beside += sum(any(_overlap(each, other) for other in exclusive) for each in lights)
    yield row("lights among measurements", None, count=among)
    none = goal("none", met=beside == 0, reason=f"{beside} light stages overlapped a measurement")
    yield row("lights beside a measurement", None, count=beside) | none


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(one["started_at"] < other["finished_at"] and other["started_at"] < one["finished_at"])


def avoided(folder: Path, pairs: int) -> Iterator[dict[str, Any]]:
    """Rows of what company costs a measurement."""
    job = digits(folder, short(pairs))
    with lease(measurable(host_cores()), None, lock_folder()) as held, on_cpus(held.cores[0].cpus):
        own, others = held.cores[0], held.cores[1:]
        job = replace(job, cpus=own.cpus)
        if others:
            yield beside(f"inference on {len(others)} other core(s)", others, job)
        yield beside("inference on the same core", (own,), job)


def beside(what: str, cores: Sequence[Core], job: Job) -> dict[str, Any]:
    """Pairs of rounds with company on these cores, and without."""
    say(what)
    conductor = measure.conductor_of(job, job.folder)
    request = conductor.requests[PARTNER]
    light = replace(request, device=replace(request.device, batch=BATCH))
    measured = conduct(
        replace(conductor, company=[replace(light, cpus=core.cpus) for core in cores]).pair,
        replace(job.effort, max_redone=job.effort.pairs[1] - 1),
        clock=time.monotonic,
        say=lambda text: say(f"    {text}"),
    )
    found = speeds(measured.rounds)
    busy, alone = (median(each[index] for each in found) for index in range(2))
    return row(what, paired_ratio(found), count=measured.disturbed(), fps_busy=busy, fps_alone=alone)


def row(
    what: str,
    ratio: Ratio | None,
    *,
    fps_busy: float | None = None,
    fps_alone: float | None = None,
    speedup_busy: float | None = None,
    speedup_alone: float | None = None,
    count: int | None = None,
) -> dict[str, Any]:
    """A row without a goal. ratio: busy over alone."""
    known = {name: getattr(ratio, key, None) for name, key in (("ratio", "value"), ("low", "low"), ("high", "high"))}
    fps = {"fps_busy": fps_busy, "fps_alone": fps_alone}
    speedup = {"speedup_busy": speedup_busy, "speedup_alone": speedup_alone}
    return {"what": what, **fps, **speedup, **known, "count": count, **NO_GOAL}


if __name__ == "__main__":
    main()
