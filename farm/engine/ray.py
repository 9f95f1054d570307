"""The Ray engine: stages as plain Ray tasks, on this machine or a cluster. The only `import ray`.

Each CPU node offers ``bench: 1``. A light stage takes a ten-thousandth of it, a measurement all of it: a reader-writer
lock in Ray's own terms, which holds between runs too, and which Ray does not release while a task blocks. A stage goes
to the node that the driver names, and is lost with it. Retries and state are farm's, so tasks have ``max_retries=0``
and answer with an `Outcome`, never an exception. Nodes come and go: those that come are asked first whether they are
fit. What waits for a node is told to Ray's autoscaler by scouts: tasks that need the same and do nothing. One that gets
a node is over at once, and all of them are gone with the run, whatever ends that.
"""

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import ObjectRef, ObjectRefGenerator
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    TaskUnschedulableError,
)
from ray.job_config import JobConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from farm.engine import NODE_DIED, Place, ProgressLine, Work, process
from farm.engine.preflight import Asked, Node, check, homeless, needs_devices, refuse, survey, unfit
from farm.engine.pulse import Answer, Pulse, answers
from farm.errors import EngineError
from farm.host.lease import host_cores
from farm.record import FailureClass, Outcome

BENCH, CPU, GPU = "bench", "CPU", "GPU"
BENCH_PARTS = 10_000  # the finest share of a resource that Ray knows
LIGHT = 1 / BENCH_PARTS
OBJECT_STORE_BYTES = 100 * 2**20  # references carry small values only
NICENESS = "RAY_worker_niceness"
RECONNECT = "RAY_gcs_rpc_server_reconnect_timeout_s"  # after which Ray ends a driver whose head is gone
RECONNECT_S = 600  # by then farm has seen it for itself
LOOK_S = 1.0  # between looks at the nodes
ANSWER_S = 5.0  # that Ray's head may take to tell of them
SILENT_S = 60.0  # that a node may take to answer
SURVEYS = 3  # of a node that is there, and never answers
DEATHS = (NodeDiedError, TaskUnschedulableError, LocalRayletDiedError)
CAUSES: dict[type[Exception], FailureClass] = {  # a stage's own failures are outcomes: RayTaskError is a bug in farm
    RayTaskError: "error",
    OutOfMemoryError: "oom",
}
MEMORY_SHARE = 0.9  # of the node's, at most, for one stage
NONE_THERE = f"no node offers the resource {BENCH!r}: start nodes with --resources='{{\"bench\": 1}}'"

Resources = Mapping[str, float]  # of a node, by Ray's names


