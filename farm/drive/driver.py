"""The loop itself: what is ready is placed, what has ended is done, tried again, or failed with all that needs it."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from farm.drive.placing import Need, Placing
from farm.drive.progress import Progress
from farm.drive.tries import Tries
from farm.engine import NODE_DIED, Engine, ProgressLine, Work, new_session
from farm.errors import EngineError
from farm.grid.settings import Settings
from farm.plan import Effort, Plan, Stage, judges
from farm.plan.parameters import device_of
from farm.record import FailureClass, Outcome
from farm.results.events import Event, What
from farm.shown import redacted
from farm.spec import StageSpec
from farm.store import Store
from farm.store.claims import Claims

TICK_S = 1.0
QUIET_TICK_S = 5.0  # while a measurement may run, this process sleeps
PATIENCE_S = 600.0  # that nothing can go on for want of a node
SPARED = 3  # nodes that may be without space on a disk: were it the store's, all would be
ELSEWHERE_S = 5.0  # between looks at what other drivers are at work on
WAITING = 8  # stages that are told to the engine, of all that wait for a node
REFUSED = ("error", "missing_input")  # how an evaluation ends that would end so of every variant


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An attempt that was lost, until it is judged why. due: when that is, by the driver's clock."""

    outcome: Outcome
    work: Work
    place: str
    due: float


