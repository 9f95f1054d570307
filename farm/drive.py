"""The loop: ready stages out, outcomes back. Knows the plan and an engine, not what stages do.

ready ──(windows, measurements first)──> engine ──> outcome ──> done, retried, or failed with all that needs it
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from farm.engine import Engine, Gpus, ProgressLine, Work, new_session
from farm.grid.settings import Settings
from farm.plan import Effort, Plan, Stage, judges
from farm.plan.parameters import device_of
from farm.record import RETRIES, FailureClass, Outcome
from farm.results.events import Event, What
from farm.shown import redacted
from farm.spec import StageSpec
from farm.store import Store

Window = Literal["exclusive", "gpu", "light"]  # measurements, stages on GPUs, all others: none blocks another
WINDOW = 2  # tasks handed to the engine for each of its slots
TICK_S = 1.0
QUIET_TICK_S = 5.0  # while a measurement may run, this process sleeps
NO_GPUS = Gpus()
REFUSED = ("error", "missing_input")  # how an evaluation ends that would end so of every variant


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where a run is: stage kind -> how many. flying: handed to the engine.

    words: uri -> label and last words of stages at the engine, empty of those that do not tell how far they are.
    spent_s: of those that are done. each_s: what one takes as a rule. lanes: how many there may be at once. last: what
    came in last.
    """

    total: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    flying: Counter[str] = field(default_factory=Counter)
    words: dict[str, tuple[str, str]] = field(default_factory=dict)
    spent_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    each_s: dict[str, float] = field(default_factory=dict)
    lanes: dict[str, int] = field(default_factory=dict)
    last: Outcome | ProgressLine | None = None


@dataclass(slots=True, kw_only=True)
class Wait:
    """What a stage still waits for: all of some stages, and any of others, where there are any."""

    all_of: set[str]
    any_of: set[str] = field(default_factory=set)

    @property
    def over(self) -> bool:
        """Whether it may run."""
        return not self.all_of and not self.any_of

    def done(self, uri: str) -> bool:
        """Whether it may run now that this one is done, and could not before."""
        before = self.over
        self.all_of.discard(uri)
        if uri in self.any_of:
            self.any_of.clear()
        return self.over and not before

    def failed(self, uri: str) -> bool:
        """Whether it never may run now that this one has failed."""
        last = self.any_of == {uri}
        self.any_of.discard(uri)
        return last or uri in self.all_of


