"""The nodes of a Ray, which come and go: which there are, and which of them are fit for what is to run."""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from ray import ObjectRef
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from farm.engine import Place, Work
from farm.engine.preflight import Asked, Node, homeless, refuse, survey, unfit
from farm.engine.pulse import Answer, Pulse
from farm.engine.ray.needs import BENCH, Resources, bundle, lent, place_of, takes_stages
from farm.errors import EngineError

LOOK_S = 1.0  # between looks at the nodes
ANSWER_S = 5.0  # that Ray's head may take to tell of them
SILENT_S = 60.0  # that a node may take to answer
SURVEYS = 3  # of a node that is there, and never answers
NONE_THERE = f"no node offers the resource {BENCH!r}: start nodes with --resources='{{\"bench\": 1}}'"

Say = Callable[[str], None]
AskedOf = Mapping[bool, Asked]  # whether a node has `bench` -> what it is asked


class Nodes:
    """Those of the Ray that this process is in.

    alive: what each has, by name. fit: as each found itself; None before they were asked. asked: what nodes are asked
    that come later; None while nobody is.
    """

    def __init__(self, pulse: Pulse | None, say: Say) -> None:
        """pulse: of the cluster; None of a Ray of this process's own. say: is told which nodes are left out."""
        self.pulse, self.say = pulse, say
        self.alive: dict[str, Resources] = {}
        self.fit: dict[str, Node] | None = None
        self.asked: AskedOf | None = None
        self.ask_devices = False
        self.left_out: set[str] = set()
        self.surveys: dict[ObjectRef[Node], tuple[str, float]] = {}  # the node, and when it was asked
        self.unanswered: Counter[str] = Counter()  # surveys by node
        self.answer: Answer[list[dict[str, Any]]] | None = None  # that Ray's head owes
        self.looked_at = -math.inf

    def places(self) -> Sequence[Place]:
        """Those that are there now; once they were asked, those that are fit."""
        self.look()
        names = [name for name in self.alive if self.fit is None or name in self.fit]
        return tuple(place_of(name, self.alive[name], self.fit[name] if self.fit else None) for name in names)

    def look(self) -> None:
        """See which there are, and ask those that have come. Raises EngineError if Ray is gone."""
        if self.pulse is not None:
            self.pulse.check()
        now = time.monotonic()
        if now < self.looked_at + LOOK_S:
            return
        if self.answer is not None:
            nodes = self.answer.within(0.0)
        elif self.pulse is None or self.pulse.beats:
            self.answer = Answer(ray.nodes)
            nodes = self.answer.within(ANSWER_S)
        else:
            return
        if nodes is None:  # asked of a head that is there and says nothing
            if self.pulse is not None:
                self.pulse.is_silent()
            return
        self.answer, self.looked_at = None, now
        if self.pulse is not None:
            self.pulse.heard()
        there = {str(node["NodeID"]): dict(node["Resources"]) for node in nodes if node["Alive"]}
        self.alive = {name: resources for name, resources in there.items() if takes_stages(resources)}
        if self.asked is not None:
            self._survey_new(self.asked)

    def own(self) -> Node:
        """The one node of a Ray that this process has just started, waited for."""
        began = time.monotonic()
        while not self.alive:
            self.look()
            if not self.alive and time.monotonic() > began + SILENT_S:
                raise EngineError(f"Ray, started on this machine, does not answer in {SILENT_S:.0f} s")
        here = survey(frozenset(), ask_devices=self.ask_devices)
        self.fit = {name: lent(here, resources) for name, resources in self.alive.items()}
        return next(iter(self.fit.values()))

    def await_fit(
        self, works: Sequence[Work], asked: AskedOf, wait_s: float, wish: Callable[[Sequence[Work]], None]
    ) -> None:
        """Ask all nodes, and wait for others while some work fits on none. Raises EngineError for one that is unfit.

        wish: is told what is waited for.
        """
        began, found, said = time.monotonic(), dict[str, Node](), False
        while True:
            self.look()
            found = {name: node for name, node in found.items() if name in self.alive}
            new = self._to_ask(asked) - found.keys() - self.left_out
            found |= self._answered({self._surveying(name, asked): name for name in new})
            for bench, what in asked.items():
                refuse(list(unfit([node for name, node in found.items() if self._has_bench(name) == bench], what)))
            self.fit = {name: lent(node, self.alive[name]) for name, node in found.items()}
            lacking, faults = _homeless(works, list(self.fit.values()))
            if not faults:
                wish(())
                return
            if time.monotonic() - began >= wait_s:
                refuse(faults)
            if not said:
                self.say(f"waiting for nodes, {wait_s:.0f} s at most: {'; '.join(faults)}")
                said = True
            wish(lacking)
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
            self.look()
            left = {answer: name for answer, name in left.items() if name in self.alive}
        return {name: node for name, node in found.items() if name in self.alive}

    def _survey_new(self, asked: AskedOf) -> None:
        """Ask nodes that have come later, and take those in that have answered and are fit."""
        fit = self.fit or {}
        known, now = {*fit, *self.left_out, *(name for name, _ in self.surveys.values())}, time.monotonic()
        for name in self._to_ask(asked) - known:
            self.surveys[self._surveying(name, asked)] = name, now
        answered, _ = (
            ray.wait(list(self.surveys), num_returns=len(self.surveys), timeout=0) if self.surveys else ((), ())
        )
        for answer in answered:
            name, _ = self.surveys.pop(answer)
            if name in self.alive and (node := self._taken_in(name, answer, asked)) is not None:
                fit[name] = node
        for answer, (name, since) in list(self.surveys.items()):
            if now > since + SILENT_S:
                del self.surveys[answer]
                self._leave_out(name, f"{name}: it does not answer")
        self.fit = fit

    def _taken_in(self, name: str, answer: "ObjectRef[Node]", asked: AskedOf) -> Node | None:
        """A node that has come later, if it is fit."""
        try:
            node = _answer(name, answer)
        except EngineError as error:
            self._leave_out(name, str(error))
            return None
        if node is None:
            self.unanswered[name] += 1
            if self.unanswered[name] >= SURVEYS:
                self._leave_out(name, f"{name}: it does not answer")
            return None
        if faults := list(unfit([node], asked[self._has_bench(name)])):
            self._leave_out(name, "; ".join(faults))
            return None
        return lent(node, self.alive[name])

    def _leave_out(self, name: str, why: str) -> None:
        self.left_out.add(name)
        self.say(f"a node is left out: {why}")

    def _to_ask(self, asked: AskedOf) -> set[str]:
        """The nodes that may take some work: those without `bench` only where some computes on a GPU."""
        return {name for name in self.alive if self._has_bench(name) in asked}

    def _has_bench(self, name: str) -> bool:
        return bool(self.alive[name].get(BENCH))

    def _surveying(self, name: str, asked: AskedOf) -> "ObjectRef[Node]":
        """A node's survey of itself, begun."""
        there, what = NodeAffinitySchedulingStrategy(name, soft=False), asked[self._has_bench(name)]
        return _survey.options(scheduling_strategy=there).remote(
            frozenset(self.alive[name]), ask_devices=self.ask_devices, asked=what
        )


def _homeless(works: Sequence[Work], nodes: Sequence[Node]) -> tuple[list[Work], list[str]]:
    """The works that could run on none of the nodes that are there, of each kind one, and why."""
    trusted = any(node.gpus for node in nodes)
    checked = [work for work in works if trusted or not work.gpus]
    if any(not work.gpus for work in checked) and not any(node.bench for node in nodes):
        return _of_each_kind([work for work in checked if not work.gpus]), [NONE_THERE]
    lacking = [work for work in _of_each_kind(checked) if homeless([work], nodes)]
    return lacking, homeless(checked, nodes)


def _of_each_kind(works: Sequence[Work]) -> list[Work]:
    return list({tuple(bundle(work).items()): work for work in works}.values())


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
