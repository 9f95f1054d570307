"""Which stage goes to which node next. Knows nodes, their loads and what waits, not what stages do or how they end.

Each node has windows of its own: so many cores of light work, so many measurements. A node whose turn it is to measure
gets no light work, drains, and measures one after another until nothing more waits that it could measure. So nodes go
over to measuring one by one while the others work, and what a drained node loses is lost once for several measurements.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal

from farm.engine import Place, Work

Window = Literal["exclusive", "gpu", "light"]  # measurements, stages on GPUs, all others
BATCH = 8  # so many measurements that wait are worth a turn while light work waits too
SPARE = 0.25  # of a node's cores: light work that it is handed beyond them, so that it never waits for the driver


@dataclass(frozen=True, slots=True)
class Need:
    """What a stage needs of a node. Stages alike in this wait in one queue. cores: None for all of a node's."""

    window: Window
    cores: int | None = 1
    gpus: float = 0.0
    label: str | None = None
    memory_gib: float = 0.0
    per_node: int = 1

    @classmethod
    def of(cls, work: Work) -> "Need":
        """What a piece of work needs."""
        window: Window = "exclusive" if work.exclusive else "gpu" if work.gpus else "light"
        return cls(window, work.cores, work.gpus, work.node, work.memory_gib, work.per_node)

    def fits(self, place: Place) -> bool:
        """Whether a node could take it, were it idle."""
        if self.label is not None and self.label not in place.labels:
            return False
        if self.window == "exclusive":
            return place.bench and place.measures(self.cores or 1, self.per_node)
        if (self.cores or 1) > place.cores:
            return False
        return place.shares(self.gpus) > 0 if self.window == "gpu" else place.bench


@dataclass(slots=True)
class Load:
    """What a node has in hand. light: cores of light work. measured, computed: stages. turn: to measure."""

    light: int = 0
    measured: int = 0
    computed: int = 0
    memory_gib: float = 0.0
    turn: bool = False

    @property
    def others(self) -> int:
        """What has to end before it can measure."""
        return self.light + self.computed

    def take(self, need: Need, sign: int = 1) -> None:
        """Count a stage in, or out."""
        self.memory_gib += sign * need.memory_gib
        match need.window:
            case "exclusive":
                self.measured += sign
            case "gpu":
                self.computed += sign
            case _:
                self.light += sign * (need.cores or 1)


