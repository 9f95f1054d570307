"""How much of a model's speed hangs on where in its pages it lies, and what a measurement says that leaves it there.

Of the study's VGG-16 and ResNet20 (of the packaged digits' network where FARM_DATA has neither), FP32, on one leased
core with one thread: pairs of fresh interpreters of the same IR that take turns. The partner is not moved; the cell is
moved by so many bytes in all of its pairs, as `farm.measuring.one_round.move` does it, and the names of its files are
as long. ratio: the cell's speed over its partner's, the geometric mean over 6 short pairs with its 99 % interval. Then
the same where both are moved by lot, as every measurement does it: 24 pairs. spread: the standard deviation of the
pairs' ratios. `--quick`: one network, 2 pairs, and three places.
"""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from cells import leased_cells, study
from processes import say
from publishing import NO_GOAL, options, parser, publish

from farm.cli import interrupt
from farm.measuring.full_speed import flagged
from farm.measuring.pairing import CELL, speeds
from farm.measuring.request import RoundRequest
from farm.measuring.round import Round
from farm.measuring.turns import MOVED, Conductor
from farm.stages import measure
from farm.stages.job import Job
from farm.stats.ratios import paired_ratio

NAME = "layout"
MODELS = ("vgg16_bn", "resnet20")
PLACES = (0, 16, 32, 48, 64, 128, 256, 512, 1024, 2048)  # bytes within a page
PAIRS, BY_LOT = 6, 24
SHORT_S = 0.1  # that each is timed at full speed in a pair


class Placed(Conductor):
    """Its processes lie where they are told, by their names."""

    moved: Mapping[str, int] = {}

    def _fresh(self, name: str, request: RoundRequest) -> RoundRequest:
        return replace(super()._fresh(name, request), moved=MOVED + self.moved.get(name, 0), longer=0)


def main() -> None:
    """Measure, publish."""
    interrupt.listen()
    quick = options(parser(__doc__)).quick
    available = study()
    rows: list[dict[str, Any]] = []
    with leased_cells(available, quick=quick) as cells:
        models = [model for model in MODELS if (model, "ir") in cells]
        for model in models[:1] if quick else models:
            rows += of_model(model, cells[model, "ir"], quick=quick)
    publish(NAME, rows, note=available.absent)


def of_model(model: str, job: Job, *, quick: bool) -> Iterator[dict[str, Any]]:
    """A row a place, one of them all, and one of places by lot."""
    places, pairs, by_lot = (PLACES[:3], 2, 2) if quick else (PLACES, PAIRS, BY_LOT)
    means = []
    for place in places:
        found = row(f"{model} FP32, moved by {place} bytes", measured(job, pairs, Placed, {CELL: place}))
        means.append(found["ratio"])
        yield found
    yield row(f"{model} FP32, moved by lot", measured(job, by_lot, Conductor, {}))
    spread = {"spread": float(np.std(np.log(means), ddof=1))}
    yield {**row(f"{model} FP32, over all places", []), "ratio": float(np.exp(np.mean(np.log(means)))), **spread}


def measured(job: Job, pairs: int, kind: type[Conductor], moved: Mapping[str, int]) -> list[Round]:
    """The rounds of so many short pairs, with those at full speed marked."""
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        usual = measure.conductor_of(job, Path(folder))
        conductor = kind(**{one.name: getattr(usual, one.name) for one in fields(usual)} | {"seconds": SHORT_S})
        conductor.rng = random.Random(NAME)
        if isinstance(conductor, Placed):
            conductor.moved = moved
        return flagged([replace(one, pair=pair) for pair in range(pairs) for one in conductor.pair()])


def row(what: str, rounds: Sequence[Round]) -> dict[str, Any]:
    """One row."""
    pairs = speeds(rounds, full_speed=True)
    ratio = paired_ratio(pairs)
    logs = np.log([cell / partner for cell, partner in pairs])
    say(f"{what}: {ratio}")
    return {
        "what": what,
        "ratio": ratio.value if ratio else None,
        "low": ratio.low if ratio else None,
        "high": ratio.high if ratio else None,
        "spread": float(logs.std(ddof=1)) if len(logs) > 1 else None,
        "pairs": len(pairs),
        **NO_GOAL,
    }


if __name__ == "__main__":
    main()
