"""The Ray engine: stages as plain Ray tasks, on this machine or a cluster. The only package that imports Ray.

Each CPU node offers ``bench: 1``. A light stage takes a ten-thousandth of it, a measurement all of it: a reader-writer
lock in Ray's own terms, which holds between runs too, and which Ray does not release while a task blocks. A stage goes
to the node that the driver names, and is lost with it. Retries and state are farm's, so tasks have ``max_retries=0``
and answer with an `Outcome`, never an exception. Nodes come and go: those that come are asked first whether they are
fit.
"""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import ObjectRefGenerator
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    TaskUnschedulableError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from farm.engine import NODE_DIED, Place, ProgressLine, Work, process
from farm.engine.preflight import Asked, check, needs_devices
from farm.engine.pulse import Answer, Pulse
from farm.engine.ray import connection
from farm.engine.ray.needs import options
from farm.engine.ray.nodes import Nodes
from farm.engine.ray.scouts import Scouts
from farm.errors import EngineError
from farm.record import FailureClass, Outcome

LEAVE_S = 15.0  # that leaving a Ray that is gone may take: it waits for what it has not sent
DEATHS = (NodeDiedError, TaskUnschedulableError, LocalRayletDiedError)
CAUSES: dict[type[Exception], FailureClass] = {  # a stage's own failures are outcomes: RayTaskError is a bug in farm
    RayTaskError: "error",
    OutOfMemoryError: "oom",
}


class RayEngine:
    """Runs stages on Ray. Local by default; `address` joins a running cluster."""

    def __init__(
        self, address: str | None = None, *, wait_s: float = 0.0, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Start Ray on this machine, or connect. Raises EngineError if that fails.

        wait_s: how long a preflight waits for nodes. say: is told what is waited for, and which nodes are left out.
        """
        self.wait_s, self.pulse = wait_s, None
        try:
            if address is None:
                connection.start()
            else:
                raylet = connection.join(address)
                self.pulse = Pulse(ray.get_runtime_context().gcs_address, raylet)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            raise EngineError(f"cannot reach Ray at {address or 'this machine'}: {error}") from error
        self.nodes, self.scouts = Nodes(self.pulse, say), Scouts()
        self.running: dict[ObjectRefGenerator, Work] = {}
        self.held = ExitStack()  # the probe that nodes look for

    def places(self) -> Sequence[Place]:
        """The nodes that are there now, once the preflight is over those that are fit."""
        return self.nodes.places()

    def preflight(self, works: Sequence[Work]) -> None:
        """Check the work against every node that may take some, each asked by a task of its own.

        On a cluster, waits for nodes that some work could run on. A GPU that a cluster has yet to start is taken on
        trust: it was asked for.
        """
        self.nodes.ask_devices = needs_devices(works)
        if self.pulse is None:
            check(works, [self.nodes.own()])
        elif works:
            probe = self.held.enter_context(works[0].store.files.probe())
            asked = {True: Asked.by(works, probe)}
            equipped = [work for work in works if work.gpus or work.stage.equipped]
            of_gpus = {False: Asked.by(equipped, probe)} if equipped else {}
            now = asked | (of_gpus if any(work.gpus for work in works) else {})
            self.nodes.await_fit(works, now, self.wait_s, self.wish)
            self.nodes.asked = asked | of_gpus

    def submit(self, work: Work, place: str) -> None:
        """Hand a stage to Ray for a node, under the stage's name."""
        name = f"{work.stage.kind} {work.stage.label}"
        there, needs = NodeAffinitySchedulingStrategy(place, soft=False), options(work, self.nodes.alive.get(place, {}))
        self.running[_run.options(name=name, scheduling_strategy=there, **needs).remote(work)] = work

    def wish(self, works: Sequence[Work]) -> None:
        """Tell the autoscaler of a cluster that answers what waits."""
        if self.pulse is not None and self.pulse.beats:
            self.scouts.wish(works)

    def wait(self, timeout_s: float) -> Sequence[Outcome | ProgressLine]:
        """What has ended or said something; it may be nothing although something has started."""
        if not self.running:
            return ()
        ready, _ = ray.wait(list(self.running), num_returns=1, timeout=timeout_s)
        if ready:
            ready, _ = ray.wait(list(self.running), num_returns=len(self.running), timeout=0)
        return tuple(outcome for task in ready if (outcome := self._next(task)) is not None)

    def written(self, work: Work, outcome: Outcome) -> Outcome:
        """Written down by the driver."""
        return process.written_down(work, outcome)

    def close(self) -> None:
        """Cancel what runs - its processes die with their workers - and leave Ray; a local one is stopped.

        From a Ray that is gone nothing is asked any more: it would be waited for.
        """
        with suppress(OSError):  # of a store that is away
            self.held.close()
        if self.pulse is not None and self.pulse.gone:
            Answer(self._leave).within(LEAVE_S)
            return
        with suppress(RayError):  # of a head that has fallen silent just now
            self.wish(())
            if self.pulse is not None:
                for task in self.running:
                    ray.cancel(task, force=True)
        self.running.clear()
        ray.shutdown()

    def _leave(self) -> None:
        """Leave Ray. What still names an object of its when it is gone would end this process, exit code 1."""
        self.running.clear()
        self.scouts.out.clear()
        self.nodes.surveys.clear()
        gc.collect()
        ray.shutdown()

    def _next(self, task: ObjectRefGenerator) -> Outcome | ProgressLine | None:
        """What a task says: first that it has started, then how far it is, then its outcome."""
        work = self.running[task]
        try:
            event: Outcome | ProgressLine | None = ray.get(next(task))
        except (RayError, StopIteration) as error:
            event = _ended(work, error)
        if isinstance(event, Outcome):
            del self.running[task]
        return event


@ray.remote(max_retries=0, num_returns="streaming")
def _run(work: Work) -> Iterator[Outcome | ProgressLine | None]:
    yield None  # it has its node: Ray itself does not tell
    yield from process.run(work, ray.get_runtime_context().get_node_id())


def _ended(work: Work, error: Exception) -> Outcome:
    """How an attempt ended whose worker could not write it down. One that was lost is not written down yet."""
    causes = (cause for kind, cause in CAUSES.items() if isinstance(error, kind))
    cause: FailureClass = next(causes, "lost")
    message = str(error).strip().partition("\n")[0] or "the worker died"
    kind = NODE_DIED if isinstance(error, DEATHS) else type(error).__name__
    outcome = process.failed(process.begun(work), cause, kind, message, str(error))
    return outcome if cause == "lost" else process.written_down(work, outcome)
