"""Engines run stages: `inline` one after another, `ray` on a cluster. Both through `process`.

drive -> engine.submit(work) -> process.run(work) -> forkserver -> child -> stage function
"""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from farm.plan import Effort, Stage
from farm.record import Outcome
from farm.store import Store


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
class Gpus:
    """GPUs for stages that compute faster on them. slots: how many at once; 0: none, they compute on CPUs.

    apart: on nodes where nothing is measured, so that they and measurements need not wait for each other.
    """

    slots: int = 0
    apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressLine:
    """One line of progress of a stage that runs. share: of its work, that is done, if it tells: 0 to 1."""

    uri: str
    text: str
    share: float | None = None


class Engine(Protocol):
    """What runs stages. `slots`: light stages at once; `benches`: measurements at once."""

    slots: int
    benches: int

    def gpus(self, share: float, *, asked: bool) -> Gpus:
        """What stages get that take such a share of a GPU. asked: by the user, even where there is none yet."""

    def preflight(self, works: Sequence[Work]) -> None:
        """Raises EngineError, with every fault, for work that could never run here."""

    def submit(self, work: Work) -> None:
        """Take one piece of work; returns at once."""

    def wait(self, timeout_s: float) -> Sequence[Outcome | ProgressLine]:
        """Outcomes, and progress, that have come in; empty after the timeout."""

    def waiting(self) -> int:
        """Measurements submitted that do not run yet."""

    def close(self) -> None:
        """End all that still runs, and whatever was started for it."""


def new_session() -> str:
    """``$FARM_SESSION``, by which runs share a host's fork server; else a name that no other run has."""
    return os.environ.get("FARM_SESSION") or uuid.uuid4().hex[:12]
