"""What turns do to a model's speed: how long it takes to settle after a switch, and whether the speed-up is the same.

Of each of the study's networks (of the packaged digits' one where FARM_DATA has none), FP32 and int8, on one leased
core with one thread, and at full speed as every measurement judges it.

1. *after N ms*: pairs of the two, under turns of 60 ms in which nothing settles and each inference has a probe before
   and after it (`stand_in.py unsettled`). What an inference takes that begins so long after the switch, over what those
   take that begin after 30 ms: the geometric mean over pairs, where two have such inferences at full speed. farm leaves
   out the first 10 ms.
2. *x IR, by turns over alone*: the speed-up as farm measures it, over that of interpreters which have the core for
   themselves for a second each, one after another, of which only what was at full speed counts, too. Each until it is
   known within 2 %, or for two minutes.

Intervals hold at 99 %. `--quick` takes one network, and two pairs.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from cells import leased_cells, study
from numpy.typing import NDArray
from processes import Beside, alone, say
from publishing import NO_GOAL, goal, options, parser, publish

from farm.cli import interrupt
from farm.measuring import turns
from farm.measuring.full_speed import flagged
from farm.measuring.one_round import SETTLING_NS
from farm.measuring.pairing import CELL, PARTNER, MeasurePair, conduct, interval
from farm.measuring.round import Round
from farm.measuring.turns import Conductor
from farm.plan import Effort
from farm.stages import measure
from farm.stages.job import Job
from farm.stats.ratios import Ratio, looks, paired_ratio, quotient

NAME = "turns"
UNSETTLED_NS = 60_000_000  # a turn's length where it is measured how it settles
EDGES_MS = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30)
PAIRS, TRIAL_PAIRS = 12, 2
EFFORT, TRIAL = Effort(budget_s=120.0), Effort(pairs=(2, 2), budget_s=1.0)
ALONE_S, SETTLED_S = 1.0, 0.05
MOST_OFF = 0.01
SIDES = {CELL: "int8", PARTNER: "FP32"}


def main() -> None:
    """Make what is measured, measure, publish."""
    interrupt.listen()
    quick = options(parser(__doc__)).quick
    available = study()
    rows: list[dict[str, Any]] = []
    with leased_cells(available, quick=quick) as cells:
        for model in dict.fromkeys(model for model, _ in cells):
            rows += settling(model, cells[model, "default"], TRIAL_PAIRS if quick else PAIRS)
            rows += bias(model, cells[model, "default"], TRIAL if quick else EFFORT)
    publish(NAME, rows, note=available.absent)


def settling(model: str, job: Job, count: int) -> Iterator[dict[str, Any]]:
    """Rows of what inferences take so long after a switch."""
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        usual = measure.conductor_of(job, Path(folder))
        values = {one.name: getattr(usual, one.name) for one in fields(usual)}
        conductor, usual_ns = Beside(**values, way="unsettled", variants=(CELL, PARTNER)), turns.TURN_NS
        turns.TURN_NS = UNSETTLED_NS
        try:
            pairs = [[replace(one, pair=number) for one in conductor.pair()] for number in range(count)]
        finally:
            turns.TURN_NS = usual_ns
    rounds = flagged([one for pair in pairs for one in pair])
    for variant, side in SIDES.items():
        found = np.array([after_switch(one) for one in rounds if one.variant == variant])
        for column, (begin, end) in enumerate(pairwise(EDGES_MS)):
            logs = found[:, column][~np.isnan(found[:, column])]
            ratio = paired_ratio([(float(np.exp(log)), 1.0) for log in logs])
            if ratio is None or ratio.low is None:  # it lasts longer than that, or was hardly ever at full speed
                continue
            yield row(f"{model} {side}, after {begin}-{end} ms", ratio, len(logs), judged=begin * 1e6 >= SETTLING_NS)


def after_switch(one: Round) -> NDArray[np.float64]:
    """The logarithm of what inferences take by when they begin, over that of those after the last edge; NaN: none."""
    played = one.stretches
    by_turn = np.split(played.wall_ns, np.flatnonzero(np.diff(played.turn)) + 1)
    begins_ms = np.concatenate([np.cumsum(each) - each for each in by_turn]) / 1e6
    logs, part = np.log(played.wall_ns / played.inferences), np.digitize(begins_ms, EDGES_MS)
    *parts, settled = (logs[played.full_speed & (part == number)] for number in range(1, len(EDGES_MS) + 1))
    return np.array([np.mean(each) - np.mean(settled) if len(each) and len(settled) else np.nan for each in parts])


def bias(model: str, job: Job, effort: Effort) -> Iterator[dict[str, Any]]:
    """A row of the speed-up by turns over that of interpreters alone."""
    found: dict[str, Ratio | None] = {}
    for way in ("by turns", "alone"):
        with tempfile.TemporaryDirectory(dir=job.folder) as folder:
            conductor = measure.conductor_of(job, Path(folder))
            pair = conductor.pair if way == "by turns" else by_themselves(conductor)
            conducted = conduct(pair, effort, clock=time.monotonic)
            found[way] = interval(conducted.pairs(), looks(*effort.pairs), conducted.ended)
            state = "at full speed" if conducted.at_full_speed else "mixed"
            say(f"{model} x IR, {way}, {state}: {found[way]}, {len(conducted.pairs())} pairs")
    by_turns, by_itself = found["by turns"], found["alone"]
    if by_turns and by_itself:
        yield row(f"{model} x IR, by turns over alone", quotient(by_turns, by_itself), None, judged=True)


def by_themselves(conductor: Conductor) -> MeasurePair:
    """Pairs of rounds that have the core for themselves, one after another, whichever is first by lot."""

    def pair(longer: float) -> list[Round]:
        seconds = SETTLED_S + longer * ALONE_S
        order = conductor.rng.sample([CELL, PARTNER], 2)
        rounds = [alone(conductor.requests[each], each, conductor.scratch / each, seconds) for each in order]
        return [
            replace(one, stretches=one.stretches.of(np.cumsum(one.stretches.wall_ns) > SETTLED_S * 1e9))
            for one in rounds
        ]

    return pair


def row(what: str, ratio: Ratio | None, pairs: int | None, *, judged: bool) -> dict[str, Any]:
    """One row. judged: whether it has to be 1."""
    value = ratio.value if ratio else None
    off = value is None or abs(value - 1) > MOST_OFF
    holds_1 = ratio is not None and ratio.low is not None and ratio.low <= 1 <= ratio.high
    reason = (
        "too seldom at full speed"
        if value is None
        else f"{value - 1:+.1%}{', its interval holds 1' if holds_1 else ''}"
    )
    aim: Mapping[str, Any] = goal(f"within {MOST_OFF:.0%} of 1", met=not off, reason=reason) if judged else NO_GOAL
    say(f"{what}: {ratio}")
    ends: Sequence[float | None] = (ratio.low, ratio.high) if ratio else (None, None)
    return {"what": what, "ratio": value, "low": ends[0], "high": ends[1], "pairs": pairs, **aim}


if __name__ == "__main__":
    main()
