"""The Ray engine: stages as plain Ray tasks, on this machine or a cluster. The only `import ray`.

Each CPU node offers ``bench: 1``. A light stage takes a ten-thousandth of it, a measurement all of it:
a reader-writer lock in Ray's own terms, which Ray does not release while a task blocks. A stage on a GPU
asks for no `bench` where no GPU node has it; where some have it, it goes to those only, as a light stage.
Retries and state are farm's, so tasks have ``max_retries=0`` and answer with an `Outcome`, never an exception.
"""

import math
import os
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import ObjectRefGenerator
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError
from ray.job_config import JobConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from farm.engine import Gpus, ProgressLine, Work, process
from farm.engine.preflight import Asked, Node, check, needs_devices, survey
from farm.errors import EngineError
from farm.host.lease import host_cores
from farm.record import FailureClass, Outcome

BENCH, CPU, GPU = "bench", "CPU", "GPU"
BENCH_PARTS = 10_000  # the finest share of a resource that Ray knows
LIGHT = 1 / BENCH_PARTS
OBJECT_STORE_BYTES = 100 * 2**20  # references carry small values only
NICENESS = "RAY_worker_niceness"
CONNECT_S = 10.0
GPUS_TO_COME = 4  # twice as many stages wait where a cluster has yet to start some: what waits makes it start them
CAUSES: dict[type[Exception], FailureClass] = {  # a stage's own failures are outcomes: RayTaskError is a bug in farm
    RayTaskError: "error",
    OutOfMemoryError: "oom",
}
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
        self.running: dict[ObjectRefGenerator, Work] = {}
        self.started: set[ObjectRefGenerator] = set()
        alive = {str(node["NodeID"]): dict(node["Resources"]) for node in ray.nodes() if node["Alive"]}
        self.nodes = {name: resources for name, resources in alive.items() if resources.get(BENCH)}
        self._count()
        with_gpu = {name: resources for name, resources in alive.items() if resources.get(GPU) and resources.get(CPU)}
        self.gpu_nodes = {name: resources for name, resources in with_gpu.items() if name in self.nodes} or with_gpu
        self.apart = not any(name in self.nodes for name in self.gpu_nodes)
        if not self.benches:
            ray.shutdown()
            raise EngineError(f"no node offers the resource {BENCH!r}: start nodes with --resources='{{\"bench\": 1}}'")

    def gpus(self, share: float, *, asked: bool) -> Gpus:
        """Those of the nodes that are there; if there are none but some are asked for, those that a cluster starts."""
        slots = sum(_times(share, resources[GPU]) for resources in self.gpu_nodes.values())
        if not self.gpu_nodes and asked and not self.local:
            slots = _times(share, GPUS_TO_COME)
        return Gpus(slots=slots, apart=self.apart)

    def preflight(self, works: Sequence[Work]) -> None:
        """Check the work against every node that is to take some, each asked by a task of its own.

        A GPU that a cluster has yet to start is taken on trust: it was asked for.
        """
        if not self.local and not self.gpu_nodes:
            works = [work for work in works if not work.gpus]
        if not works:
            return
        nodes = {**self.nodes, **(self.gpu_nodes if any(work.gpus for work in works) else {})}
        if self.local:
            here = survey(frozenset(), ask_devices=needs_devices(works))
            check(works, [_as_ray_has_it(here, resources) for resources in nodes.values()])
            return
        with works[0].store.probe() as probe:
            asked = Asked.by(works, probe)
            surveyed = _surveyed(nodes, asked, ask_devices=needs_devices(works))
        self._forget(nodes.keys() - surveyed.keys())
        check(works, [_as_ray_has_it(node, nodes[name]) for name, node in surveyed.items()], asked)

    def _forget(self, gone: Collection[str]) -> None:
        """Count no longer on nodes that have died. Raises EngineError if none is left."""
        self.nodes = {name: resources for name, resources in self.nodes.items() if name not in gone}
        self.gpu_nodes = {name: resources for name, resources in self.gpu_nodes.items() if name not in gone}
        self._count()
        if not self.nodes:
            raise EngineError(f"all {len(gone)} nodes died while they were looked at: see that Ray's nodes stay up")

    def _count(self) -> None:
        self.benches = int(sum(resources[BENCH] for resources in self.nodes.values()))
        self.slots = int(sum(resources.get(CPU, 0) for resources in self.nodes.values()))

    def submit(self, work: Work) -> None:
        """Hand a stage to Ray, under the stage's name."""
        name = f"{work.stage.kind} {work.stage.label}"
        self.running[_run.options(name=name, **self._needs(work)).remote(work)] = work

    def wait(self, timeout_s: float) -> Sequence[Outcome | ProgressLine]:
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

    def _next(self, task: ObjectRefGenerator) -> Outcome | ProgressLine | None:
        """What a task says: first that it has started, then how far it is, then its outcome."""
        try:
            event: Outcome | ProgressLine | None = ray.get(next(task))
        except (RayError, StopIteration) as error:
            event = _written_down(self.running[task], error)
        self.started.add(task)
        if isinstance(event, Outcome):
            del self.running[task]
            self.started.discard(task)
        return event

    def _needs(self, work: Work) -> dict[str, Any]:
        """Ray's options for a piece of work. Memory is capped by the largest node's, or it would never start."""
        nodes = self.gpu_nodes if work.gpus else self.nodes
        memory = max((resources.get("memory", 0.0) for resources in nodes.values()), default=math.inf) * MEMORY_SHARE
        bench = {BENCH: _share(work.per_node) if work.exclusive else LIGHT}
        return {
            "num_cpus": 0 if work.exclusive else work.cores,
            "num_gpus": work.gpus,
            "memory": int(min(work.memory_gib * 2**30, memory)),
            "resources": {**({} if work.gpus and self.apart else bench), **({work.node: LIGHT} if work.node else {})},
        }


