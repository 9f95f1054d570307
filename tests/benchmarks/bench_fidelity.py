"""farm against `benchmark_app`: do they find the same speed for the same thing?

For every network with weights in FARM_DATA and for the packaged digits ResNet20, FP32 and int8: the same IR on one
leased core, one thread, one stream, pinned, in FP32 precision, batch 1, synchronous. A pair is a round of farm (real
images, one second after its warm-up) and a run of `benchmark_app -t 1` (random input), each a fresh process; pairs
come in ABBA blocks of random order, and one that other programs disturbed, on either side and by farm's own rules, is
played again. Six pairs are played, and up to twelve where FPS are not known within 2 % by then. Both figures are
farm's over `benchmark_app`'s, as geometric means over pairs with 99 % intervals:

- ratio_fps: inferences / wall time of the timed loop, each side with its own Python in it
- ratio_latency: medians of what OpenVINO itself tells of each request

`--quick` takes the digits ResNet20 in two pairs.
"""

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from publishing import goal, options, parser, publish
from subjects import Row, app_round, farm_round, jobs, leased_core, requests_of

from farm.inputs import default_places
from farm.pairing import CELL, PARTNER, Played, conduct, interval, speed, speeds
from farm.stages.job import Job
from farm.stats import Pair, looks

NAME = "fidelity"
MODELS = ("resnet20", "vgg16_bn", "shufflenetv2_x2_0", "repvgg_a2")
SPLITS = ("cifar10/test.parquet", "cifar10/train.parquet")
VARIANTS = {"ir": "FP32", "default": "int8"}
IMAGES = 100
SECONDS = 1
LOW, HIGH = 0.98, 1.02
PAIRS, TRIAL_PAIRS = (6, 12), (2, 2)  # least, most
TARGET = 0.02
MOST_REDONE = 4
BUDGET_S = 30  # a variant
FARM, APP = CELL, PARTNER  # as the rows of a pair are called


def main() -> None:
    """Make the IRs, play the pairs of each, publish."""
    said = options(parser(__doc__))
    pairs = TRIAL_PAIRS if said.quick else PAIRS
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        found = subjects(Path(folder), quick=said.quick)
        with leased_core() as cpus:
            rounds = {what: play(what, job, cpus, Path(folder), pairs) for what, job in found.items()}
    redone = sum(played.redone() for played in rounds.values())
    tried = sum(len(played.rows) for played in rounds.values()) // 2
    note = (
        f"Of {tried} pairs, {redone} were disturbed by farm's rules and are left out. Medians of benchmark_app's "
        "latency are those that it prints: two decimals, of a microsecond while its mean is below 1 ms, else of a "
        "millisecond. Intervals hold at 99 %."
    )
    publish(NAME, [compared(what, played, pairs) for what, played in rounds.items()], note=note)


def subjects(folder: Path, *, quick: bool) -> dict[str, Job]:
    """What is measured, by name: each model's FP32 IR and int8 IR."""
    grids = [("digits ", grid("digits", ["resnet20"]))]
    if models := [] if quick else with_weights():
        grids.append(("", grid("cifar10", models)))
    found = {}
    for prefix, each in grids:
        print(f"making the IRs of {', '.join(each['models'])} on {each['name']} ...", file=sys.stderr)
        for (model, algorithm), job in jobs(each, folder / each["name"]).items():
            found[f"{prefix}{model} {VARIANTS[algorithm]}"] = job
    return found


def grid(dataset: str, models: Sequence[str]) -> dict[str, Any]:
    """A grid of these models, calibrated with images like those they are tested on."""
    return {
        "name": dataset,
        "dataset": {"name": dataset, "count": IMAGES},
        "models": list(models),
        "calibrations": [{"name": dataset, "count": IMAGES}],
        "baselines": ["ir"],
        "settings": {"measure": {"min_seconds": SECONDS, "min_inferences": 1}},
    }


def with_weights() -> list[str]:
    """The CIFAR-10 models that can be measured here; none without CIFAR-10 in FARM_DATA."""
    places = default_places(Path()).data
    lacking = [split for split in SPLITS if not any((place / split).exists() for place in places)]
    models = [name for name in MODELS if any(list(place.glob(f"weights/cifar10_{name}.*")) for place in places)]
    if lacking or len(models) < len(MODELS):
        absent = [*lacking, *(f"weights of {name}" for name in MODELS if name not in models)]
        print(f"left out, not in FARM_DATA: {', '.join(absent)}", file=sys.stderr)
    return [] if lacking else models


def play(what: str, job: Job, cpus: tuple[int, ...], folder: Path, pairs: tuple[int, int]) -> Played:
    """The pairs of one IR, conducted as the measure stage conducts a cell and its FP32 IR."""
    request = requests_of(job, cpus, folder)[CELL]
    settings = {"pairs": pairs, "target": TARGET, "max_redone": MOST_REDONE, "budget_s": BUDGET_S}
    played = conduct(
        lambda side: farm_round(request, folder) if side == FARM else app_round(request, SECONDS),
        settings,
        rng=Random(what),
        clock=time.monotonic,
    )
    print(f"{what}: {len(played.pairs())} pairs, {played.redone()} disturbed", file=sys.stderr)
    return played


def compared(what: str, played: Played, wanted: tuple[int, int]) -> dict[str, Any]:
    """One row. Figures are of the undisturbed pairs, or of all where there is none."""
    counted = [row for row in played.rows if not row["disturbed"]] or played.rows
    pairs = {"fps": speeds(counted), "latency": latencies(counted)}
    ratios = {name: interval(each, looks(*wanted)) for name, each in pairs.items()}
    apart = {name: ratio for name, ratio in ratios.items() if not LOW <= ratio.value <= HIGH}
    reason = ", ".join(f"{name} {ratio.value - 1:+.1%}" for name, ratio in apart.items())
    if all(ratio.low is not None and ratio.low <= 1 <= ratio.high for ratio in apart.values()):
        reason = f"{reason}, which may be noise: the intervals hold 1"
    enough = len(played.pairs()) >= wanted[0]
    if not enough:
        reason = f"the host was busy, only {len(played.pairs())} of {wanted[0]} pairs: run it again"
    return {
        "what": what,
        "farm_fps": median(speed(row) for row in counted if row["variant"] == FARM),
        "app_fps": median(speed(row) for row in counted if row["variant"] == APP),
        **{
            f"ratio_{name}{end}": value
            for name, ratio in ratios.items()
            for end, value in (("", ratio.value), ("_low", ratio.low), ("_high", ratio.high))
        },
        **goal(f"{LOW}-{HIGH} both", met=enough and not apart, reason=reason),
    }


def latencies(rows: Sequence[Mapping[str, Any]]) -> list[Pair]:
    """farm's and benchmark_app's median latency of each pair, in nanoseconds."""
    by_pair: dict[int, Row] = {}
    for row in rows:
        by_pair.setdefault(row["pair"], {})[row["variant"]] = row["request_p50_ns"]
    return [(pair[FARM], pair[APP]) for pair in by_pair.values()]


if __name__ == "__main__":
    main()
