"""The Ray engine: stages as plain Ray tasks, on this machine or a cluster. The only `import ray`.

Each CPU node offers ``bench: 1``. A light stage takes a ten-thousandth of it, a measurement all of it:
a reader-writer lock in Ray's own terms, which Ray does not release while a task blocks. Retries and
state are farm's, so tasks have ``max_retries=0`` and answer with an `Outcome`, never an exception.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from farm.engine import Said, Work, process
from farm.engine.preflight import Node, check, needs_devices, survey
from farm.errors import EngineError
from farm.host.lease import host_cores
from farm.record import FailureClass, Outcome
from farm.store import Store

BENCH = "bench"
BENCH_PARTS = 10_000  # the finest share of a resource that Ray knows
LIGHT = 1 / BENCH_PARTS
OBJECT_STORE_BYTES = 100 * 2**20  # references carry small values only
NICENESS = "RAY_worker_niceness"
CONNECT_S = 10.0
MEMORY_SHARE = 0.9  # of the largest node's, at most, for one stage


class RayEngine:
    """Runs stages on Ray. Local by default; `address` joins a running cluster."""

    def __init__(self, address: str | None = None) -> None:
        """Start Ray on this machine, or connect. Raises EngineError if that fails or no node has `bench`."""
        self.local = address is None
        try:
            _start_local() if address is None else _join(address)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            raise EngineError(f"cannot reach Ray at {address or 'this machine'}: {error}") from error
        self.running: dict[Any, Work] = {}
        self.started: set[Any] = set()
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get(BENCH)]
        self.nodes = {str(node["NodeID"]): dict(node["Resources"]) for node in nodes}
        self.benches = int(sum(resources[BENCH] for resources in self.nodes.values()))
        self.slots = int(sum(resources.get("CPU", 0) for resources in self.nodes.values()))
        if not self.benches:
            ray.shutdown()
            raise EngineError(f"no node offers the resource {BENCH!r}: start nodes with --resources='{{\"bench\": 1}}'")

    def preflight(self, works: Sequence[Work]) -> None:
        """Check the work against every node with `bench`, each asked by a task of its own."""
        if not works:
            return
        ask = needs_devices(works)
        if self.local:
            check(works, [survey(frozenset(), ask_devices=ask)])
            return
        with works[0].store.probe() as probe:
            asked = [
                _survey.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
                    frozenset(resources), ask, works[0].store, probe
                )
                for node, resources in self.nodes.items()
            ]
            check(works, ray.get(asked))

    def submit(self, work: Work) -> None:
        """Hand a stage to Ray, under the stage's name."""
        name = f"{work.stage.kind} {work.stage.label}"
        self.running[_run.options(name=name, **self._needs(work)).remote(work)] = work

    def wait(self, timeout_s: float) -> Sequence[Outcome | Said]:
        """What has ended or said something; it may be nothing although something has started."""
        if not self.running:
            return ()
        ready, _ = ray.wait(list(self.running), num_returns=1, timeout=timeout_s)
        if ready:
            ready, _ = ray.wait(list(self.running), num_returns=len(self.running), timeout=0)
        return tuple(outcome for task in ready if (outcome := self._next(task)) is not None)

    def waiting(self) -> int:
        """Measurements that Ray has not given their node yet."""
        return sum(work.exclusive for task, work in self.running.items() if task not in self.started)

    def close(self) -> None:
        """Cancel what runs - its processes die with their workers - and leave Ray; a local one is stopped."""
        if not self.local:
            for task in self.running:
                ray.cancel(task, force=True)
        self.running.clear()
        ray.shutdown()

    def _next(self, task: Any) -> Outcome | Said | None:
        """What a task says: first that it has started, then how far it is, then its outcome."""
        work = self.running[task]
        try:
            said: Outcome | Said | None = ray.get(next(task))
        except RayTaskError as error:  # a bug in farm: a stage's own failures are outcomes
            said = _written_down(work, "error", error)
        except OutOfMemoryError as error:
            said = _written_down(work, "oom", error)
        except (RayError, StopIteration) as error:
            said = _written_down(work, "lost", error)
        self.started.add(task)
        if isinstance(said, Outcome):
            del self.running[task]
            self.started.discard(task)
        return said

    def _needs(self, work: Work) -> dict[str, Any]:
        """Ray's options for a piece of work. Memory is capped by the largest node's, or it would never start."""
        memory = max(resources.get("memory", 0.0) for resources in self.nodes.values()) * MEMORY_SHARE
        return {
            "num_cpus": 0 if work.exclusive else work.cores,
            "memory": int(min(work.memory_gib * 2**30, memory)),
            "resources": {
                BENCH: _share(work.per_node) if work.exclusive else LIGHT,
                **({work.node: LIGHT} if work.node else {}),
            },
        }


def _share(per_node: int) -> float:
    """What a measurement takes of `bench` where so many share a node: rounded down to Ray's ten-thousandths."""
    return BENCH_PARTS // per_node / BENCH_PARTS


@ray.remote(num_cpus=0, max_retries=0)
def _survey(labels: frozenset[str], ask_devices: bool, store: Store, probe: str) -> Node:
    return survey(labels, ask_devices=ask_devices, store=store, probe=probe)


@ray.remote(max_retries=0, num_returns="streaming")
def _run(work: Work) -> Iterator[Outcome | Said | None]:
    yield None  # it has its node: Ray itself does not tell
    yield from process.run(work)


def _join(address: str) -> None:
    """Join a running cluster. Ray itself would try for minutes where nobody listens."""
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), CONNECT_S).close()
    ray.init(address=address, log_to_driver=False)


def _start_local() -> None:
    os.environ["RAY_AUTH_MODE"] = "disabled"  # this machine only; a cluster's own setting is left alone
    os.environ[NICENESS] = "0"  # 15 by default: anything else on the host would go before a measurement
    ray.init(
        address="local",
        num_cpus=len(host_cores()),
        resources={BENCH: 1},
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
    )


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
