"""What the probe tells and costs, and what a process of PyTorch does with its memory.

Of each of the study's networks (of the packaged digits' one where FARM_DATA has none), FP32 and int8 by turns on one
leased core with one thread, as a measurement plays them:

1. *inference right after a probe*: what the first inference of a stretch takes over the others of it; of stretches at
   full speed with three inferences or more, the geometric mean over pairs.
2. *probe after int8 over after FP32*: how long it takes at full speed after either (the quantile that a measurement
   takes). Why each variant has a line of its own.
3. *probes near the line*: the share of those that took 8 to 25 % longer than at full speed. The rule that one slower by
   8 % is no longer at full speed makes little difference where there are few.
4. *x IR, the line at 25 %*: x IR of the same pairs with that line, over x IR as it is.

Of PyTorch's ResNet20, in fresh processes with glibc as it comes and as rounds set it: page faults an inference, once
warm; ratio is the median of the processes, low and high the least and the most.

Else intervals hold at 99 %. `--quick` takes one network, and two pairs.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from cells import leased_cells, study
from processes import say
from publishing import NO_GOAL, goal, options, parser, publish

from farm.cli import interrupt
from farm.measuring import probe, running
from farm.measuring.full_speed import fast_ns, flagged
from farm.measuring.pairing import CELL, PARTNER, speeds_of
from farm.measuring.request import RoundRequest
from farm.measuring.round import Round
from farm.measuring.running import RunningRound
from farm.stages import measure
from farm.stages.job import Job
from farm.stats.ratios import Pair, Ratio, paired_ratio

NAME = "probe"
PAIRS, TRIAL_PAIRS = 12, 2
WIDER = 0.25
LEAST_IN_STRETCH = 3
MOST_OFF, MOST_NEAR, MOST_FAULTS = 0.01, 0.05, 2.0
SIDES = {CELL: "int8", PARTNER: "FP32"}
PROCESSES, TRIAL_PROCESSES = 8, 2
TURN_S = 1.0
FAULTS = 9  # the field of /proc/PID/stat, counted from 0


def main() -> None:
    """Make what is measured, measure, publish."""
    interrupt.listen()
    quick = options(parser(__doc__)).quick
    available, rows = study(), []
    with leased_cells(available, quick=quick, baselines=("pytorch", "ir")) as cells:
        for model in dict.fromkeys(model for model, _ in cells):
            rounds = played(cells[model, "default"], TRIAL_PAIRS if quick else PAIRS)
            rows += [*after_a_probe(model, rounds), *probes(model, rounds), *lines(model, rounds)]
        rows += faults(cells["resnet20", "pytorch"], TRIAL_PROCESSES if quick else PROCESSES)
    publish(NAME, rows, note=available.absent)


def played(job: Job, count: int) -> list[Round]:
    """The rounds of so many pairs, each with its number."""
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        conductor = measure.conductor_of(job, Path(folder))
        return flagged([replace(one, pair=number) for number in range(count) for one in conductor.pair()])


def after_a_probe(model: str, rounds: Sequence[Round]) -> Iterator[dict[str, Any]]:
    """Rows of the first inferences of stretches over the others."""
    for variant, side in SIDES.items():
        own = [first_over_others(one) for one in rounds if one.variant == variant]
        pairs = [(float(np.exp(logs.mean())), 1.0) for logs in own if len(logs)]
        if pairs:
            yield row(f"{model} {side}, inference right after a probe", paired_ratio(pairs), len(pairs), most=MOST_OFF)


def first_over_others(one: Round) -> np.ndarray:
    """The logarithm of what the first inference took over the mean of the others, of each long stretch."""
    played = one.stretches
    ends = np.concatenate([[0], np.cumsum(played.inferences)])
    chosen = played.full_speed & (played.inferences >= LEAST_IN_STRETCH)
    each = [played.latencies_ns[begin:end] for (begin, end), kept in zip(pairwise(ends), chosen, strict=True) if kept]
    return np.array([np.log(latencies[0] / latencies[1:].mean()) for latencies in each])


def probes(model: str, rounds: Sequence[Round]) -> Iterator[dict[str, Any]]:
    """Rows of what probes took."""
    full = fast_ns(rounds)
    taken = {name: np.concatenate([one.stretches.probes_ns[:, 1, 0] for one in rounds if one.variant == name]) / ns[0]
             for name, ns in full.items()}  # fmt: skip
    over = Ratio(value=float(full[CELL][0] / full[PARTNER][0]))
    yield row(f"{model}, probe after int8 over after FP32", over, None)
    every = np.concatenate(list(taken.values()))
    near = float(((every > 1 + probe.SLACK) & (every <= 1 + WIDER)).mean())
    aim = goal(f"at most {MOST_NEAR:.0%}", met=near <= MOST_NEAR, reason=f"{near:.1%} of {len(every)}")
    yield row(f"{model}, probes near the line", Ratio(value=near), None) | aim


def lines(model: str, rounds: Sequence[Round]) -> Iterator[dict[str, Any]]:
    """A row of x IR with another line over x IR as it is."""
    usual, usual_slack = speeds_of(rounds, full_speed=True), probe.SLACK
    try:
        probe.SLACK = WIDER
        wider = speeds_of(flagged(rounds), full_speed=True)
    finally:
        probe.SLACK = usual_slack
    both = [over(wider[pair], usual[pair]) for pair in usual if pair in wider]
    if both:
        yield row(f"{model}, x IR, the line at {WIDER:.0%}", paired_ratio(both), len(both), most=MOST_OFF)


def over(ours: Pair, theirs: Pair) -> Pair:
    """The speed-up of one pair, and that of the other."""
    return ours[0] / ours[1], theirs[0] / theirs[1]


class Counted(RunningRound):
    """A round whose page faults are counted."""

    def faults(self) -> int:
        """Until now."""
        told = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        return int(told.rpartition(")")[2].split()[FAULTS - 2])


def faults(job: Job, count: int) -> Iterator[dict[str, Any]]:
    """Rows of page faults an inference, with glibc as it comes and as rounds set it."""
    usual = running.KEPT_MEMORY
    for name, memory in (("as it comes", {}), ("as rounds set it", usual)):
        with tempfile.TemporaryDirectory(dir=job.folder) as folder:
            request = replace(measure.conductor_of(job, Path(folder)).requests[CELL], memory_format="contiguous_format")
            running.KEPT_MEMORY = memory
            try:
                found = [faults_of(request, Path(folder) / "round") for _ in range(count)]
            finally:
                running.KEPT_MEMORY = usual
        ratio = Ratio(value=median(found), low=min(found), high=max(found))
        aim = goal(f"at most {MOST_FAULTS:g} in each", met=max(found) <= MOST_FAULTS, reason=f"{max(found):.1f} in one")
        made = row(f"PyTorch's page faults an inference, glibc {name}", ratio, count)
        yield made | (aim if memory else NO_GOAL)


def faults_of(request: RoundRequest, scratch: Path) -> float:
    """Page faults an inference of one fresh process, in a turn of a second."""
    with Counted(request, scratch) as one:
        one.compiled()
        one.warmed_up()
        before = one.faults()
        one.turn(round(TURN_S * 1e9))
        after = one.faults()
        return (after - before) / int(one.end().stretches.inferences.sum())


def row(what: str, ratio: Ratio | None, count: int | None, *, most: float | None = None) -> dict[str, Any]:
    """One row. count: of pairs or processes. most: how far it may be from 1, if that is a goal."""
    value = ratio.value if ratio else None
    say(f"{what}: {ratio}")
    ends = (ratio.low, ratio.high) if ratio else (None, None)
    aim = NO_GOAL
    if most is not None:
        off = 1.0 if value is None else abs(value - 1)
        aim = goal(f"within {most:.0%} of 1", met=off <= most, reason=f"off by {off:.1%}")
    return {"what": what, "ratio": value, "low": ends[0], "high": ends[1], "count": count, **aim}


if __name__ == "__main__":
    main()
