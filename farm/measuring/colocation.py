"""What measurements that share a node cost one another. Conducts rounds as the measure stage does."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from farm.host.topology import Core
from farm.measuring.pairing import CELL, PARTNER, PairedRounds, conduct
from farm.measuring.request import RoundRequest
from farm.measuring.round import Round
from farm.measuring.rounds import Measurement, rotating_images, run_round
from farm.plan import Effort
from farm.plan.parameters import Measure

Slot = tuple[RoundRequest, Path]  # what each round of one of the measurements is asked, and a folder of its own


def colocated(
    cores: Sequence[Core],
    per_node: int,
    *,
    parameters: Measure,
    effort: Effort,
    ir: Path,
    folder: Path,
    say: Callable[[str], None],
) -> PairedRounds:
    """Rounds of the FP32 IR on one part of the cores, in pairs: in company on all other parts, and alone.

    The ratio of such a pair is what is left of the speed in company. cores: leased; per_node equal parts are made of
    them. ir: the folder of the FP32 IR. folder: empty. Raises RuntimeError if a round fails.

    The company runs round after round until the round beside it has answered, as neighbours in a campaign do. It has a
    head start, by lot for each pair, of up to the time of a timed loop: so one runs when the round beside it begins.
    """
    images = folder / "inputs.npy"
    np.save(images, rotating_images(parameters, {}))
    first, *company = _slots(cores, per_node, parameters, ir, images)
    rng = random.Random()  # noqa: S311 - orders and head starts, which guard nothing
    with ThreadPoolExecutor(per_node) as pool:

        def measure_round(variant: str) -> Round:
            if variant != CELL:
                return pool.submit(_round, first).result()
            return _in_company(pool, first, company, rng.uniform(0, parameters.rounds.min_seconds))

        return conduct(measure_round, effort, rng=rng, clock=time.monotonic, say=say)


def _slots(cores: Sequence[Core], per_node: int, parameters: Measure, ir: Path, images: Path) -> Iterator[Slot]:
    """A measurement on each part of the cores; those left over stay idle."""
    size = len(cores) // per_node
    wanted = replace(parameters, device=replace(parameters.device, threads=size))
    for index in range(per_node):
        cpus = tuple(sorted(cpu for core in cores[index * size : (index + 1) * size] for cpu in core.cpus))
        scratch = images.parent / str(index)
        scratch.mkdir()
        part = Measurement(parameters=wanted, ir=ir, variant=ir, files={}, images=images, cpus=cpus, cores=size)
        yield part.request(PARTNER), scratch


def _in_company(pool: ThreadPoolExecutor, first: Slot, company: Sequence[Slot], lead_s: float) -> Round:
    """The first one's round, while the company measures; returns when all have ended."""
    over = threading.Event()
    neighbours = [pool.submit(_rounds, slot, over) for slot in company]
    try:
        time.sleep(lead_s)
        row = pool.submit(_round, first).result()
    finally:
        over.set()
    for neighbour in neighbours:
        neighbour.result()  # raises what the neighbour did: without company the round means nothing
    return row


def _rounds(slot: Slot, over: threading.Event) -> None:
    """Rounds of the company, one after another, until it is over."""
    while not over.is_set():
        _round(slot)


def _round(slot: Slot) -> Round:
    """One round on its own cores: a mask is a thread's own, and what the thread starts inherits it."""
    request, scratch = slot
    os.sched_setaffinity(0, request.cpus)
    return run_round(request, scratch)
