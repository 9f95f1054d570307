"""farm against `benchmark_app`: do they find the same speed for the same thing?

For every network with weights in FARM_DATA and for the packaged digits ResNet20, FP32 and int8: the same IR on one
leased core, one thread, one stream, pinned, in FP32 precision, batch 1, synchronous. A pair is a round of farm (real
images, one second in turns with a round of the FP32 IR) and a run of `benchmark_app -t 1` (random input), one after
the other in an order by lot; one that other programs disturbed, on either side and by farm's own rules, is measured
again. Six pairs are measured, and up to twelve where FPS are not known within 2 % by then. Both figures are of all
turns, as nobody knows when `benchmark_app` had the core's full speed, and are farm's over `benchmark_app`'s, as
geometric means over pairs with 99 % intervals:

- ratio_fps: inferences / wall time of what is timed, each side with its own Python in it
- ratio_latency: medians of what OpenVINO itself tells of each request

`--quick` takes the digits ResNet20 in two pairs.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from benchmark_app import app_round
from cells import GRID, jobs, study
from processes import leased_core, say
from publishing import goal, options, parser, publish

from farm.measuring.pairing import CELL, PARTNER, PairedRounds, conduct, interval, speeds
from farm.measuring.round import Round
from farm.measuring.turns import Conductor
from farm.plan import Effort
from farm.stages import measure
from farm.stages.job import Job
from farm.stats.ratios import Pair, looks

NAME = "fidelity"
VARIANTS = {"ir": "FP32", "default": "int8"}
IMAGES = 100
SECONDS = 1
FULL_S = 0.4  # of farm's, at full speed
LOW, HIGH = 0.98, 1.02
PAIRS, TRIAL_PAIRS = (6, 12), (2, 2)  # least, most
TARGET = 0.02
MOST_REDONE = 4
BUDGET_S = 60  # a variant
FARM, APP = CELL, PARTNER  # as the rows of a pair are called
HOW = (
    "benchmark_app runs with `-api sync -hint none -nstreams 1 -nthreads 1 -pin YES`, as it refuses `-hint latency` "
    "together with the other three, and farm's is one stream, one thread, pinned. Its figures are read from the "
    "console, which has more digits than its JSON report."
)


def main() -> None:
    """Make the IRs, measure the pairs of each, publish."""
    asked = options(parser(__doc__))
    pairs = TRIAL_PAIRS if asked.quick else PAIRS
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        models, absent = study()
        measured_irs = irs(Path(folder), () if asked.quick else models)
        with leased_core() as cpus:
            rounds = {what: pairs_of(what, job, cpus, Path(folder), pairs) for what, job in measured_irs.items()}
    disturbed = sum(measured.disturbed() for measured in rounds.values())
    tried = sum(len(measured.rounds) for measured in rounds.values()) // 2
    note = (
        f"{HOW} Medians of its latency have two decimals, of a microsecond while its mean is below 1 ms, else of a "
        f"millisecond. Of {tried} pairs, {disturbed} were disturbed by farm's rules and are left out; `delayed_s`, "
        "threads kept waiting, is judged on farm's side only, as benchmark_app's own delays are not visible. "
        f"Intervals hold at 99 %. {absent}"
    )
    publish(NAME, [compared(what, measured, pairs) for what, measured in rounds.items()], note=note)


def irs(folder: Path, models: Sequence[str]) -> dict[str, Job]:
    """What is measured, by name: the FP32 IR and the int8 IR of the digits ResNet20 and of CIFAR-10 models."""
    grids = [("digits ", grid("digits", ["resnet20"]))]
    if models:
        grids.append(("", grid("cifar10", models)))
    by_name = {}
    for prefix, each in grids:
        say(f"making the IRs of {', '.join(each['models'])} on {each['name']} ...")
        for (model, algorithm), job in jobs(each, folder / each["name"]).items():
            by_name[f"{prefix}{model} {VARIANTS[algorithm]}"] = job
    return by_name


def grid(dataset: str, models: Sequence[str]) -> dict[str, Any]:
    """A grid of these models, calibrated with images like those they are tested on."""
    return {
        **GRID,
        "name": dataset,
        "dataset": {"name": dataset, "count": IMAGES},
        "models": list(models),
        "calibrations": [{"name": dataset, "count": IMAGES}],
        "baselines": ["ir"],
        "settings": {"measure": {"min_inferences": 1}},
    }


def pairs_of(what: str, job: Job, cpus: tuple[int, ...], folder: Path, pairs: tuple[int, int]) -> PairedRounds:
    """The pairs of one IR."""
    conductor, rng = measure.conductor_of(replace(job, cpus=cpus), folder), Random(what)
    sides = {FARM: lambda: by_farm(conductor), APP: lambda: app_round(conductor.requests[CELL], SECONDS)}
    effort = Effort(pairs=pairs, target=TARGET, max_redone=MOST_REDONE, budget_s=BUDGET_S)
    measured = conduct(
        lambda _: [replace(sides[side](), variant=side) for side in rng.sample([FARM, APP], 2)],
        effort,
        seconds=SECONDS,
        clock=time.monotonic,
    )
    say(f"{what}: {len(measured.pairs())} pairs, {measured.disturbed()} disturbed")
    return measured


def by_farm(conductor: Conductor) -> Round:
    """The cell's round of a pair, without its probes: so all of its turns count."""
    one = next(one for one in conductor.pair(FULL_S) if one.variant == CELL)
    return replace(one, stretches=replace(one.stretches, probes_ns=one.stretches.probes_ns[:, :, :0]))


def compared(what: str, measured: PairedRounds, wanted: tuple[int, int]) -> dict[str, Any]:
    """One row. Figures are of the undisturbed pairs, or of all where there is none."""
    used = measured.undisturbed() or measured.rounds
    pairs = {"fps": speeds(used), "latency": latencies(used)}
    ratios = {name: interval(each, looks(*wanted)) for name, each in pairs.items()}
    apart = {name: ratio for name, ratio in ratios.items() if not LOW <= ratio.value <= HIGH}
    reason = ", ".join(f"{name} {ratio.value - 1:+.1%}" for name, ratio in apart.items())
    if all(ratio.low is not None and ratio.low <= 1 <= ratio.high for ratio in apart.values()):
        reason = f"{reason}, which may be noise: the intervals hold 1"
    enough = len(measured.pairs()) >= wanted[0]
    if not enough:
        reason = f"the host was busy, only {len(measured.pairs())} of {wanted[0]} pairs: run it again"
    return {
        "what": what,
        "farm_fps": median(one.fps for one in used if one.variant == FARM),
        "app_fps": median(one.fps for one in used if one.variant == APP),
        **{
            f"ratio_{name}{end}": value
            for name, ratio in ratios.items()
            for end, value in (("", ratio.value), ("_low", ratio.low), ("_high", ratio.high))
        },
        **goal(f"{LOW}-{HIGH} both", met=enough and not apart, reason=reason),
    }


def latencies(rounds: Sequence[Round]) -> list[Pair]:
    """farm's and benchmark_app's median latency of each pair, in nanoseconds."""
    by_pair: dict[int, dict[str, float | None]] = {}
    for one in rounds:
        by_pair.setdefault(one.pair, {})[one.variant] = one.request_p50_ns
    return [(pair[FARM], pair[APP]) for pair in by_pair.values()]


if __name__ == "__main__":
    main()
