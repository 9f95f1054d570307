"""The Ray engine: stages as plain Ray tasks, on this machine or a cluster. The only `import ray`.

Each CPU node offers ``bench: 1``. A light stage takes a ten-thousandth of it, a measurement all of it:
a reader-writer lock in Ray's own terms, which Ray does not release while a task blocks. Retries and
state are farm's, so tasks have ``max_retries=0`` and answer with an `Outcome`, never an exception.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, WorkerCrashedError

from farm.engine import Work, process
from farm.errors import EngineError
from farm.host.lease import host_cores
from farm.record import FailureClass, Outcome

BENCH = "bench"
LIGHT = 0.0001
OBJECT_STORE_BYTES = 100 * 2**20  # references carry small values only
MEMORY_SHARE = 0.9  # of the largest node's, at most, for one stage


class RayEngine:
    """Runs stages on Ray. Local by default; `address` joins a running cluster."""

    def __init__(self, address: str | None = None) -> None:
        """Start Ray on this machine, or connect. Raises EngineError if that fails or no node has `bench`."""
        self.local = address is None
        try:
            _start_local() if address is None else ray.init(address=address, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise EngineError(f"cannot reach Ray at {address or 'this machine'}: {error}") from error
        self.running: dict[Any, Work] = {}
        self.nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self.benches = int(sum(node.get(BENCH, 0) for node in self.nodes))
        self.slots = int(sum(node.get("CPU", 0) for node in self.nodes if node.get(BENCH)))
        if not self.benches:
            raise EngineError(f"no node offers the resource {BENCH!r}: start nodes with --resources='{{\"bench\": 1}}'")

    def submit(self, work: Work) -> None:
        """Hand a stage to Ray. One that no node could ever take fails at once instead of waiting for ever."""
        needs = _needs(work, self.nodes)
        reference = _run.options(name=f"{work.stage.kind} {work.stage.label}", **needs).remote(work)
        self.running[reference] = work

    def wait(self, timeout_s: float) -> Sequence[Outcome]:
        """What has ended, at least one unless the timeout passes."""
        if not self.running:
            return ()
        references = list(self.running)
        ended, _ = ray.wait(references, num_returns=1, timeout=timeout_s)
        if ended:
            ended, _ = ray.wait(references, num_returns=len(references), timeout=0)
        return tuple(self._outcome(reference) for reference in ended)

    def waiting(self) -> int:
        """Measurements that Ray has not given their node yet: submitted, less what `bench` is held by them."""
        submitted = sum(work.exclusive for work in self.running.values())
        if not submitted:
            return 0
        held = self.benches - ray.available_resources().get(BENCH, 0.0)
        return max(0, submitted - int(held + 0.5))

    def close(self) -> None:
        """Cancel what runs - its processes die with their workers - and leave Ray; a local one is stopped."""
        if not self.local:
            for reference in self.running:
                ray.cancel(reference, force=True)
        self.running.clear()
        ray.shutdown()

    def _outcome(self, reference: Any) -> Outcome:
        work = self.running.pop(reference)
        try:
            outcome: Outcome = ray.get(reference)
        except OutOfMemoryError as error:
            return _written_down(work, "oom", error)
        except (WorkerCrashedError, NodeDiedError) as error:
            return _written_down(work, "lost", error)
        except RayError as error:
            return _written_down(work, "lost", error)
        return outcome


@ray.remote(max_retries=0)
def _run(work: Work) -> Outcome:
    return process.run(work)


def _start_local() -> None:
    os.environ["RAY_AUTH_MODE"] = "disabled"  # this machine only; a cluster's own setting is left alone
    ray.init(
        address="local",
        num_cpus=len(host_cores()),
        resources={BENCH: 1},
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
    )


def _needs(work: Work, nodes: list[dict[str, float]]) -> dict[str, Any]:
    """Ray's options for a piece of work. Raises EngineError if no node has as much."""
    fitting = [node for node in nodes if node.get(BENCH) and (work.node is None or work.node in node)]
    if not fitting:
        raise EngineError(f"no node offers both {BENCH!r} and {work.node!r}")
    cores = max(int(node.get("CPU", 0)) for node in fitting)
    if work.cores is not None and work.cores > cores:
        raise EngineError(f"{work.stage.label} asks for {work.cores} cores; the largest node lends {cores}")
    memory = max(node.get("memory", 0.0) for node in fitting) * MEMORY_SHARE
    return {
        "num_cpus": 0 if work.exclusive else work.cores or cores,
        "memory": int(min(work.memory_gib * 2**30, memory)),
        "resources": {BENCH: 1 if work.exclusive else LIGHT, **({work.node: LIGHT} if work.node else {})},
    }


def _written_down(work: Work, cause: FailureClass, error: BaseException) -> Outcome:
    """The worker died before it could write the attempt down, so the driver does."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    outcome = Outcome(
        uri=work.stage.uri,
        label=work.stage.label,
        error_class=cause,
        error_type=type(error).__name__,
        error_message=str(error).strip().partition("\n")[0] or "the worker died",
        traceback=str(error),
        started_at=now,
        finished_at=now,
        memory_gib=work.memory_gib,
    )
    try:
        return work.store.add_attempt(work.stage.uri, outcome)
    except OSError as failed:
        return replace(outcome, error_message=f"{outcome.error_message}; not written down: {failed}")
