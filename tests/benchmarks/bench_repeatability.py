"""How much the same measurement differs from one time to the next: farm's beside `benchmark_app`'s.

One cell, the packaged digits ResNet20 in int8 against its FP32 IR, on one leased core with one thread. A repeat of
farm is a whole measurement as `farm run` makes it: 8 undisturbed pairs, a quarter of a second of each IR, with its
figures as its record has them. A repeat of `benchmark_app` is a run of the FP32 IR and one of the int8 IR, two seconds
each, so that both time the same; its speed-up is the ratio of the two. Repeats take turns, first 20 on the core alone,
then beside another process on that core, which is busy and idle by turns of random length (seeded): 20 too, or as many
as there is time for, as no repeat starts there when the whole has taken ten minutes.

Compared are coefficients of variation (standard deviation / mean) over repeats, of the int8 model's FPS and of its
speed-up: of all repeats of farm whatever their verdict, and of the valid ones. `--quick` takes 3 repeats of each.
"""

import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from benchmark_app import app_round
from cells import GRID, jobs, speed_of
from processes import hogging, leased_core, say
from publishing import goal, options, parser, publish

from farm.measuring.pairing import CELL, PARTNER, conduct
from farm.measuring.request import RoundRequest
from farm.measuring.turns import Conductor
from farm.stages import measure
from farm.stages.job import Job

NAME = "repeatability"
PAIRS = 8
APP_SECONDS = 2
INT8 = {
    **GRID,
    "dataset": {"name": "digits", "count": 100},
    "calibrations": ["digits"],
    "baselines": ["ir"],
    "settings": {
        "measure": {
            "pairs": [PAIRS, PAIRS],
            "min_seconds": APP_SECONDS / PAIRS,
            "warmup_seconds": 0.1,
            "max_redone": 8,
            "budget_s": 60,
        }
    },
}
BESIDE_HOG = {"max_redone": 16, "budget_s": 40}
FIGURES = {"FPS": "fps", "speedup_ir": "speedup_ir"}
REPEATS, TRIAL_REPEATS = 20, 3
LEAST_REPEATS = 2  # have a spread
WHOLE_S = 600  # no further repeat beside the hog starts after so long, counted from the start of all
BUSY_S, IDLE_S = (1.0, 4.0), (1.0, 6.0)  # from, to
MOST_ALONE = 0.01
MOST_BESIDE_HOG = 1 / 3

Figures = Mapping[str, Any]
Judge = Callable[[float, float | None, float], dict[str, Any]]


class Series(NamedTuple):
    """The repeats of both under one condition, each as a record's columns of speed."""

    farm: list[Figures]
    app: list[Figures]
    seconds: float


def main() -> None:
    """Make the IRs, repeat alone and beside the hog, publish."""
    said, begun = options(parser(__doc__)), time.monotonic()
    repeats = TRIAL_REPEATS if said.quick else REPEATS
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        folder = Path(name)
        job = jobs(INT8, folder / "made")["resnet20", "default"]
        with leased_core() as cpus:
            conductor = measure.conductor_of(replace(job, cpus=cpus), folder)
            alone = series("alone", job, conductor, repeats, math.inf)
            patient = replace(job, effort=replace(job.effort, **BESIDE_HOG))
            with hogging(cpus[0], BUSY_S, IDLE_S):
                hog = series("hog", patient, conductor, repeats, begun + WHOLE_S)
    rows = [row(f"{what}, alone", key, alone, judge_alone) for what, key in FIGURES.items()]
    rows += [row(f"{what}, hog", key, hog, judge_beside_hog) for what, key in FIGURES.items()]
    note = (
        f"A repeat of farm took {alone.seconds:.0f} s alone and {hog.seconds:.0f} s beside the hog. It was busy for "
        f"{BUSY_S[0]:g}-{BUSY_S[1]:g} s and idle for {IDLE_S[0]:g}-{IDLE_S[1]:g} s by turns; farm measures a "
        f"disturbed pair again, {job.effort.max_redone} at most alone and {BESIDE_HOG['max_redone']} beside the hog. A "
        f"measurement with fewer than {PAIRS} undisturbed pairs is noisy, with figures of all of them; so is one that "
        f"is not known within {job.effort.target:.0%}. All runs of benchmark_app count; `delayed_s`, threads kept "
        "waiting, is judged on farm's side only, as benchmark_app's own delays are not visible."
    )
    publish(NAME, rows, note=note)


