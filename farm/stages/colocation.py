"""What measurements that share a node cost one another. Conducts rounds as the measure stage does."""

import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from farm.host.topology import Core
from farm.pairing import CELL, PARTNER, Played, conduct
from farm.stages.job import Job
from farm.stages.measure import request_of, rotating_images, run_round


def colocated(job: Job, parts: Sequence[Sequence[Core]], say: Callable[[str], None]) -> Played:
    """Rounds of the job's FP32 IR on the first part of the cores, in pairs: with company on all others, and alone.

    The ratio of such a pair is what is left of the speed in company. parts: cores of each measurement.
    """
    inputs = job.folder / "inputs.npy"
    np.save(inputs, rotating_images(job))
    slots = [_slot(job, cores, inputs, index) for index, cores in enumerate(parts)]
    with ThreadPoolExecutor(len(slots)) as pool:

        def play(variant: str) -> dict[str, Any]:
            busy = slots if variant == CELL else slots[:1]
            return next(iter(list(pool.map(_round, busy))))

        settings, rng = job.parameters["measure"], random.Random()  # noqa: S311 - draws an order, guards nothing
        return conduct(play, settings, rng=rng, clock=time.monotonic, say=say)


def _slot(job: Job, cores: Sequence[Core], inputs: Path, index: int) -> tuple[dict[str, Any], Path]:
    """The request of one measurement, and a folder of its own."""
    cpus = tuple(sorted(cpu for core in cores for cpu in core.cpus))
    scratch = job.folder / str(index)
    scratch.mkdir()
    return request_of(replace(job, cpus=cpus, cores=len(cores)), PARTNER, inputs), scratch


def _round(slot: tuple[dict[str, Any], Path]) -> dict[str, Any]:
    """One round on its own cores: a mask is a thread's own, and what the thread starts inherits it."""
    request, scratch = slot
    os.sched_setaffinity(0, request["cpus"])
    return run_round(request, scratch)
