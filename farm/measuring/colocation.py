"""What measurements that share a node cost one another. Conducts rounds as the measure stage does."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from farm.host.topology import Core
from farm.measuring.pairing import CELL, PARTNER, PairedRounds, conduct
from farm.measuring.request import RoundRequest
from farm.measuring.requests import Measurement, rotating_images
from farm.measuring.turns import Conductor, probe_of
from farm.plan import Effort
from farm.plan.parameters import Measure


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
    """Pairs of rounds of the FP32 IR on one part of the cores, which take turns: in company on all other parts, alone.

    The ratio of such a pair is what is left of the speed in company. cores: leased; per_node equal parts are made of
    them. ir: the folder of the FP32 IR. folder: empty. Raises RuntimeError if a round fails.
    """
    images = folder / "inputs.npy"
    np.save(images, rotating_images(parameters, {}))
    first, *company = _requests(cores, per_node, parameters, ir, images)
    conductor = Conductor(
        requests={CELL: first, PARTNER: first},
        company=company,
        scratch=folder,
        probe=probe_of(first),
        rng=random.Random(),  # noqa: S311 - the order of turns, which guards nothing
        seconds=parameters.rounds.min_seconds,
        inferences=parameters.rounds.min_inferences,
    )
    return conduct(conductor.pair, effort, clock=time.monotonic, say=say)


def _requests(
    cores: Sequence[Core], per_node: int, parameters: Measure, ir: Path, images: Path
) -> Iterator[RoundRequest]:
    """A measurement on each part of the cores; those left over stay idle."""
    size = len(cores) // per_node
    wanted = replace(parameters, device=replace(parameters.device, threads=size))
    for index in range(per_node):
        cpus = tuple(sorted(cpu for core in cores[index * size : (index + 1) * size] for cpu in core.cpus))
        part = Measurement(parameters=wanted, ir=ir, variant=ir, files={}, images=images, cpus=cpus, cores=size)
        yield part.request(PARTNER)
