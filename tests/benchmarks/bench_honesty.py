"""How often farm says that equal things differ (A/A), and whether it notices what disturbs a measurement.

1. Simulated: whole measurements through `farm.measuring.pairing.conduct` at the default settings, with a simulated
   host and clock: no difference, but noise (lognormal by round, 0.2 to 5 %), a drift of up to 10 % by the end of the
   budget with a random walk in it, and phases of some seconds in which the host is 5 to 30 % slower; nothing of it
   shows in the host's signals. Flagged: `farm.stats.ratios.differs`. The same with a true difference of 3 %
   says that it can see one.
2. Real: the packaged digits ResNet20's FP32 IR against itself on one leased core, 8 short pairs, by the measure stage's
   own function (`--quick`: 2 pairs).
3. The same beside a process pinned to the leased core: busy all the time, then 15 of every 50 ms, then 2 of every 12 s,
   so that some pairs can be done again undisturbed (`--quick`: the first alone). Flagged: `noisy`, or pairs were done
   again.

share_upper: upper 95 % bound of the flagged share (Clopper and Pearson, one-sided). noisy: how many of the measurements
have, by their verdict, no figure to rely on. fps_of_quiet: FPS as recorded, noisy or not, over the median of the valid
A/A ones: beside a hog the median of all, else of the measurement that is farthest off.
"""

import math
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from cells import bare_round, digits, speed_of
from processes import company, leased_core, say
from publishing import NO_GOAL, goal, options, parser, publish
from scipy.stats import binom, binomtest

from farm.cli import interrupt
from farm.grid.settings import Measuring
from farm.measuring.pairing import CELL, conduct, interval
from farm.measuring.round import ROUNDS, Round, rounds_of
from farm.plan import Effort
from farm.stages import measure
from farm.stages.job import Job
from farm.stats.ratios import Ratio, differs, looks

NAME = "honesty"
LIMIT = 0.01  # of A/A measurements called different
SEED = 1
QUIET = dict.fromkeys(("steal_s", "foreign_s", "delayed_s", "siblings_s", "throttled_s", "overheated"), 0) | {
    "mhz": None
}
START_S = 0.6  # of a round's interpreter and model
SHORT = {"min_seconds": 0.15, "warmup_seconds": 0.05}
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


FULL, TRIAL = Sizes(5000, 50, (3, 3, 2), 8), Sizes(50, 1, (1, 0, 0), 2)
HOGS = (
    Hog("busy all the time", 1.0, 0.0, GIVE_UP),
    Hog("busy 15 of every 50 ms", 0.015, 0.035, GIVE_UP),
    Hog("busy 2 of every 12 s", 2.0, 10.0, {}),
)


class Measured(NamedTuple):
    """What is said of one measurement. ratio: to its partner, which is the same."""

    ratio: Ratio
    verdict: str
    disturbed: int
    fps: float


def main() -> None:
    """Simulate, measure, disturb, publish."""
    interrupt.listen()
    sizes = TRIAL if options(parser(__doc__)).quick else FULL
    rows = [*simulated(sizes.simulated)]
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        job = digits(Path(folder), {**SHORT, "pairs": [sizes.pairs] * 2})
        with leased_core() as cpus:
            job = replace(job, cpus=cpus)
            quiet = [measured(job, f"A/A {number + 1} of {sizes.real}") for number in range(sizes.real)]
            disturbed = [(hog, beside(hog, count, job)) for hog, count in zip(HOGS, sizes.hogs, strict=True) if count]
    usual_fps = median(each.fps for each in [each for each in quiet if each.verdict == "valid"] or quiet)
    rows.append(real(quiet, usual_fps))
    rows += [row for hog, found in disturbed for row in noticed(hog, found, usual_fps)]
    note = (
        f"Quiet: {usual_fps:.0f} FPS on one thread; {sum(each.disturbed for each in quiet)} pairs of the real A/A "
        f"measurements were disturbed and done again. Largest difference found among these: "
        f"{max(abs(each.ratio.value - 1) for each in quiet):.1%}."
    )
    publish(NAME, rows, note=note)


def simulated(count: int) -> Iterator[dict[str, Any]]:
    """Rows of simulated measurements: without a difference, and with one."""
    for truth in (1.0, 1.03):
        say(f"simulated x {truth}: {count} measurements")
        settings, rng = Measuring().model_dump(), random.Random(SEED)
        planned, ratios = looks(*settings["pairs"]), []
        for _ in range(count):
            host = Host(rng=rng, truth=truth, settings=settings)
            measured = conduct(host.measure_round, Effort(), rng=rng, clock=lambda host=host: host.now_s)
            ratios.append(interval(measured.pairs(), planned) or Ratio(value=1.0))
        flagged = sum(map(differs, ratios))
        noisy = sum(ratio.within is None or ratio.within > settings["target"] for ratio in ratios)
        if truth == 1:
            reason = f"{flagged} of {count} were called different"
            met = goal(f"share at most {LIMIT:.0%}", met=flagged <= LIMIT * count, reason=reason)
            yield row("A/A, simulated: called different", count, flagged, noisy=noisy) | met
        else:
            yield row(f"simulated, {truth - 1:.0%} faster: called different", count, flagged, noisy=noisy)


