"""Simulated clusters: nodes that run stages for as long as they are told, and come and go. The clock is their own."""

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from farm.drive.placing import Need
from farm.engine import NODE_DIED, Place, ProgressLine, Work
from farm.record import Outcome

START_S = 0.15  # of a stage's process, beyond its work
DETECTED_S = 1.0  # until a node's death is known


@dataclass(slots=True)
class Node:
    """A node, and what it has in hand. lives_until: when it is taken away."""

    place: Place
    lives_until: float
    queue: deque[str] = field(default_factory=deque)
    running: dict[str, Need] = field(default_factory=dict)


@dataclass(kw_only=True)
class Cluster:
    """An engine of nodes. took_s: how long a stage takes on a node of speed 1.

    life_s: mean of a node's life, drawn from an exponential distribution; boots_s: until another comes in its place.
    """

    planned: Sequence[Place]
    took_s: Callable[[Work], float]
    life_s: float = float("inf")
    boots_s: float = 120.0
    seed: int = 0
    now: float = 0.0
    busy_s: float = 0.0
    deaths: int = 0
    tries: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """All nodes are there."""
        self.rng = random.Random(self.seed)
        self.works: dict[str, Work] = {}
        self.at: dict[str, str] = {}
        self.ends: list[tuple[float, int, str, str]] = []  # when, number, what, uri or node
        self.number = 0
        self.nodes: dict[str, Node] = {}
        self.outbox: list[Outcome] = []
        for place in self.planned:
            self._boot(place)

    def places(self) -> Sequence[Place]:
        """The nodes that are there."""
        return [node.place for node in self.nodes.values()]

    def wish(self, works: Sequence[Work]) -> None:
        """Nodes come anyway."""

    def preflight(self, works: Sequence[Work]) -> None:
        """All work fits."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._advance(self.now + seconds)

    def submit(self, work: Work, place: str) -> None:
        """Queue a stage at a node."""
        uri = work.stage.uri
        self.tries[uri] += 1
        self.works[uri], self.at[uri] = work, place
        if place not in self.nodes:
            self._lose(uri)
            return
        self.nodes[place].queue.append(uri)
        self._start(self.nodes[place])

    def wait(self, timeout_s: float) -> Sequence[Outcome | ProgressLine]:
        """What ends next, or nothing until the timeout."""
        until = self.now + timeout_s
        while not self.outbox and self.ends and self.ends[0][0] <= until:
            self._step()
        if not self.outbox:
            self.now = until
        ended, self.outbox = self.outbox, []
        return ended

    def written(self, work: Work, outcome: Outcome) -> Outcome:
        """Written down nowhere."""
        return outcome

    def _advance(self, until: float) -> None:
        while self.ends and self.ends[0][0] <= until:
            self._step()
        self.now = max(self.now, until)

    def _push(self, when: float, what: str, name: str) -> None:
        self.number += 1
        heapq.heappush(self.ends, (when, self.number, what, name))

    def _boot(self, place: Place) -> None:
        lives_s = self.rng.expovariate(1 / self.life_s) if self.life_s < float("inf") else float("inf")
        self.nodes[place.name] = Node(place, self.now + lives_s)
        if lives_s < float("inf"):
            self._push(self.now + lives_s, "dies", place.name)

    def _start(self, node: Node) -> None:
        """Run what fits, in the order that it came: measurements alone."""
        while node.queue:
            need = Need.of(self.works[node.queue[0]])
            alone = any(other.window == "exclusive" for other in node.running.values())
            cores = sum(other.cores or 1 for other in node.running.values())
            if alone or (need.window == "exclusive" and node.running) or cores + (need.cores or 1) > node.place.cores:
                return
            uri = node.queue.popleft()
            node.running[uri] = need
            seconds = self.took_s(self.works[uri])
            self.busy_s += seconds * (node.place.cores if need.window == "exclusive" else need.cores or 1)
            self._push(self.now + seconds + START_S, "ends", uri)

    def _step(self) -> None:
        self.now, _, what, name = heapq.heappop(self.ends)
        if what == "dies":
            node = self.nodes.pop(name)
            self.deaths += 1
            for uri in (*node.running, *node.queue):
                self._push(self.now + DETECTED_S, "lost", uri)
            self._push(self.now + self.boots_s, "boots", name)
        elif what == "boots":
            base, _, times = name.partition("'")
            place = next(place for place in self.planned if place.name == base)
            self._boot(replace(place, name=f"{base}'{int(times or 0) + 1}"))
        elif what == "lost":
            self._lose(name)
        elif (node := self.nodes.get(self.at[name])) is not None and name in node.running:
            del node.running[name]
            self.outbox.append(Outcome(uri=name, label="", wall_s=0.0))
            self._start(node)

    def _lose(self, uri: str) -> None:
        self.outbox.append(Outcome(uri=uri, label="", error_class="lost", error_type=NODE_DIED))
