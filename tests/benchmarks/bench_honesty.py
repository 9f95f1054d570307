"""How often farm says that equal things differ (A/A), whether its intervals hold, and whether it notices a disturbance.

1. Simulated: whole measurements through `farm.measuring.pairing.conduct` at the default settings, on hosts of
   `hosts.py`, whose cores change their speed unseen. The cell is its own partner (A/A); it is 3 % faster than its
   partner, which says whether farm can see so much; it is another model of twice the speed, which a neighbour slows
   otherwise. Flagged: `farm.stats.ratios.differs`, and in rows of their own intervals that do not hold the true ratio.
   That of the last is one at full speed: its row is without the mixed ones.
2. Real: the FP32 IR of each of the study's networks (of the packaged digits' one where FARM_DATA has none) against
   itself on one leased core, 24 short pairs, as many as there may be, by the measure stage's own function (`--quick`: 2
   pairs of one network).
3. ResNet20's int8 model against the IR, quiet first, known within 2 %: then beside a process on the leased core that
   is busy all the time, 15 of every 50 ms, or 2 of every 12 s, so that some pairs can be done again undisturbed; beside
   one on a sibling thread, where there is one that is not leased; and beside one on another core that copies memory,
   more than caches hold (`--quick`: the first alone). Flagged: wrong claims. One is wrong that is called valid, and
   whose ratio over the quiet one differs from 1 by its 99 % interval.

share_upper: upper 95 % bound of the flagged share (Clopper and Pearson, one-sided). noisy: how many of the measurements
have, by their verdict, no figure to rely on. mixed: in how many of all the cores had full speed for too little time, or
not for the whole of such a turn, so that figures are of all. fps_of_quiet: the median FPS beside a hog as recorded,
noisy or not, over the quiet one's.
"""

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from cells import speed_of, study, study_cells
from hosts import Host
from processes import hogging, leased_core, say
from publishing import NO_GOAL, goal, options, parser, publish
from scipy.stats import binom, binomtest

from farm.cli import interrupt
from farm.host.lease import host_cores
from farm.host.topology import siblings_outside
from farm.measuring.pairing import conduct, interval
from farm.measuring.round import TURNS, rounds_of
from farm.plan import Effort
from farm.report.numbers import written
from farm.stages import measure
from farm.stages.job import Job
from farm.stats.ratios import Ratio, differs, looks, quotient

NAME = "honesty"
LIMIT = 0.01  # of A/A measurements called different
MISSED = 0.015  # of intervals that do not hold the true ratio
SEED = 1
TRUTHS = ((1.0, True), (1.03, True), (2.0, False))  # the cell's speed over its partner's; whether they are alike
SHORT_S = 0.1  # that each is timed at full speed in a pair of a real A/A measurement
GIVE_UP = 2  # disturbed pairs: with a hog that never rests, more would only take time
TARGET = 0.05  # beside a hog


class Sizes(NamedTuple):
    """How many measurements of each part; of how many pairs each A/A one; whether there are more hogs than one."""

    simulated: int
    real: int
    beside: int
    pairs: int
    quiet: Effort


class Hog(NamedTuple):
    """A process that is busy and idle by turns. place: a core that is leased, or a sibling thread, or another core."""

    what: str
    busy_s: float
    idle_s: float
    max_redone: int = GIVE_UP
    work: str = "spin"
    place: str = "leased"


FULL = Sizes(1000, 50, 5, 24, Effort(budget_s=180.0))
TRIAL = Sizes(15, 1, 1, 2, Effort(pairs=(2, 2), budget_s=1.0))
HOGS = (
    Hog("busy all the time", 1.0, 0.0),
    Hog("busy 15 of every 50 ms", 0.015, 0.035),
    Hog("busy 2 of every 12 s", 2.0, 10.0, max_redone=8),
    Hog("busy on a sibling thread", 1.0, 0.0, place="sibling"),
    Hog("copying memory on another core", 1.0, 0.0, work="copy", place="other"),
)


class Measured(NamedTuple):
    """What is said of one measurement. ratio: to its partner. mixed: figures are of all."""

    ratio: Ratio
    valid: bool
    mixed: bool
    disturbed: int = 0
    fps: float = 0.0


def main() -> None:
    """Simulate, measure, disturb, publish."""
    interrupt.listen()
    quick = options(parser(__doc__)).quick
    sizes, available = TRIAL if quick else FULL, study()
    rows = [row for truth, alike in TRUTHS for row in simulated(sizes.simulated, truth, alike=alike)]
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        cells = study_cells(available, Path(folder), quick=quick)
        irs = [(model, job) for (model, algorithm), job in cells.items() if algorithm == "ir"]
        everyone = {cpu for core in host_cores() for cpu in core.cpus}
        with leased_core() as cpus:
            places = {"leased": cpus, "sibling": siblings_outside(cpus), "other": sorted(everyone - {*cpus})}
            effort = Effort(pairs=(sizes.pairs, sizes.pairs), budget_s=sizes.quiet.budget_s)
            each = [irs[number % len(irs)] for number in range(sizes.real)]
            alike_ones = [
                measured(replace(short(ir), cpus=cpus, effort=effort), f"A/A {number} of {sizes.real}, {model}")
                for number, (model, ir) in enumerate(each, 1)
            ]
            job = replace(cells["resnet20", "default"], cpus=cpus, effort=sizes.quiet)
            quiet = measured(job, "int8, quiet")
            rows.append(real(alike_ones))
            rows += [
                wrong(hog, beside(hog, places[hog.place][0], sizes.beside, job), quiet)
                for hog in (HOGS[:1] if quick else HOGS)
                if places[hog.place]
            ]
    note = (
        f"{sum(each.disturbed for each in alike_ones)} pairs of the real A/A measurements were disturbed and done "
        f"again. Largest difference found among these: {max(abs(each.ratio.value - 1) for each in alike_ones):.1%}. "
        f"Quiet: {quiet.fps:.0f} FPS on one thread, x IR {quiet.ratio.value:.3f}, within "
        f"{written(quiet.ratio.within, '{:.1%}')}. {available.absent}"
    )
    publish(NAME, rows, note=note)


