"""What stages need and nodes have, in Ray's own terms."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from farm.engine import Place, Work
from farm.engine.preflight import Node

BENCH, CPU, GPU = "bench", "CPU", "GPU"
BENCH_PARTS = 10_000  # the finest share of a resource that Ray knows
LIGHT = 1 / BENCH_PARTS
MEMORY_SHARE = 0.9  # of the node's, at most, for one stage

Resources = Mapping[str, float]  # of a node, by Ray's names


def takes_stages(resources: Resources) -> bool:
    """Whether a node is there for any stage of farm's."""
    return bool(resources.get(CPU) and (resources.get(BENCH) or resources.get(GPU)))


def bench_of(work: Work) -> float:
    """What a stage takes of `bench`: a measurement its part, rounded down to Ray's ten-thousandths."""
    return BENCH_PARTS // work.per_node / BENCH_PARTS if work.exclusive else LIGHT


def options(work: Work, resources: Resources) -> dict[str, Any]:
    """A task's options for a piece of work on a node. Memory is capped by the node's, or it would never start."""
    memory = resources.get("memory", math.inf) * MEMORY_SHARE
    return {
        "num_cpus": 0 if work.exclusive else work.cores,
        "num_gpus": work.gpus,
        "memory": int(min(work.memory_gib * 2**30, memory)),
        "resources": {BENCH: bench_of(work)} if resources.get(BENCH) or not work.gpus else {},
    }


def bundle(work: Work) -> dict[str, float]:
    """What a node must have that could take a piece of work, as small as it may be."""
    needs = {CPU: float(work.cores or 1), **({work.node: LIGHT} if work.node else {})}
    return {**needs, GPU: work.gpus} if work.gpus else {**needs, BENCH: LIGHT}


def place_of(name: str, resources: Resources, node: Node | None) -> Place:
    """A node as the driver has it. node: as it found itself; None before it was asked."""
    cores = int(resources.get(CPU, 0)) if node is None else node.cores
    return Place(
        name=name, cores=cores, bench=bool(resources.get(BENCH)), gpus=resources.get(GPU, 0.0),
        labels=frozenset(resources), measured=node.measured if node else (),
        memory_gib=resources.get("memory", math.inf) / 2**30,
    )  # fmt: skip


def lent(node: Node, resources: Resources) -> Node:
    """A node with what Ray lends of it: for more cores, say, a stage would wait for ever."""
    cores = min(node.cores, int(resources.get(CPU, 0)))
    return replace(node, cores=cores, gpus=resources.get(GPU, 0.0), bench=bool(resources.get(BENCH)))