@dataclass(slots=True, kw_only=True)
class Host:
    """A host that is noisy in ways that its signals do not show. truth: the cell's speed over its partner's.

    Speeds are logarithms; the clock starts at 0.
    """

    rng: random.Random
    truth: float
    settings: Mapping[str, Any]
    now_s: float = 0.0
    noise: float = field(init=False)
    slope: float = field(init=False)
    walked: float = 0.0
    slow_until_s: float = 0.0
    slowed: float = 0.0

    def __post_init__(self) -> None:
        self.noise = 0.002 * 25 ** self.rng.random()
        self.slope = self.rng.uniform(-0.1, 0.1) / self.settings["budget_s"]

    def measure_round(self, variant: str) -> Round:
        """A round, as the measure stage gives it to `conduct`."""
        took_s = START_S + self.settings["warmup_seconds"] + self.settings["min_seconds"]
        if self.now_s >= self.slow_until_s:
            begins = self.rng.random() < took_s / 60  # about once a minute
            self.slow_until_s = self.now_s + self.rng.expovariate(1 / 5) if begins else 0.0
            self.slowed = self.rng.uniform(0.05, 0.3) if begins else 0.0
        self.walked += self.rng.gauss(0, 0.003)
        told = self.slope * self.now_s + self.walked - self.slowed + self.rng.gauss(0, self.noise)
        self.now_s += took_s
        fps = 2500 * (self.truth if variant == CELL else 1.0) * math.exp(told)
        inferences = round(fps * self.settings["min_seconds"])
        return bare_round(QUIET, inferences=inferences, wall_ns=round(inferences / fps * 1e9), cpus=(0,))


def measured(job: Job, what: str) -> Measured:
    """One real measurement, as the stage does it; this process's mask is its core."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=job.folder) as scratch:
        artefact = Path(scratch, "artefact")
        artefact.mkdir()
        facts = measure.run(replace(job, folder=artefact))
        record = speed_of(job, rounds_of(pq.read_table(artefact / ROUNDS)), facts.ended)
    ratio = Ratio(value=record.speedup_ir, low=record.speedup_ir_low, high=record.speedup_ir_high)
    found = Measured(ratio=ratio, verdict=record.verdict, disturbed=record.disturbed_pairs, fps=record.fps)
    figures = f"{found.fps:.0f} FPS, x {ratio.value:.3f}, {found.verdict}, {found.disturbed} pairs done again"
    say(f"{what}: {figures}, {time.monotonic() - begun:.0f} s")
    return found


def real(quiet: Sequence[Measured], usual_fps: float) -> dict[str, Any]:
    """The row of real A/A measurements. So few may, by chance, have more flagged than the limit of many."""
    flagged = sum(differs(each.ratio) for each in quiet)
    allowed = int(binom.ppf(0.9, len(quiet), LIMIT))
    text = f"at most {allowed} of {len(quiet)} (at {LIMIT:.0%}, more have a chance below 10 %)"
    aim = goal(text, met=flagged <= allowed, reason=f"{flagged} of {len(quiet)} were called different")
    noisy = sum(each.verdict != "valid" for each in quiet)
    spread = max(quiet, key=lambda each: abs(each.fps - usual_fps)).fps / usual_fps
    return row("A/A, real: called different", len(quiet), flagged, noisy=noisy, fps_of_quiet=spread) | aim


def beside(hog: Hog, count: int, job: Job) -> list[Measured]:
    """Measurements while the hog is on the same core."""
    job = replace(job, effort=replace(job.effort, **hog.effort))
    with company("busy", job.cpus[0], hog.busy_s, hog.busy_s, hog.idle_s, hog.idle_s):
        return [measured(job, f"beside a hog {hog.what}, {number + 1} of {count}") for number in range(count)]


def noticed(hog: Hog, found: Sequence[Measured], usual_fps: float) -> Iterator[dict[str, Any]]:
    """A hog's row, and one of those measurements that are called valid all the same, if any."""
    wrong = [each for each in found if each.verdict == "valid" and not each.disturbed]
    text = f"{len(wrong)} of {len(found)} were called valid without a pair done again"
    aim = goal("all flagged", met=not wrong, reason=text)
    valid = [each for each in found if each.verdict == "valid"]
    figures = {"noisy": len(found) - len(valid), "fps_of_quiet": median(each.fps for each in found) / usual_fps}
    yield row(f"a hog {hog.what}: flagged", len(found), len(found) - len(wrong), **figures) | aim
    if valid:
        off = max(valid, key=lambda each: abs(each.fps - usual_fps)).fps / usual_fps
        different = sum(differs(each.ratio) for each in valid)
        yield row(f"a hog {hog.what}: valid ones called different", len(valid), different, noisy=0, fps_of_quiet=off)


def row(
    what: str, measurements: int, flagged: int, *, noisy: int | None = None, fps_of_quiet: float | None = None
) -> dict[str, Any]:
    """A row without a goal."""
    bound = binomtest(flagged, measurements, alternative="less").proportion_ci(0.95, method="exact")
    counts = {"what": what, "measurements": measurements, "flagged": flagged, "share": flagged / measurements}
    return {**counts, "share_upper": float(bound.high), "noisy": noisy, "fps_of_quiet": fps_of_quiet, **NO_GOAL}


if __name__ == "__main__":
    main()