@dataclass(slots=True, kw_only=True)
class Driver:
    """One run of a plan. Stages are fed in the plan's order, so that early cells finish early.

    wanted: uris; other stages count as done. stages: the specs of all kinds, whose limits settings override.
    stale: wanted stages whose artefact is replaced once they have ended, not before. note: called with each event.
    """

    plan: Plan
    wanted: Collection[str]
    engine: Engine
    store: Store
    stages: Mapping[str, StageSpec]
    settings: Settings
    stale: Collection[str] = ()
    note: Callable[[Event], None] = lambda _: None
    session: str = field(init=False, default_factory=new_session)
    outcomes: dict[str, Outcome] = field(init=False, default_factory=dict)
    progress: Progress = field(init=False, default_factory=Progress)
    waits: dict[str, Wait] = field(init=False, default_factory=dict)
    needed_by: dict[str, list[str]] = field(init=False, default_factory=lambda: defaultdict(list))
    order: dict[str, int] = field(init=False, default_factory=dict)
    queues: dict[Window, list[tuple[int, str]]] = field(init=False, default_factory=lambda: defaultdict(list))
    in_flight: Counter[Window] = field(init=False, default_factory=Counter)
    flying: dict[str, Work] = field(init=False, default_factory=dict)
    gpus: dict[str, Gpus] = field(init=False, default_factory=dict)  # stage kind -> what its stages get
    retries: Counter[tuple[str, str]] = field(init=False, default_factory=Counter)

    def drive(self, report: Callable[[Progress], None]) -> dict[str, Outcome]:
        """Run the wanted stages, each after what it needs; the last outcome of each by uri.

        A failed stage fails, as `dep_failed`, all that needs it; everything else goes on. A model is quantized once an
        evaluation of its FP32 IR has ended, and not at all if each of them was refused: then no other will accept it.
        report: called after every change, and once a second or so. Raises EngineError, before anything runs, if some
        work never could here.
        """
        self._start()
        self.engine.preflight([self._work(uri) for uri in self.order if uri not in self.outcomes])
        report(self.progress)
        while len(self.outcomes) < len(self.order):
            self._feed()
            report(self.progress)
            for event in self.engine.wait(QUIET_TICK_S if self.in_flight["exclusive"] else TICK_S):
                self._hear(event) if isinstance(event, ProgressLine) else self._take(event)
                report(self.progress)
        report(self.progress)
        return self.outcomes

    def _start(self) -> None:
        for index, (uri, stage) in enumerate(self.plan.stages.items()):
            if uri not in self.wanted:
                continue
            self.order[uri] = index
            self.progress.total[stage.kind] += 1
            self.progress.each_s.setdefault(stage.kind, self._typical_s(stage.kind))
            self.waits[uri] = Wait(all_of={need for need in stage.inputs.values() if need in self.wanted})
        for quantization, evaluations in judges(self.plan).items():
            wanted = evaluations & self.order.keys()
            if quantization in self.order and wanted and not self.store.present(evaluations - wanted):
                self.waits[quantization].any_of = wanted
        for uri, wait in self.waits.items():
            for need in wait.all_of | wait.any_of:
                self.needed_by[need].append(uri)
        for uri in self.order:
            stage = self.plan.stages[uri]
            if stage.missing:
                self.progress.last = self._not_run(uri, "missing_input", stage.missing)
                self._fail(self.progress.last)
            elif self.waits[uri].over:
                self._ready(uri)

    def _typical_s(self, kind: str) -> float:
        return (self.plan.effort or Effort()).typical_s if self.stages[kind].exclusive else self.stages[kind].typical_s

    def _share(self, stage: Stage) -> float:
        """The share of a GPU that a stage takes where there are any; 0 of one for a CPU."""
        return self.settings.gpus.get(stage.kind, 1.0) if stage.equipped else 0.0

    def _lent(self, stage: Stage) -> Gpus:
        """What a stage gets of the engine's GPUs."""
        share = self._share(stage)
        if not share:
            return NO_GPUS
        if stage.kind not in self.gpus:
            self.gpus[stage.kind] = self.engine.gpus(share, asked=stage.kind in self.settings.gpus)
        return self.gpus[stage.kind]

    def _work(self, uri: str) -> Work:
        """A stage as the engine gets it. A GPU that was asked for stays so: the engine refuses what it has not."""
        stage, settings = self.plan.stages[uri], self.settings
        spec, device = self.stages[stage.kind], device_of(stage.parameters)
        threads = device.threads if device else None
        memory_gib = settings.memory_gib.get(stage.kind, spec.memory_gib)
        return Work(
            stage=stage,
            function=spec.function,
            store=self.store,
            session=self.session,
            cores=threads if spec.exclusive else settings.cores.get(stage.kind, 1),
            exclusive=spec.exclusive,
            per_node=settings.measure.per_node if spec.exclusive else 1,
            effort=self.plan.effort if spec.exclusive else None,
            fresh=uri in self.stale,
            node=device.node if device else None,
            timeout_s=settings.timeout_s.get(stage.kind, spec.timeout_s),
            memory_gib=memory_gib * 2.0 ** self.retries[uri, "oom"],
            gpus=self._share(stage) if self._lent(stage).slots or stage.kind in settings.gpus else 0.0,
        )

    def _not_run(self, uri: str, cause: FailureClass, text: str) -> Outcome:
        label = self.plan.stages[uri].label
        return Outcome(uri=uri, label=label, error_class=cause, error_type="NotRun", error_message=redacted(text))

    def _ready(self, uri: str) -> None:
        if uri in self.outcomes:  # what it lacks is found before its inputs are done
            return
        stage = self.plan.stages[uri]
        others: Window = "gpu" if self._lent(stage).slots else "light"
        window: Window = "exclusive" if self.stages[stage.kind].exclusive else others
        heapq.heappush(self.queues[window], (self.order[uri], uri))

    def _feed(self) -> None:
        """Measurements first. Others of their nodes only while no measurement waits: it would starve behind them."""
        per_node = self.settings.measure.per_node
        apart = per_node > 1  # measurements that share a node leave room on it, which is not for light stages
        if not (apart and self._flying_beside()):
            self._hand_over("exclusive", lambda _: self.engine.benches * per_node)
        waiting = bool(self.queues["exclusive"] or self.engine.waiting())
        for kind in self.progress.total:
            alone = self.stages[kind].exclusive
            self.progress.lanes[kind] = max(1, self.engine.benches * per_node if alone else self.engine.slots)
        measuring = waiting or (apart and self.in_flight["exclusive"] > 0)
        self._hand_over("gpu", lambda gpus: gpus.slots if gpus.apart or not measuring else 0)
        self._hand_over("light", lambda _: 0 if measuring else self.engine.slots)

    def _flying_beside(self) -> bool:
        """Whether anything flies that may land on a node of measurements, and is none."""
        on_gpus = (self._lent(work.stage) for work in self.flying.values() if work.gpus)
        return self.in_flight["light"] > 0 or any(not gpus.apart for gpus in on_gpus)

    def _hand_over(self, window: Window, slots: Callable[[Gpus], int]) -> None:
        """Hand stages of a window to the engine while it has room. slots: by what the next one is lent of GPUs."""
        queue = self.queues[window]
        while queue and self.in_flight[window] < WINDOW * slots(self._lent(self.plan.stages[queue[0][1]])):
            self._submit(heapq.heappop(queue)[1])

    def _submit(self, uri: str) -> None:
        work = self._work(uri)
        self.flying[uri] = work
        self.in_flight[_window(work)] += 1
        self.progress.flying[work.stage.kind] += 1
        self.progress.words[uri] = (work.stage.label, "")
        self.note(Event(what=What.SUBMITTED, uri=uri))
        self.engine.submit(work)

    def _hear(self, line: ProgressLine) -> None:
        self.progress.words[line.uri] = (self.plan.stages[line.uri].label, line.text)
        self.progress.last = line
        self.note(Event(what=What.WORDS, uri=line.uri, text=line.text))

    def _take(self, outcome: Outcome) -> None:
        work = self.flying.pop(outcome.uri)
        self.in_flight[_window(work)] -= 1
        self.progress.words.pop(outcome.uri, None)
        self.progress.flying[work.stage.kind] -= 1
        self.progress.last = outcome
        if outcome.ok:
            self.progress.done[work.stage.kind] += 1
            self.progress.spent_s[work.stage.kind] += outcome.wall_s
            self.outcomes[outcome.uri] = outcome
            self.note(Event(what=What.ENDED, uri=outcome.uri))
            self._go_on_after(outcome.uri)
        elif self._may_retry(outcome):
            self.note(_failure(What.RETRIED, outcome))
            self._ready(outcome.uri)
        else:
            if outcome.uri in self.stale:
                self.store.discard(outcome.uri)
            self._fail(outcome)

    def _may_retry(self, outcome: Outcome) -> bool:
        """Lost workers up to three times, memory once with twice as much; nothing else."""
        cause = str(outcome.error_class)
        self.retries[outcome.uri, cause] += 1
        return self.retries[outcome.uri, cause] <= RETRIES.get(cause, 0)

    def _fail(self, outcome: Outcome) -> None:
        """Write a failure off, and with it all that needs the stage."""
        if outcome.uri in self.outcomes:
            return
        self.outcomes[outcome.uri] = outcome
        self.note(_failure(What.ENDED, outcome))
        self.progress.failed[self.plan.stages[outcome.uri].kind] += 1
        for uri in self.needed_by[outcome.uri]:
            wait = self.waits[uri]
            if outcome.uri in wait.any_of and outcome.error_class not in REFUSED:
                if wait.done(outcome.uri):
                    self._ready(uri)
            elif wait.failed(outcome.uri):
                text = f"needs {outcome.uri.partition('/')[0]} {outcome.label}"
                self._fail(self._not_run(uri, "dep_failed", text))

    def _go_on_after(self, uri: str) -> None:
        for waiting in self.needed_by[uri]:
            if self.waits[waiting].done(uri):
                self._ready(waiting)


def _failure(what: What, outcome: Outcome) -> Event:
    return Event(what=what, uri=outcome.uri, error_class=outcome.error_class, text=outcome.error_message)


def _window(work: Work) -> Window:
    return "exclusive" if work.exclusive else "gpu" if work.gpus else "light"