class RayEngine:
    """Runs stages on Ray. Local by default; `address` joins a running cluster."""

    def __init__(
        self, address: str | None = None, *, wait_s: float = 0.0, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Start Ray on this machine, or connect. Raises EngineError if that fails.

        wait_s: how long a preflight waits for nodes. say: is told what is waited for, and which nodes are left out.
        """
        self.local = address is None
        self.wait_s, self.say = wait_s, say
        try:
            raylet = None if address is None else _join(address)
            if address is None:
                _start_local()
        except (OSError, RuntimeError, ValueError, RayError) as error:
            raise EngineError(f"cannot reach Ray at {address or 'this machine'}: {error}") from error
        self.running: dict[ObjectRefGenerator, Work] = {}
        self.alive: dict[str, Resources] = {}
        self.fit: dict[str, Node] | None = None  # as they were found; None before they were asked
        self.left_out: set[str] = set()
        self.surveys: dict[ObjectRef[Node], tuple[str, float]] = {}  # the node, and when it was asked
        self.unanswered: Counter[str] = Counter()  # surveys by node
        self.asked: dict[bool, Asked] | None = None  # whether a node has `bench` -> what it is asked
        self.held = ExitStack()  # the probe that nodes look for
        self.ask_devices = False
        self.scouts: dict[ObjectRef[None], tuple[tuple[str, float], ...]] = {}  # and what each needs
        self.nodes: Answer[list[dict[str, Any]]] | None = None
        self.looked_at = self.wished_at = -math.inf
        self.pulse = None if raylet is None else Pulse(ray.get_runtime_context().gcs_address, raylet)

    def places(self) -> Sequence[Place]:
        """The nodes that are there now, once the preflight is over those that are fit."""
        self._look()
        names = [name for name in self.alive if self.fit is None or name in self.fit]  # before the preflight: all
        return tuple(_place(name, self.alive[name], self.fit[name] if self.fit else None) for name in names)

    def preflight(self, works: Sequence[Work]) -> None:
        """Check the work against every node that may take some, each asked by a task of its own.

        On a cluster, waits for nodes that some work could run on. A GPU that a cluster has yet to start is taken on
        trust: it was asked for.
        """
        self.ask_devices = needs_devices(works)
        if self.local:
            self._await_own_node()
            here = survey(frozenset(), ask_devices=self.ask_devices)
            self.fit = {name: _as_ray_has_it(here, resources) for name, resources in self.alive.items()}
            check(works, list(self.fit.values()))
        elif works:
            probe = self.held.enter_context(works[0].store.probe())
            asked = {True: Asked.by(works, probe)}
            equipped = [work for work in works if work.gpus or work.stage.equipped]
            of_gpus = {False: Asked.by(equipped, probe)} if equipped else {}
            self._await_nodes(works, asked | (of_gpus if any(work.gpus for work in works) else {}))
            self.asked = asked | of_gpus

    def submit(self, work: Work, place: str) -> None:
        """Hand a stage to Ray for a node, under the stage's name."""
        name = f"{work.stage.kind} {work.stage.label}"
        there = NodeAffinitySchedulingStrategy(place, soft=False)
        task = _run.options(name=name, scheduling_strategy=there, **self._needs(work, place)).remote(work)
        self.running[task] = work

    def wish(self, works: Sequence[Work]) -> None:
        """Tell Ray's autoscaler what waits: a scout for each piece of work, sent again where one has found a node."""
        now = time.monotonic()
        if self.pulse is None or not self.pulse.beats or (works and now < self.wished_at + LOOK_S):
            return
        self.wished_at = now
        over, _ = ray.wait(list(self.scouts), num_returns=len(self.scouts), timeout=0) if self.scouts else ((), ())
        for scout in over:
            del self.scouts[scout]
        wanted = Counter(tuple(sorted(_bundle(work).items())) for work in works)
        for scout, needs in list(self.scouts.items()):
            if wanted[needs]:
                wanted[needs] -= 1
            else:
                ray.cancel(scout)
                del self.scouts[scout]
        for needs in wanted.elements():
            self.scouts[_scout(dict(needs))] = needs

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
            Answer(ray.shutdown).within(ANSWER_S)
            return
        with suppress(RayError):  # of a head that has fallen silent just now
            self.wish(())
            if not self.local:
                for task in self.running:
                    ray.cancel(task, force=True)
        self.running.clear()
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

    def _look(self) -> None:
        """See which nodes there are, and ask those that have come. Raises EngineError if Ray is gone."""
        if self.pulse is not None:
            self.pulse.check()
        now = time.monotonic()
        if now < self.looked_at + LOOK_S:
            return
        if self.nodes is not None:
            answer = self.nodes.within(0.0)
        elif self.pulse is None or self.pulse.beats:
            self.nodes = Answer(ray.nodes)
            answer = self.nodes.within(ANSWER_S)
        else:
            return
        if answer is None:  # asked of a head that is there and says nothing
            if self.pulse is not None:
                self.pulse.is_silent()
            return
        self.nodes, self.looked_at = None, now
        if self.pulse is not None:
            self.pulse.heard()
        nodes = {str(node["NodeID"]): dict(node["Resources"]) for node in answer if node["Alive"]}
        self.alive = {
            name: resources
            for name, resources in nodes.items()
            if resources.get(CPU) and (resources.get(BENCH) or resources.get(GPU))
        }
        if self.asked is not None:
            self._survey_new(self.asked)

    def _survey_new(self, asked: Mapping[bool, Asked]) -> None:
        """Ask nodes that have come later, and take those in that have answered and are fit."""
        fit = self.fit or {}
        known, now = {*fit, *self.left_out, *(name for name, _ in self.surveys.values())}, time.monotonic()
        for name in self._asked_of(asked) - known:
            self.surveys[self._surveying(name, asked)] = name, now
        answered, _ = (
            ray.wait(list(self.surveys), num_returns=len(self.surveys), timeout=0) if self.surveys else ((), ())
        )
        for answer in answered:
            name, _ = self.surveys.pop(answer)
            if name not in self.alive:
                continue
            try:
                node = _answer(name, answer)
            except EngineError as error:
                self._leave_out(name, str(error))
                continue
            if node is None:
                self.unanswered[name] += 1
                if self.unanswered[name] >= SURVEYS:
                    self._leave_out(name, f"{name}: it does not answer")
            elif faults := list(unfit([node], asked[self._has_bench(name)])):
                self._leave_out(name, "; ".join(faults))
            else:
                fit[name] = _as_ray_has_it(node, self.alive[name])
        for answer, (name, since) in list(self.surveys.items()):
            if now > since + SILENT_S:
                del self.surveys[answer]
                self._leave_out(name, f"{name}: it does not answer")
        self.fit = fit

    def _leave_out(self, name: str, why: str) -> None:
        self.left_out.add(name)
        self.say(f"a node is left out: {why}")

    def _asked_of(self, asked: Mapping[bool, Asked]) -> set[str]:
        """The nodes that may take some work: those without `bench` only where some computes on a GPU."""
        return {name for name in self.alive if self._has_bench(name) in asked}

    def _has_bench(self, name: str) -> bool:
        return bool(self.alive[name].get(BENCH))

    def _surveying(self, name: str, asked: Mapping[bool, Asked]) -> "ObjectRef[Node]":
        """A node's survey of itself, begun."""
        there, what = NodeAffinitySchedulingStrategy(name, soft=False), asked[self._has_bench(name)]
        return _survey.options(scheduling_strategy=there).remote(
            frozenset(self.alive[name]), ask_devices=self.ask_devices, asked=what
        )

    def _await_own_node(self) -> None:
        """Wait until Ray tells of this machine: it has just started."""
        began = time.monotonic()
        while not self.alive:
            self._look()
            if not self.alive and time.monotonic() > began + SILENT_S:
                raise EngineError(f"Ray, started on this machine, does not answer in {SILENT_S:.0f} s")

    def _await_nodes(self, works: Sequence[Work], asked: Mapping[bool, Asked]) -> None:
        """Ask all nodes, and wait for others while some work fits on none. Raises EngineError for one that is unfit."""
        began, found, said = time.monotonic(), dict[str, Node](), False
        while True:
            self._look()
            found = {name: node for name, node in found.items() if name in self.alive}
            new = self._asked_of(asked) - found.keys() - self.left_out
            surveys = {self._surveying(name, asked): name for name in new}
            found |= self._answered(surveys)
            for bench, what in asked.items():
                refuse(list(unfit([node for name, node in found.items() if self._has_bench(name) == bench], what)))
            self.fit = {name: _as_ray_has_it(node, self.alive[name]) for name, node in found.items()}
            lacking, faults = _homeless(works, list(self.fit.values()))
            if not faults:
                self.wish(())
                return
            if time.monotonic() - began >= self.wait_s:
                refuse(faults)
            if not said:
                self.say(f"waiting for nodes, {self.wait_s:.0f} s at most: {'; '.join(faults)}")
                said = True
            self.wish(lacking)
            time.sleep(LOOK_S)

    def _answered(self, surveys: Mapping["ObjectRef[Node]", str]) -> dict[str, Node]:
        """The nodes that have answered, once all have answered, or died, or have been silent for too long."""
        left, found, began = dict(surveys), dict[str, Node](), time.monotonic()
        while left:
            if time.monotonic() > began + SILENT_S:
                for name in left.values():
                    self._leave_out(name, f"{name}: it does not answer")
                break
            answered, _ = ray.wait(list(left), num_returns=1, timeout=LOOK_S)
            for answer in answered:
                name = left.pop(answer)
                if (node := _answer(name, answer)) is not None and name in self.alive:
                    found[name] = node
            self._look()
            left = {answer: name for answer, name in left.items() if name in self.alive}
        return {name: node for name, node in found.items() if name in self.alive}

    def _needs(self, work: Work, place: str) -> dict[str, Any]:
        """Ray's options for a piece of work. Memory is capped by the node's, or it would never start."""
        resources = self.alive.get(place, {})
        memory = resources.get("memory", math.inf) * MEMORY_SHARE
        return {
            "num_cpus": 0 if work.exclusive else work.cores,
            "num_gpus": work.gpus,
            "memory": int(min(work.memory_gib * 2**30, memory)),
            "resources": {BENCH: bench_of(work)} if resources.get(BENCH) or not work.gpus else {},
        }


def _homeless(works: Sequence[Work], nodes: Sequence[Node]) -> tuple[list[Work], list[str]]:
    """The works that could run on none of the nodes that are there, of each kind one, and why."""
    trusted = any(node.gpus for node in nodes)
    checked = [work for work in works if trusted or not work.gpus]
    if any(not work.gpus for work in checked) and not any(node.bench for node in nodes):
        return _of_each_kind([work for work in checked if not work.gpus]), [NONE_THERE]
    lacking = [work for work in _of_each_kind(checked) if homeless([work], nodes)]
    return lacking, homeless(checked, nodes)


def _of_each_kind(works: Sequence[Work]) -> list[Work]:
    return list({tuple(_bundle(work).items()): work for work in works}.values())


def bench_of(work: Work) -> float:
    """What a stage takes of `bench`: a measurement its part, rounded down to Ray's ten-thousandths."""
    return BENCH_PARTS // work.per_node / BENCH_PARTS if work.exclusive else LIGHT


def _bundle(work: Work) -> dict[str, float]:
    """What a node must have that could take a piece of work, as small as it may be."""
    needs = {CPU: float(work.cores or 1), **({work.node: LIGHT} if work.node else {})}
    return {**needs, GPU: work.gpus} if work.gpus else {**needs, BENCH: LIGHT}


def _scout(needs: dict[str, float]) -> "ObjectRef[None]":
    """A task that needs the same as a piece of work, and does nothing."""
    more = {name: count for name, count in needs.items() if name not in (CPU, GPU)}
    return _look_around.options(num_cpus=needs[CPU], num_gpus=needs.get(GPU, 0.0), resources=more).remote()


@ray.remote(max_retries=0)
def _look_around() -> None:
    """Nothing: that it could run is what it was for."""


def _place(name: str, resources: Resources, node: Node | None) -> Place:
    cores = int(resources.get(CPU, 0)) if node is None else node.cores
    return Place(
        name=name, cores=cores, bench=bool(resources.get(BENCH)), gpus=resources.get(GPU, 0.0),
        labels=frozenset(resources), measured=node.measured if node else (),
        memory_gib=resources.get("memory", math.inf) / 2**30,
    )  # fmt: skip


def _as_ray_has_it(node: Node, resources: Resources) -> Node:
    """A node with what Ray lends of it: for more cores, say, a stage would wait for ever."""
    cores = min(node.cores, int(resources.get(CPU, 0)))
    return replace(node, cores=cores, gpus=resources.get(GPU, 0.0), bench=bool(resources.get(BENCH)))


def _answer(name: str, answer: "ObjectRef[Node]") -> Node | None:
    """A node as it found itself; None if it has died. Raises EngineError where farm itself does not run."""
    try:
        return ray.get(answer)
    except RayTaskError as error:
        text = f"{type(error.cause).__name__}: {error.cause}"
        raise EngineError(f"the node {name} cannot run farm: {text}; install it there") from error
    except RayError:
        return None


_survey = ray.remote(num_cpus=0, max_retries=0)(survey)


@ray.remote(max_retries=0, num_returns="streaming")
def _run(work: Work) -> Iterator[Outcome | ProgressLine | None]:
    yield None  # it has its node: Ray itself does not tell
    yield from process.run(work, ray.get_runtime_context().get_node_id())


def _own_raylet() -> str:
    """The socket of the raylet that this process talks to."""
    own = ray.get_runtime_context().get_node_id()
    return next((str(node["RayletSocketName"]) for node in ray.nodes() if node["NodeID"] == own), "")


def _join(address: str) -> str:
    """Join a running cluster; the socket of its daemon here. Ray itself would try for minutes where nobody listens."""
    if address.startswith("ray://"):
        text = (
            "through Ray's client nobody hears what stages say; run farm on a node of the cluster, with --address auto"
        )
        raise EngineError(f"--address {address} cannot work: {text}")
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        answers(host, int(port))
    os.environ.setdefault(RECONNECT, str(RECONNECT_S))
    ray.init(address=address, log_to_driver=False, job_config=_job())
    return _own_raylet()


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


def _ended(work: Work, error: Exception) -> Outcome:
    """How an attempt ended whose worker could not write it down. One that was lost is not written down yet."""
    causes = (cause for kind, cause in CAUSES.items() if isinstance(error, kind))
    cause: FailureClass = next(causes, "lost")
    message = str(error).strip().partition("\n")[0] or "the worker died"
    kind = NODE_DIED if isinstance(error, DEATHS) else type(error).__name__
    outcome = process.failed(process.begun(work), cause, kind, message, str(error))
    return outcome if cause == "lost" else process.written_down(work, outcome)