def series(what: str, job: Job, conductor: Conductor, repeats: int, until_s: float) -> Series:
    """Repeats of farm and of benchmark_app by turns: two at least, and as many as there is time for."""
    farm: list[Figures] = []
    app: list[Figures] = []
    farm_s = 0.0
    while len(farm) < LEAST_REPEATS or (len(farm) < repeats and time.monotonic() < until_s):
        started = time.monotonic()
        farm.append(by_farm(job, conductor))
        farm_s += time.monotonic() - started
        app.append(by_app(conductor.requests))
        texts = [f"{each['fps']:,.0f} FPS, x IR {each['speedup_ir']:.3f}" for each in (farm[-1], app[-1])]
        verdict = f"{farm[-1]['verdict']}, {farm[-1]['disturbed_pairs']} disturbed"
        say(f"{what} {len(farm)}: farm {texts[0]}, {verdict}; benchmark_app {texts[1]}")
    return Series(farm, app, farm_s / len(farm))


def by_farm(job: Job, conductor: Conductor) -> Figures:
    """One measurement, and what its record would say of speed."""
    measured = conduct(conductor.pair, job.effort, clock=time.monotonic)
    return asdict(speed_of(job, measured.rounds, measured.ended))


def by_app(requests: Mapping[str, RoundRequest]) -> Figures:
    """One run of each IR."""
    fp32, int8 = (app_round(requests[variant], APP_SECONDS).fps for variant in (PARTNER, CELL))
    return {"fps": int8, "speedup_ir": int8 / fp32}


def row(what: str, key: str, found: Series, judge: Judge) -> dict[str, Any]:
    """One figure under one condition. judge: of farm's variation, its valid ones' and the other's."""
    valid = [each for each in found.farm if each["verdict"] == "valid"]
    ours, theirs = (variation([each[key] for each in group]) for group in (found.farm, found.app))
    ours_valid = variation([each[key] for each in valid]) if len(valid) >= LEAST_REPEATS else None
    verdicts = Counter(each["verdict"] for each in found.farm)
    return {
        "what": what,
        "farm_mean": mean(each[key] for each in found.farm),
        "app_mean": mean(each[key] for each in found.app),
        "farm_cv": ours,
        "farm_cv_valid": ours_valid,
        "app_cv": theirs,
        "ratio": ours / theirs,
        "verdicts": ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()),
        "repeats": len(found.farm),
        **judge(ours, ours_valid, theirs),
    }


def variation(figures: Sequence[float]) -> float:
    """The coefficient of variation of two figures or more."""
    return stdev(figures) / mean(figures)


def judge_alone(ours: float, ours_valid: float | None, _theirs: float) -> dict[str, Any]:
    """Alone, farm's own variation is what counts."""
    return at_most(f"farm_cv at most {MOST_ALONE}", MOST_ALONE, ours, ours_valid)


def judge_beside_hog(ours: float, ours_valid: float | None, theirs: float) -> dict[str, Any]:
    """Beside the hog, farm's variation is held against benchmark_app's."""
    return at_most("farm_cv at most a third of app_cv", MOST_BESIDE_HOG * theirs, ours, ours_valid)


def at_most(text: str, limit: float, ours: float, ours_valid: float | None) -> dict[str, Any]:
    """A goal that all repeats of farm together have to meet."""
    reason = f"{ours:.2%}, more than {limit:.2%}"
    if ours_valid is not None and ours_valid <= limit:
        reason = f"{reason}, because of noisy repeats: the valid ones alone meet it"
    return goal(text, met=ours <= limit, reason=reason)


if __name__ == "__main__":
    main()
