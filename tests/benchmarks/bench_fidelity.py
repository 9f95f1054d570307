"""Whether farm's speeds are those of other ways to time the same model, under the same turns.

Of each of the study's networks (of the packaged digits' one where FARM_DATA has none), FP32 and int8, on one leased
core with one thread: pairs of fresh interpreters that take turns, one of which is farm's round and the other *infers in
another way* (`stand_in.py`): by OpenVINO's own loop, `Benchmark.sync_inference` of benchmark_app, with one request, or
by a plain loop over requests with inputs of their own, both set beforehand. Both probe their core, farm
every 2 ms and the others every 5, and figures are of what was timed at full speed, as in every measurement; pairs go on
until the ratio of the two speeds, farm's over the other's, is known within 2 %, or for two minutes. Rows of *x IR* are
the ratios of int8 over those of FP32: farm's speed-up over the other's. Intervals hold at 99 %. `--quick` compares one
network, and two pairs.
"""

import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from statistics import median
from typing import Any

from cells import leased_cells, study
from processes import Beside, say
from publishing import goal, options, parser, publish

from farm.cli import interrupt
from farm.measuring.full_speed import share
from farm.measuring.pairing import CELL, PARTNER, PairedRounds, conduct, interval
from farm.plan import Effort
from farm.stages import measure
from farm.stages.job import Job
from farm.stats.ratios import Ratio, looks, quotient

NAME = "fidelity"
WAYS = {"benchmark_app": "benchmark_app's loop", "plain": "a plain loop"}
ALGORITHMS = {"ir": "FP32", "default": "int8"}
EFFORT, TRIAL = Effort(budget_s=120.0), Effort(pairs=(2, 2), budget_s=1.0)
LOW, HIGH = 0.98, 1.02


def main() -> None:
    """Make what is measured, compare, publish."""
    interrupt.listen()
    quick = options(parser(__doc__)).quick
    available = study()
    rows: list[dict[str, Any]] = []
    with leased_cells(available, quick=quick) as cells:
        for model in dict.fromkeys(model for model, _ in cells):
            for way in WAYS:
                rows += compared(model, way, cells, TRIAL if quick else EFFORT)
    publish(NAME, rows, note=available.absent)


def compared(model: str, way: str, cells: Mapping[tuple[str, str], Job], effort: Effort) -> Iterator[dict[str, Any]]:
    """Rows of a network's FP32 IR and int8 model, and of the speed-up of one over the other."""
    found = {}
    for algorithm, precision in ALGORITHMS.items():
        what = f"{model} {precision}, {WAYS[way]}"
        measured = pairs_of(cells[model, algorithm], way, effort)
        found[algorithm] = interval(measured.pairs(), looks(*effort.pairs), measured.ended)
        say(f"{what}: {len(measured.pairs())} pairs, {found[algorithm]}")
        yield row(what, found[algorithm], measured)
    if all(found.values()):
        yield row(f"{model} x IR, {WAYS[way]}", quotient(found["default"], found["ir"]))


def pairs_of(job: Job, way: str, effort: Effort) -> PairedRounds:
    """Pairs of farm's round of a model and one that infers in this way."""
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        usual = measure.conductor_of(job, Path(folder))
        values = {one.name: getattr(usual, one.name) for one in fields(usual)}
        conductor = Beside(**values | {"requests": dict.fromkeys((CELL, PARTNER), usual.requests[CELL])}, way=way)
        conductor.rng = random.Random(way)
        return conduct(conductor.pair, effort, clock=time.monotonic)


def row(what: str, ratio: Ratio | None, measured: PairedRounds | None = None) -> dict[str, Any]:
    """One row. measured: of speeds."""
    pairs = measured.pairs() if measured else []
    value = ratio.value if ratio else None
    met = value is not None and LOW <= value <= HIGH
    noise = ratio is not None and ratio.low is not None and ratio.low <= 1 <= ratio.high
    reason = (
        "no pair at full speed" if value is None else f"{value - 1:+.1%}{', its interval holds 1' if noise else ''}"
    )
    return {
        "what": what,
        "farm_fps": median(own for own, _ in pairs) if pairs else None,
        "other_fps": median(other for _, other in pairs) if pairs else None,
        "ratio": value, "low": ratio.low if ratio else None, "high": ratio.high if ratio else None,
        "pairs": len(pairs) if measured else None,
        "full_speed_share": share(measured.undisturbed()) if measured else None,
        **goal(f"{LOW}-{HIGH}", met=met, reason=reason),
    }  # fmt: skip


if __name__ == "__main__":
    main()