@dataclass(slots=True, kw_only=True)
class Driver:
    """One run of a plan. Stages are fed in the plan's order, so that early cells finish early.

    wanted: uris; other stages count as done. stages: the specs of all kinds, whose limits settings override.
    stale: wanted stages whose artefact is replaced once they have ended, not before. note: called with each event.
    claims: keep other drivers of this store from doing the same; None: there are none. patience_s: how long nothing may
    go on for want of a node. clock, sleep: as `time` has them.
    """

    plan: Plan
    wanted: Collection[str]
    engine: Engine
    store: Store
    stages: Mapping[str, StageSpec]
    settings: Settings
    stale: Collection[str] = ()
    note: Callable[[Event], None] = lambda _: None
    claims: Claims | None = None
    patience_s: float = PATIENCE_S
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    session: str = field(init=False, default_factory=new_session)
    outcomes: dict[str, Outcome] = field(init=False, default_factory=dict)
    progress: Progress = field(init=False, default_factory=Progress)
    waits: dict[str, Wait] = field(init=False, default_factory=dict)
    needed_by: dict[str, list[str]] = field(init=False, default_factory=lambda: defaultdict(list))
    order: dict[str, int] = field(init=False, default_factory=dict)
    placing: Placing = field(init=False)
    ready: dict[str, Work] = field(init=False, default_factory=dict)
    flying: dict[str, Work] = field(init=False, default_factory=dict)
    made_at: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)  # uri -> node where it was made
    liked: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)  # uri -> nodes where its inputs were
    shunned: dict[str, set[str]] = field(init=False, default_factory=lambda: defaultdict(set))
    lost: list[Lost] = field(init=False, default_factory=list)
    elsewhere: set[str] = field(init=False, default_factory=set)  # what another driver is at work on
    looked_at: float = field(init=False, default=float("-inf"))
    tries: Tries = field(init=False, default_factory=Tries)
    stuck_since: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Begin with no node."""
        self.placing = Placing(per_node=self.settings.measure.per_node)

    def drive(self, report: Callable[[Progress], None]) -> dict[str, Outcome]:
        """Run the wanted stages, each after what it needs; the last outcome of each by uri.

        A failed stage fails, as `dep_failed`, all that needs it; everything else goes on. A model is quantized once an
        evaluation of its FP32 IR has ended, and not at all if each of them was refused: then no other will accept it.
        report: called after every change, and once a second or so. Raises EngineError, before anything runs, if some
        work never could here; and later where the engine is gone, no node comes, or a disk is full. Then nothing is
        written off: the same run goes on from there.
        """
        self.placing.see(self.engine.places())
        self._start()
        self.engine.preflight([self._work(uri) for uri in self.order if uri not in self.outcomes])
        self._begin()
        report(self.progress)
        while len(self.outcomes) < len(self.order):
            self._feed()
            report(self.progress)
            for event in self._heard():
                if isinstance(event, ProgressLine):
                    self._hear(event)
                else:
                    self._take(event)
                report(self.progress)
            self._judge()
            self._look_elsewhere()
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
            if missing := self.plan.stages[uri].missing:
                self.progress.last = self._not_run(uri, "missing_input", missing)
                self._fail(self.progress.last)

    def _begin(self) -> None:
        """Have all wait for a node that wait for nothing else."""
        self.placing.see(self.engine.places())
        for uri, wait in self.waits.items():
            if wait.over:
                self._ready(uri)

    def _typical_s(self, kind: str) -> float:
        return (self.plan.effort or Effort()).typical_s if self.stages[kind].exclusive else self.stages[kind].typical_s

    def _share(self, stage: Stage) -> float:
        """The share of a GPU that a stage takes where there are any; 0 of one for a CPU."""
        return self.settings.gpus.get(stage.kind, 1.0) if stage.equipped else 0.0

    def _gpus(self, stage: Stage) -> float:
        """What a stage gets of a GPU: its share, where a node has one, or one was asked for and may yet come."""
        share = self._share(stage)
        need = Need("gpu", self.settings.cores.get(stage.kind, 1), share)
        there = share and any(need.fits(place) for place in self.placing.places.values())
        return share if there or stage.kind in self.settings.gpus else 0.0

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
            memory_gib=memory_gib * 2.0 ** self.tries.of(uri, "oom"),
            gpus=self._gpus(stage),
        )

    def _not_run(self, uri: str, cause: FailureClass, text: str) -> Outcome:
        label = self.plan.stages[uri].label
        return Outcome(uri=uri, label=label, error_class=cause, error_type="NotRun", error_message=redacted(text))

    def _ready(self, uri: str) -> None:
        if uri in self.outcomes or uri in self.ready:  # what it lacks is found before its inputs are done
            return
        work = self._work(uri)
        self.ready[uri] = work
        self.liked[uri] = tuple(name for need in work.stage.inputs.values() for name in self.made_at.get(need, ()))
        self.placing.put(Need.of(work), self.order[uri], uri)

    def _feed(self) -> None:
        """Hand to nodes what they have room for, and tell the engine what waits for others."""
        self.placing.see(self.engine.places())
        self._without_gpus()
        assigned = dict(self.placing.assigned(self.liked, self.shunned))
        ours = assigned.keys() if self.claims is None else self.claims.taken(assigned)
        for uri, place in assigned.items():
            if uri in ours:
                self._submit(uri, place)
            else:
                self.placing.ended(uri)
                self.elsewhere.add(uri)
        for kind in self.progress.total:
            self.progress.lanes[kind] = self.placing.lanes(exclusive=self.stages[kind].exclusive)
        self.engine.wish([self.ready[uri] for uri in self.placing.next_ones(WAITING)])

    def _without_gpus(self) -> None:
        """Have CPUs do what waits for a GPU that nobody asked for, where the last one is gone."""
        for need in self.placing.homeless():
            if need.window != "gpu":
                continue
            for uri in self.placing.withdrawn(need, lambda uri: self.ready[uri].stage.kind not in self.settings.gpus):
                del self.ready[uri]
                self._ready(uri)

    def _submit(self, uri: str, place: str) -> None:
        work = self.ready.pop(uri)
        del self.liked[uri]
        self.stuck_since = None
        self.flying[uri] = work
        self.progress.flying[work.stage.kind] += 1
        self.progress.words[uri] = (work.stage.label, "")
        self.note(Event(what=What.SUBMITTED, uri=uri))
        self.engine.submit(work, place)

    def _heard(self) -> Collection[Outcome | ProgressLine]:
        """What comes in. Raises EngineError if nothing could for too long, for want of a node."""
        alone = len(self.placing.places) == 1  # else others measure, as a rule
        tick_s = QUIET_TICK_S if alone and self.placing.measuring() else TICK_S
        if self.lost:
            tick_s = min(tick_s, max(0.0, min(each.due for each in self.lost) - self.clock()))
        self.progress.waits = self._stuck() if not (self.flying or self.lost or self.elsewhere) else ""
        if self.elsewhere and not self.flying:
            self.progress.waits = f"waiting for another run, which does {len(self.elsewhere)} of these stages"
        if self.flying:
            return self.engine.wait(tick_s)
        self.sleep(tick_s)
        return ()

    def _stuck(self) -> str:
        """Why nothing goes on: no node takes what waits. Raises EngineError if that has lasted too long."""
        now = self.clock()
        if self.stuck_since is None:
            self.stuck_since = now
        labels = [self.ready[uri].stage for uri in self.placing.next_ones(1)]
        what = f"{labels[0].kind} {labels[0].label}" if labels else "what is left"
        if now - self.stuck_since > self.patience_s:
            raise EngineError(f"no node has come in {self.patience_s:.0f} s that takes {what}")
        return f"waiting for a node that takes {what}"

    def _look_elsewhere(self) -> None:
        """See what other drivers have done, and take over what they have left."""
        now = self.clock()
        if self.claims is None or not self.elsewhere or now < self.looked_at + ELSEWHERE_S:
            return
        self.looked_at = now
        done = self.store.present(self.elsewhere - set(self.stale))
        ours = self.claims.taken(self.elsewhere - done)
        for uri in sorted(done | ours, key=lambda uri: self.order[uri]):
            if uri in done:
                del self.ready[uri], self.liked[uri]
                self._done(Outcome(uri=uri, label=self.plan.stages[uri].label, wall_s=self._mean_s(uri)))
            else:
                del self.ready[uri]
                self._ready(uri)
            self.elsewhere.discard(uri)

    def _hear(self, line: ProgressLine) -> None:
        self.progress.words[line.uri] = (self.plan.stages[line.uri].label, line.text)
        self.progress.last = line
        self.note(Event(what=What.WORDS, uri=line.uri, text=line.text))

    def _take(self, outcome: Outcome) -> None:
        work, place = self.flying.pop(outcome.uri), self.placing.ended(outcome.uri)
        self.stuck_since = None
        self.progress.words.pop(outcome.uri, None)
        self.progress.flying[work.stage.kind] -= 1
        self.progress.last = outcome
        if self.claims is not None:
            self.claims.release(outcome.uri)
        if outcome.ok:
            self.made_at[outcome.uri] = (place,)
            self._done(outcome)
        elif outcome.error_class in ("lost", "full"):
            due = self.clock() + self.tries.pause_s(outcome)
            self.lost.append(Lost(outcome=outcome, work=work, place=place, due=due))
        elif self.tries.again(outcome):
            self._retry(outcome)
        else:
            self._write_off(outcome)

    def _mean_s(self, uri: str) -> float:
        """What a stage of this kind has taken in the mean, so far."""
        kind = self.plan.stages[uri].kind
        return self.progress.spent_s[kind] / self.progress.done[kind] if self.progress.done[kind] else 0.0

    def _done(self, outcome: Outcome) -> None:
        kind = self.plan.stages[outcome.uri].kind
        self.progress.done[kind] += 1
        self.progress.spent_s[kind] += outcome.wall_s
        self.progress.last = outcome
        self.outcomes[outcome.uri] = outcome
        self.note(Event(what=What.ENDED, uri=outcome.uri))
        for waiting in self.needed_by[outcome.uri]:
            if self.waits[waiting].done(outcome.uri):
                self._ready(waiting)

    def _judge(self) -> None:
        """Try again, or write off, what was lost, now that it is known whether its node has died."""
        now = self.clock()
        due = [each for each in self.lost if each.due <= now]
        if not due:
            return
        self.placing.see(self.engine.places())
        self.lost = [each for each in self.lost if each.due > now]
        for each in due:
            outcome = each.outcome if each.outcome.attempt else self.engine.written(each.work, each.outcome)
            died = each.place not in self.placing.places or outcome.error_type == NODE_DIED
            self.shunned[outcome.uri].add(each.place)
            if outcome.error_class == "full":
                self._spare(each.work, each.place, outcome)
            elif self.tries.again(outcome, died=died):
                self._retry(outcome)
            else:
                self._write_off(outcome)

    def _spare(self, work: Work, place: str, outcome: Outcome) -> None:
        """Try another node where one has no space left. Raises EngineError if there is none: others would fail too."""
        full, places = self.placing.full, self.placing.places
        full.add(place)
        elsewhere = [name for name in places.keys() - full if Need.of(work).fits(places[name])]
        if not elsewhere or len(full) > SPARED:
            raise EngineError(f"no space is left on a disk ({outcome.error_message}): free some, and run it again")
        self._retry(outcome)

    def _retry(self, outcome: Outcome) -> None:
        self.note(_failure(What.RETRIED, outcome))
        if outcome.error_class == "damaged":
            self._await_inputs(outcome.uri)
        else:
            self._ready(outcome.uri)

    def _write_off(self, outcome: Outcome) -> None:
        if outcome.uri in self.stale:
            self.store.discard(outcome.uri)
        self._fail(outcome)

    def _await_inputs(self, uri: str) -> None:
        """Have a stage run once those of its inputs are made again that were damaged and set aside."""
        inputs = set(self.plan.stages[uri].inputs.values())
        gone = inputs - self.store.present(inputs)
        self.waits[uri] = Wait(all_of=gone)
        for need in gone:
            self.needed_by[need].append(uri)
            self._renew(need)
        for need in gone:
            if (ended := self.outcomes.get(need)) is not None:
                self._fail(self._not_run(uri, "dep_failed", _needs(ended)))
                return
        if not gone:
            self._ready(uri)

    def _renew(self, uri: str) -> None:
        """Have a stage done again whose artefact is gone, and that was done before, in this run or another."""
        kind, ended = self.plan.stages[uri].kind, self.outcomes.get(uri)
        if uri not in self.order:
            self.order[uri] = list(self.plan.stages).index(uri)
            self.progress.total[kind] += 1
            self.progress.each_s.setdefault(kind, self._typical_s(kind))
        elif ended is not None and ended.ok:
            del self.outcomes[uri]
            self.progress.done[kind] -= 1
            self.progress.spent_s[kind] -= ended.wall_s
        else:
            return  # it is on its way already, or has failed
        self._await_inputs(uri)

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
                self._fail(self._not_run(uri, "dep_failed", _needs(outcome)))


def _needs(outcome: Outcome) -> str:
    return f"needs {outcome.uri.partition('/')[0]} {outcome.label}"


def _failure(what: What, outcome: Outcome) -> Event:
    return Event(what=what, uri=outcome.uri, error_class=outcome.error_class, text=outcome.error_message)
