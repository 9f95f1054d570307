"""The state of a stage: the one word for how far it is, worked out here and nowhere else. Pure.

Knows what the caller found in the store and heard of a run; reads nothing itself.
"""

from collections.abc import Callable, Collection
from enum import StrEnum

from farm.plan.stage import Plan, dependents


class State(StrEnum):
    """How far a stage is. `shown` is the same word for people."""

    DONE = "done"  # its artefact is in the store
    FAILED = "failed"  # it has none, and its last attempt failed
    WAITING = "waiting"  # it has none yet
    RUNNING = "running"  # it is at an engine
    STALE = "stale"  # it was done, but is to be done again: an input changed, or --fresh asks for it
    MISSING_INPUT = "missing_input"  # a file that it needs, or that what it needs needs, is not there

    @property
    def shown(self) -> str:
        """The state in words."""
        return self.replace("_", " ")


def state_of(
    *, done: bool, missing: str = "", failed: bool = False, running: bool = False, stale: bool = False
) -> State:
    """The state of one stage.

    done: whether its artefact is there. missing: what file it lacks, in words. failed: whether its last attempt did.
    running: whether an engine has it. stale: whether it is to be done again, or replaces a stage that was done.
    """
    if running:
        return State.RUNNING
    if done and not stale:
        return State.DONE
    if missing:
        return State.MISSING_INPUT
    if failed and not done:
        return State.FAILED
    return State.STALE if stale else State.WAITING


def states(
    plan: Plan, uris: Collection[str], *, present: Collection[str], failed: Callable[[str], bool]
) -> dict[str, State]:
    """The states of some of a plan's stages, in its order; of what is not done, one that needs a lacking stage lacks.

    present: uris whose artefact is there. failed: asked whether the last attempt of a stage did that is not there.
    """
    alone = {
        uri: state_of(
            done=uri in present, missing=stage.missing, failed=uri not in present and not stage.missing and failed(uri)
        )
        for uri, stage in plan.stages.items()
        if uri in uris
    }
    lacking = dependents(plan, {uri for uri, state in alone.items() if state is State.MISSING_INPUT})
    return {
        uri: State.MISSING_INPUT if state is State.WAITING and uri in lacking else state for uri, state in alone.items()
    }