def short(job: Job) -> Job:
    """The same with short pairs."""
    how = replace(job.parameters.rounds, min_seconds=SHORT_S)
    return replace(job, parameters=replace(job.parameters, rounds=how))


def simulated(count: int, truth: float, *, alike: bool) -> Iterator[dict[str, Any]]:
    """Rows of simulated measurements: how many call the two different, and how many intervals miss the truth."""
    name = "A/A, simulated" if truth == 1 else f"x {truth:g}, simulated"
    say(f"{name}: {count} measurements")
    rng = random.Random(SEED)
    found = [measured_on(Host(rng=rng, truth=truth, same=alike)) for _ in range(count)]
    if alike:
        flagged = sum(differs(each.ratio) for each in found)
        aim = goal(f"share at most {LIMIT:.0%}", met=flagged <= LIMIT * count, reason=f"{flagged} of {count} were")
        yield row(f"{name}: called different", found, flagged) | (aim if truth == 1 else NO_GOAL)
    judged = found if alike else [each for each in found if not each.mixed]
    missed = sum(each.ratio.low is not None and not each.ratio.low <= truth <= each.ratio.high for each in judged)
    aim = goal(f"share at most {MISSED:.1%}", met=missed <= MISSED * len(judged), reason=f"{missed} of {len(judged)}")
    yield row(f"{name}: interval misses the truth", judged, missed, mixed=sum(each.mixed for each in found)) | aim


def measured_on(host: Host) -> Measured:
    """One simulated measurement, at the default settings."""
    effort = Effort()
    conducted = conduct(host.pair, effort, clock=lambda: host.now_s)
    ratio = interval(conducted.pairs(), looks(*effort.pairs)) or Ratio(value=1.0)
    valid = ratio.within is not None and ratio.within <= effort.target
    return Measured(ratio=ratio, valid=valid, mixed=not conducted.at_full_speed)


def measured(job: Job, what: str) -> Measured:
    """One real measurement, as the stage does it; this process's mask is its core."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=job.folder) as scratch:
        artefact = Path(scratch, "artefact")
        artefact.mkdir()
        facts = measure.run(replace(job, folder=artefact))
        record = speed_of(job, rounds_of(pq.read_table(artefact / TURNS)), facts.ended)
    found = Measured(
        ratio=Ratio(value=record.speedup_ir, low=record.speedup_ir_low, high=record.speedup_ir_high),
        valid=record.verdict == "valid",
        mixed=record.cores_ran == "mixed",
        disturbed=record.disturbed_pairs,
        fps=record.fps,
    )
    figures = f"{found.fps:.0f} FPS, x {found.ratio.value:.3f}, {record.verdict}, {found.disturbed} pairs done again"
    say(f"{what}: {figures}, {time.monotonic() - begun:.0f} s")
    return found


def real(found: Sequence[Measured]) -> dict[str, Any]:
    """The row of real A/A measurements. So few may, by chance, have more flagged than the limit of many."""
    flagged = sum(differs(each.ratio) for each in found)
    allowed = int(binom.ppf(0.9, len(found), LIMIT))
    text = f"at most {allowed} of {len(found)} (at {LIMIT:.0%}, more have a chance below 10 %)"
    aim = goal(text, met=flagged <= allowed, reason=f"{flagged} of {len(found)} were called different")
    return row("A/A, real: called different", found, flagged) | aim


def beside(hog: Hog, cpu: int, count: int, job: Job) -> list[Measured]:
    """Measurements while the hog is on that CPU."""
    job = replace(job, effort=Effort(target=TARGET, max_redone=hog.max_redone))
    with hogging(cpu, (hog.busy_s, hog.busy_s), (hog.idle_s, hog.idle_s), hog.work):
        return [measured(job, f"int8, a hog {hog.what}, {number + 1} of {count}") for number in range(count)]


def wrong(hog: Hog, found: Sequence[Measured], quiet: Measured) -> dict[str, Any]:
    """A hog's row: how many of the measurements claim what is not so."""
    count = sum(each.valid and differs(quotient(each.ratio, quiet.ratio)) for each in found)
    usual = median(each.fps for each in found) / quiet.fps
    aim = goal("no wrong claim", met=not count, reason=f"{count} of {len(found)} were")
    return row(f"int8, a hog {hog.what}: wrong claims", found, count, fps_of_quiet=usual) | aim


def row(
    what: str, found: Sequence[Measured], flagged: int, *, mixed: int | None = None, fps_of_quiet: float | None = None
) -> dict[str, Any]:
    """A row without a goal. mixed: if it is of more measurements than those found."""
    count = len(found)
    bound = binomtest(flagged, count, alternative="less").proportion_ci(0.95, method="exact")
    shares = {"share": flagged / count, "share_upper": float(bound.high)}
    noisy = sum(not each.valid for each in found)
    mixed = sum(each.mixed for each in found) if mixed is None else mixed
    counts = {"measurements": count, "flagged": flagged, **shares, "noisy": noisy, "mixed": mixed}
    return {"what": what, **counts, "fps_of_quiet": fps_of_quiet, **NO_GOAL}


if __name__ == "__main__":
    main()
