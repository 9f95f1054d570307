"""What measurements that share a node cost one another. Conducts rounds as the measure stage does."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from farm.host.topology import Core
from farm.measuring.pairing import CELL, PARTNER, Played, conduct
from farm.measuring.round import Round
from farm.measuring.rounds import request_of, rotating_images, run_round
from farm.stages.job import Job

Slot = tuple[dict[str, Any], Path]  # what each round of one of the measurements is asked, and a folder of its own


def colocated(
    cores: Sequence[Core],
    per_node: int,
    *,
    parameters: Mapping[str, Any],
    effort: Mapping[str, Any],
    inputs: Mapping[str, Path],
    folder: Path,
    say: Callable[[str], None],
) -> Played:
    """Rounds of the FP32 IR on one part of the cores, in pairs: in company on all other parts, and alone.

    The ratio of such a pair is what is left of the speed in company. cores: leased; per_node equal parts are
    made of them. parameters, inputs: of a measure stage. effort: as in `farm.grid.settings.Measure`. folder: empty.
    Raises RuntimeError if a round fails.

    The company plays round after round until the round beside it has answered, as a neighbour in a campaign
    would: so it is starting an interpreter and compiling for a part of the time, and timing its own loop for
    the rest. It has a head start, drawn anew for each pair, of up to the time of a timed loop: when the round
    beside it begins to time, the company's first timed loop runs already.
    """
    jobs = list(_jobs(cores, per_node, parameters, inputs, folder))
    images = folder / "inputs.npy"
    np.save(images, rotating_images(jobs[0]))
    first, *company = [(request_of(job, PARTNER, images), job.folder) for job in jobs]
    rng = random.Random()  # noqa: S311 - draws orders and head starts, guards nothing
    with ThreadPoolExecutor(per_node) as pool:

        def play(variant: str) -> Round:
            if variant != CELL:
                return pool.submit(_round, first).result()
            return _in_company(pool, first, company, rng.uniform(0, parameters["measure"]["min_seconds"]))

        return conduct(play, effort, rng=rng, clock=time.monotonic, say=say)


def _jobs(
    cores: Sequence[Core], per_node: int, parameters: Mapping[str, Any], inputs: Mapping[str, Path], folder: Path
) -> Iterator[Job]:
    """A measurement on each part of the cores; those left over stay idle."""
    each = len(cores) // per_node
    asked = {**parameters, "device": {**parameters["device"], "threads": each}}
    for index in range(per_node):
        part = cores[index * each : (index + 1) * each]
        cpus = tuple(sorted(cpu for core in part for cpu in core.cpus))
        scratch = folder / str(index)
        scratch.mkdir()
        yield Job(parameters=asked, inputs=inputs, files={}, folder=scratch, cpus=cpus, cores=each)


def _in_company(pool: ThreadPoolExecutor, first: Slot, company: Sequence[Slot], lead_s: float) -> Round:
    """The first one's round, while all others play theirs; returns when theirs have ended too."""
    over = threading.Event()
    neighbours = [pool.submit(_rounds, slot, over) for slot in company]
    try:
        time.sleep(lead_s)
        own = pool.submit(_round, first).result()
    finally:
        over.set()
    for neighbour in neighbours:
        neighbour.result()  # raises what the neighbour did: without company the round means nothing
    return own


def _rounds(slot: Slot, over: threading.Event) -> None:
    """Rounds for nobody, one after another, until it is over."""
    while not over.is_set():
        _round(slot)


def _round(slot: Slot) -> Round:
    """One round on its own cores: a mask is a thread's own, and what the thread starts inherits it."""
    request, scratch = slot
    os.sched_setaffinity(0, request["cpus"])
    return run_round(request, scratch)
