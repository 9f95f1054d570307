"""Engines run stages: `inline` one after another, `ray` on a cluster. Both through `process`.

drive -> engine.submit(work) -> process.run(work) -> forkserver -> child -> stage function
"""

import math
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from farm.plan import Effort, Stage
from farm.record import Outcome
from farm.store import Store

NODE_DIED = "NodeDied"  # the error type of an attempt that is known to have been lost with its node


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A stage to run, with its limits. node: only hosts so labelled.

    cores: None leases all of the host's. exclusive: has its node to itself, or shares it with other such work
    only: per_node pieces at once, each on its part of the cores. effort: of a measurement; no key has it.
    fresh: done again, though its artefact is there. gpus: the share of a GPU that it needs.
    """

    stage: Stage
    function: str
    store: Store
    session: str
    cores: int | None = 1
    exclusive: bool = False
    per_node: int = 1
    effort: Effort | None = None
    fresh: bool = False
    node: str | None = None
    timeout_s: float = 1800.0
    memory_gib: float = 4.0
    gpus: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node that takes stages. name: the engine's own. cores: light stages of one core that run on it at once.

    bench: whether it takes measurements, and stages that need no GPU. labels: that a device may ask for. memory_gib:
    that it lends to stages. measured: cores that it lends to measurements, by NUMA node; empty for as many as `cores`.
    """

    name: str
    cores: int
    bench: bool = True
    gpus: float = 0.0
    labels: frozenset[str] = frozenset()
    memory_gib: float = math.inf
    measured: tuple[int, ...] = ()

    def measures(self, cores: int, per_node: int) -> bool:
        """Whether it has the cores for measurements; those that share it each need theirs on one NUMA node."""
        parts = self.measured or (self.cores,)
        return cores <= sum(parts) if per_node == 1 else per_node <= sum(part // cores for part in parts)

    def shares(self, share: float) -> int:
        """How many such shares of a GPU fit on its own: none is split over two."""
        return int(self.gpus) * math.floor(1 / share + 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressLine:
    """One line of progress of a stage that runs. share: of its work, that is done, if it tells: 0 to 1."""

    uri: str
    text: str
    share: float | None = None


class Engine(Protocol):
    """What runs stages, each on the node that it is handed to."""

    def places(self) -> Sequence[Place]:
        """The nodes that take stages now: they may come and go. Raises EngineError if the engine itself is gone."""

    def preflight(self, works: Sequence[Work]) -> None:
        """Raises EngineError, with every fault, for work that could never run here."""

    def submit(self, work: Work, place: str) -> None:
        """Take one piece of work for a node; returns at once."""

    def wish(self, works: Sequence[Work]) -> None:
        """Take note of what waits for a node, for a cluster that may start some; of nothing, if nothing waits."""

    def wait(self, timeout_s: float) -> Sequence[Outcome | ProgressLine]:
        """Outcomes, and progress, that have come in; empty after the timeout.

        A worker that was lost has written nothing down: that is `written`'s. Raises EngineError as `places`.
        """

    def written(self, work: Work, outcome: Outcome) -> Outcome:
        """An attempt written down, which its worker could not."""

    def close(self) -> None:
        """End all that still runs, and whatever was started for it."""


def new_session() -> str:
    """``$FARM_SESSION``, by which runs share a host's fork server; else a name that no other run has."""
    return os.environ.get("FARM_SESSION") or uuid.uuid4().hex[:12]
