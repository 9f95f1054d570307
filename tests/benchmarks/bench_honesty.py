"""How often farm says that equal things differ (A/A), whether its intervals hold, and whether it notices a disturbance.

1. Simulated: whole measurements through `farm.measuring.pairing.conduct` at the default settings, on hosts of
   `hosts.py`, whose cores change their speed unseen. The cell is its own partner (A/A); it is 3 % faster than its
   partner, which says whether farm can see so much; it is another model of twice the speed, which a neighbour slows
   otherwise. Flagged: `farm.stats.ratios.differs`, and in rows of their own intervals that do not hold the true ratio.
   That of the last is one at full speed: its row is without the mixed ones.
2. Real: the packaged digits ResNet20's FP32 IR against itself on one leased core, 8 short pairs, by the measure stage's
   own function (`--quick`: 2 pairs).
3. The same beside a process pinned to the leased core: busy all the time, then 15 of every 50 ms, then 2 of every 12 s,
   so that some pairs can be done again undisturbed (`--quick`: the first alone). Flagged: `noisy`, or pairs were done
   again.

share_upper: upper 95 % bound of the flagged share (Clopper and Pearson, one-sided). noisy: how many of the measurements
have, by their verdict, no figure to rely on. mixed: in how many of all the cores had full speed for too little time, or
not for the whole of such a turn, so that figures are of all. fps_of_quiet: FPS as recorded, noisy or not, over
the median of the valid A/A ones: beside a hog the median of all, else of the measurement that is farthest off.
"""

import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from cells import digits, speed_of
from hosts import Host
from processes import hogging, leased_core, say
from publishing import NO_GOAL, goal, options, parser, publish
from scipy.stats import binom, binomtest

from farm.cli import interrupt
from farm.measuring.pairing import conduct, interval
from farm.measuring.round import TURNS, rounds_of
from farm.plan import Effort
from farm.stages import measure
from farm.stages.job import Job
from farm.stats.ratios import Ratio, differs, looks

NAME = "honesty"
LIMIT = 0.01  # of A/A measurements called different
MISSED = 0.015  # of intervals that do not hold the true ratio
SEED = 1
TRUTHS = ((1.0, True), (1.03, True), (2.0, False))  # the cell's speed over its partner's; whether they are alike
SHORT = {"min_seconds": 0.1, "warmup_seconds": 0.05}
GIVE_UP = {"max_redone": 2}  # with a hog that never rests, more pairs would only take time


class Sizes(NamedTuple):
    """How many measurements of each part; of how many pairs each real one."""

    simulated: int
    real: int
    hogs: tuple[int, int, int]
    pairs: int


class Hog(NamedTuple):
    """A process on the measured core, busy and idle by turns. effort: what the measurements beside it may take."""

    what: str
    busy_s: float
    idle_s: float
    effort: Mapping[str, Any]


FULL, TRIAL = Sizes(1000, 50, (3, 3, 2), 8), Sizes(15, 1, (1, 0, 0), 2)
HOGS = (
    Hog("busy all the time", 1.0, 0.0, GIVE_UP),
    Hog("busy 15 of every 50 ms", 0.015, 0.035, GIVE_UP),
    Hog("busy 2 of every 12 s", 2.0, 10.0, {}),
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
    sizes = TRIAL if options(parser(__doc__)).quick else FULL
    rows = [row for truth, alike in TRUTHS for row in simulated(sizes.simulated, truth, alike=alike)]
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        job = digits(Path(folder), {**SHORT, "pairs": [sizes.pairs] * 2})
        with leased_core() as cpus:
            job = replace(job, cpus=cpus)
            quiet = [measured(job, f"A/A {number + 1} of {sizes.real}") for number in range(sizes.real)]
            disturbed = [(hog, beside(hog, count, job)) for hog, count in zip(HOGS, sizes.hogs, strict=True) if count]
    usual_fps = median(each.fps for each in [each for each in quiet if each.valid] or quiet)
    rows.append(real(quiet, usual_fps))
    rows += [row for hog, found in disturbed for row in noticed(hog, found, usual_fps)]
    note = (
        f"Quiet: {usual_fps:.0f} FPS on one thread; {sum(each.disturbed for each in quiet)} pairs of the real A/A "
        f"measurements were disturbed and done again. Largest difference found among these: "
        f"{max(abs(each.ratio.value - 1) for each in quiet):.1%}."
    )
    publish(NAME, rows, note=note)


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


def real(quiet: Sequence[Measured], usual_fps: float) -> dict[str, Any]:
    """The row of real A/A measurements. So few may, by chance, have more flagged than the limit of many."""
    flagged = sum(differs(each.ratio) for each in quiet)
    allowed = int(binom.ppf(0.9, len(quiet), LIMIT))
    text = f"at most {allowed} of {len(quiet)} (at {LIMIT:.0%}, more have a chance below 10 %)"
    aim = goal(text, met=flagged <= allowed, reason=f"{flagged} of {len(quiet)} were called different")
    return row("A/A, real: called different", quiet, flagged, fps_of_quiet=farthest(quiet, usual_fps)) | aim


def farthest(found: Sequence[Measured], usual_fps: float) -> float:
    """The FPS that are farthest off, over the usual ones."""
    return max((each.fps for each in found), key=lambda fps: abs(fps - usual_fps)) / usual_fps


def beside(hog: Hog, count: int, job: Job) -> list[Measured]:
    """Measurements while the hog is on the same core."""
    job = replace(job, effort=replace(job.effort, **hog.effort))
    with hogging(job.cpus[0], (hog.busy_s, hog.busy_s), (hog.idle_s, hog.idle_s)):
        return [measured(job, f"beside a hog {hog.what}, {number + 1} of {count}") for number in range(count)]


def noticed(hog: Hog, found: Sequence[Measured], usual_fps: float) -> Iterator[dict[str, Any]]:
    """A hog's row, and one of those measurements that are called valid all the same, if any."""
    valid = [each for each in found if each.valid]
    wrong = sum(not each.disturbed for each in valid)
    text = f"{wrong} of {len(found)} were called valid without a pair done again"
    usual = median(each.fps for each in found) / usual_fps
    aim = goal("all flagged", met=not wrong, reason=text)
    yield row(f"a hog {hog.what}: flagged", found, len(found) - wrong, fps_of_quiet=usual) | aim
    if valid:
        different = sum(differs(each.ratio) for each in valid)
        name = f"a hog {hog.what}: valid ones called different"
        yield row(name, valid, different, fps_of_quiet=farthest(valid, usual_fps))


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