def _share(per_node: int) -> float:
    """What a measurement takes of `bench` where so many share a node: rounded down to Ray's ten-thousandths."""
    return BENCH_PARTS // per_node / BENCH_PARTS


def _times(share: float, gpus: float) -> int:
    """How many shares fit on a node's GPUs: Ray never splits a share over two."""
    return int(gpus) * math.floor(1 / share + 1e-9)


def _as_ray_has_it(node: Node, resources: Mapping[str, float]) -> Node:
    """A node with what Ray lends of it: for more cores, say, a stage would wait for ever."""
    cores = min(node.cores, int(resources.get(CPU, 0)))
    return replace(node, cores=cores, gpus=resources.get(GPU, 0.0), bench=bool(resources.get(BENCH)))


def _surveyed(nodes: Mapping[str, Mapping[str, float]], asked: Asked, *, ask_devices: bool) -> dict[str, Node]:
    """Every node as a task of its own finds it, but for those that die meanwhile. nodes: resources by Ray's names.

    Raises EngineError where farm itself does not run.
    """
    task = ray.remote(num_cpus=0, max_retries=0)(survey)
    answers = {
        name: task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(name, soft=False)).remote(
            frozenset(resources), ask_devices=ask_devices, asked=asked
        )
        for name, resources in nodes.items()
    }
    found = {}
    for name, answer in answers.items():
        try:
            found[name] = ray.get(answer)
        except RayTaskError as error:
            addresses = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes()}
            text = f"{type(error.cause).__name__}: {error.cause}"
            raise EngineError(f"{addresses.get(name, name)} cannot run farm: {text}; install it there") from error
        except RayError:
            continue  # it has died
    return found


@ray.remote(max_retries=0, num_returns="streaming")
def _run(work: Work) -> Iterator[Outcome | ProgressLine | None]:
    yield None  # it has its node: Ray itself does not tell
    yield from process.run(work, ray.get_runtime_context().get_node_id())


def _join(address: str) -> None:
    """Join a running cluster. Ray itself would try for minutes where nobody listens."""
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), CONNECT_S).close()
    ray.init(address=address, log_to_driver=False, job_config=_job())


def _start_local() -> None:
    os.environ["RAY_AUTH_MODE"] = "disabled"  # this machine only; a cluster's own settings are left alone
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ[NICENESS] = "0"  # 15 by default: anything else on the host would go before a measurement
    ray.init(
        address="local",
        num_cpus=len(host_cores()),
        resources={BENCH: 1},
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        job_config=_job(),
    )


def _job() -> JobConfig:
    """A job whose workers import nothing from the driver's current folder: Ray puts it first, but for its clients."""
    return JobConfig(_client_job=True)


def _written_down(work: Work, error: Exception) -> Outcome:
    """The worker died before it could write the attempt down, so the driver does."""
    causes = (cause for kind, cause in CAUSES.items() if isinstance(error, kind))
    cause: FailureClass = next(causes, "lost")
    message = str(error).strip().partition("\n")[0] or "the worker died"
    outcome = process.failed(process.begun(work), cause, type(error).__name__, message, str(error))
    return process.written_down(work, outcome)