@dataclass(slots=True, kw_only=True)
class Placing:
    """What waits, by what it needs, and what each node has in hand.

    per_node: measurements that may share a node. full: nodes without space on a disk: they get nothing that fits on
    another.
    """

    per_node: int = 1
    places: dict[str, Place] = field(default_factory=dict)
    loads: dict[str, Load] = field(default_factory=dict)
    queues: dict[Need, list[tuple[int, str]]] = field(default_factory=dict)
    taken: dict[str, tuple[Need, str]] = field(default_factory=dict)  # uri -> what it needs, and where it is
    full: set[str] = field(default_factory=set)

    def see(self, places: Iterable[Place]) -> None:
        """Take note of the nodes that there are now. What a node that is gone had in hand will end by itself."""
        self.places = {place.name: place for place in places}
        self.loads = {name: self.loads.get(name) or Load() for name in self.places}

    def put(self, need: Need, order: int, uri: str) -> None:
        """Have a stage wait. order: lower goes first among those that need the same."""
        heappush(self.queues.setdefault(need, []), (order, uri))

    def assigned(
        self, liked: Mapping[str, Collection[str]], shunned: Mapping[str, Collection[str]]
    ) -> Iterator[tuple[str, str]]:
        """Stages that wait, each with the node that it goes to; as many as there is room for.

        liked, shunned: uri -> nodes that are better, or worse, where that costs nothing.
        """
        self._take_turns(shunned)
        for need in sorted(
            (need for need, queue in self.queues.items() if queue), key=lambda need: self.queues[need][0]
        ):
            queue, fitting = self.queues[need], self._fitting(need)
            while queue:
                _, uri = queue[0]
                name = self._best(need, fitting, liked.get(uri, ()), shunned.get(uri, ()))
                if name is None:
                    break
                heappop(queue)
                self.loads[name].take(need)
                self.taken[uri] = need, name
                yield uri, name

    def ended(self, uri: str) -> str:
        """Take note that a stage is no longer at a node; which one it was."""
        need, name = self.taken.pop(uri)
        if name in self.loads:
            self.loads[name].take(need, -1)
        return name

    def waiting(self) -> list[tuple[Need, int]]:
        """What waits, and how much of it."""
        return [(need, len(queue)) for need, queue in self.queues.items() if queue]

    def next_ones(self, count: int) -> list[tuple[str, Need]]:
        """So many of the stages that wait, of each need some, and what they need."""
        queues = sorted(self.queues.items(), key=lambda each: each[1][:1])
        return [(uri, need) for need, queue in queues for _, uri in queue[:count]][:count]

    def withdrawn(self, need: Need, wanted: Callable[[str], bool]) -> list[str]:
        """Stages that wait so no longer, if the first of them is wanted."""
        queue = self.queues[need]
        return [uri for _, uri in self.queues.pop(need)] if wanted(queue[0][1]) else []

    def homeless(self) -> list[Need]:
        """What waits and fits on none of the nodes that there are."""
        return [need for need, _ in self.waiting() if not self._fitting(need)]

    def measuring(self) -> bool:
        """Whether any measurement is at a node."""
        return any(load.measured for load in self.loads.values())

    def lanes(self, *, exclusive: bool) -> int:
        """How many measurements, or light stages of one core, there may be at once."""
        nodes = [place for place in self.places.values() if place.bench]
        return max(1, len(nodes) * self.per_node if exclusive else sum(place.cores for place in nodes))

    def _fitting(self, need: Need) -> list[str]:
        fitting = [name for name, place in self.places.items() if need.fits(place)]
        return [name for name in fitting if name not in self.full] or fitting

    def _best(
        self, need: Need, fitting: Collection[str], liked: Collection[str], shunned: Collection[str]
    ) -> str | None:
        """The node with room that is least busy; of several such one that is liked.

        None of those that are shunned, unless no other fits: rather another's room is waited for.
        """

        def rank(name: str) -> tuple[float, bool]:
            busy = self._busy(need, name)
            return busy, name not in liked

        allowed = [name for name in fitting if name not in shunned] or fitting
        return min((name for name in allowed if self._has_room(need, name)), key=rank, default=None)

    def _busy(self, need: Need, name: str) -> float:
        """How much of what a stage needs is taken on a node: 1 where it would have to wait."""
        load, place = self.loads[name], self.places[name]
        match need.window:
            case "exclusive":
                return load.measured / self.per_node
            case "gpu":
                return load.computed / place.shares(need.gpus)
            case _:
                return load.light / place.cores

    def _has_room(self, need: Need, name: str) -> bool:
        load, place = self.loads[name], self.places[name]
        if (load.others or load.measured) and load.memory_gib + need.memory_gib > place.memory_gib:
            return False
        match need.window:
            case "exclusive":
                return load.turn and not load.others and load.measured < self.per_node
            case "gpu":
                return not load.turn and load.computed < with_spare(place.shares(need.gpus))
            case _:
                return not load.turn and (not load.light or load.light + (need.cores or 1) <= with_spare(place.cores))

    def _take_turns(self, shunned: Mapping[str, Collection[str]]) -> None:
        """Give nodes their turn to measure, and take it from those that have nothing to measure.

        Small nodes first, of these the least busy: a measurement takes a node whole. While light work waits, a node
        that has some in hand gets its turn for several measurements only.
        """
        wanted = {need: count for need, count in self.waiting() if need.window == "exclusive"}
        for name, load in self.loads.items():
            if load.turn and not load.measured and not any(self._measures(need, name, shunned) for need in wanted):
                load.turn = False
        others = [need for need, _ in self.waiting() if need.window != "exclusive"]
        for need, count in wanted.items():
            fitting = [name for name in self._fitting(need) if self._measures(need, name, shunned)]
            fitting.sort(key=lambda name: (self.places[name].cores, self.loads[name].others))
            left = count - sum(
                self._worth(name, others) - self.loads[name].measured for name in fitting if self.loads[name].turn
            )
            for name in (name for name in fitting if not self.loads[name].turn):
                if left <= 0:
                    break
                worth = self._worth(name, others)
                if worth > self.per_node and left < worth:
                    continue
                self.loads[name].turn = True
                left -= worth

    def _measures(self, need: Need, name: str, shunned: Mapping[str, Collection[str]]) -> bool:
        """Whether a node could take a measurement that waits: it fits there, and not all that wait so shun the node."""
        if not need.fits(self.places[name]):
            return False
        queue = self.queues[need]
        if len(queue) > len(shunned):
            return True
        others = set(self._fitting(need)) - {name}
        return any(name not in shunned.get(uri, ()) or others <= set(shunned[uri]) for _, uri in queue)

    def _worth(self, name: str, others: Collection[Need]) -> int:
        """How many measurements a node's turn is for: several, where it drains for them though it had other work."""
        drains = self.loads[name].others and any(other.fits(self.places[name]) for other in others)
        return self.per_node * (BATCH if drains else 1)


def with_spare(count: int) -> int:
    """So many, and some that wait: at least one."""
    return count + math.ceil(SPARE * count)
