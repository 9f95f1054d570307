"""The loop itself: what is ready is placed, what has ended is done, tried again, or failed with all that needs it."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from farm.drive.elsewhere import Elsewhere
from farm.drive.ledger import Ledger
from farm.drive.placing import Need, Placing
from farm.drive.progress import Progress
from farm.drive.tries import Tries
from farm.drive.works import Works
from farm.engine import NODE_DIED, Engine, ProgressLine, Work, new_session
from farm.errors import EngineError
from farm.grid.settings import Settings
from farm.plan import Plan
from farm.record import Outcome
from farm.results.events import Event, What
from farm.spec import StageSpec
from farm.store import Store
from farm.store.claims import Claims

TICK_S = 1.0
QUIET_TICK_S = 5.0  # while a measurement may run, this process sleeps
PATIENCE_S = 600.0  # that nothing can go on for want of a node
SPARED = 3  # nodes that may be without space on a disk: were it the store's, all would be
WAITING = 8  # stages that are told to the engine, of all that wait for a node


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An attempt that was lost, until it is judged why. due: when that is, by the driver's clock."""

    outcome: Outcome
    work: Work
    place: str
    due: float


@dataclass(slots=True, kw_only=True)
class Driver:
    """One run of a plan. Stages are fed by `ranked`: a cell's together, so that early cells finish early.

    wanted: uris; other stages count as done. stages: the specs of all kinds, whose limits settings override.
    stale: wanted stages whose artefact is replaced once they have ended, not before. note: called with each event.
    past: uri -> how many seconds such stages took before. claims: keep other drivers of this store from doing the same;
    None: there are none. patience_s: how long nothing may go on for want of a node. clock, sleep: as `time` has them.
    """

    plan: Plan
    wanted: Collection[str]
    engine: Engine
    store: Store
    stages: Mapping[str, StageSpec]
    settings: Settings
    stale: Collection[str] = ()
    note: Callable[[Event], None] = lambda _: None
    past: Mapping[str, float] = field(default_factory=dict)
    claims: Claims | None = None
    patience_s: float = PATIENCE_S
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    session: str = field(init=False, default_factory=new_session)
    tries: Tries = field(init=False, default_factory=Tries)
    placing: Placing = field(init=False)
    works: Works = field(init=False)
    ledger: Ledger = field(init=False)
    elsewhere: Elsewhere = field(init=False)
    ready: set[str] = field(init=False, default_factory=set)
    flying: dict[str, Work] = field(init=False, default_factory=dict)
    made_at: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)  # uri -> node where it was made
    liked: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)  # uri -> nodes where its inputs were
    shunned: dict[str, set[str]] = field(init=False, default_factory=lambda: defaultdict(set))
    lost: list[Lost] = field(init=False, default_factory=list)
    stuck_since: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Begin with no node."""
        self.placing = Placing(per_node=self.settings.measure.per_node)
        self.works = Works(
            plan=self.plan, store=self.store, session=self.session, stages=self.stages, settings=self.settings,
            stale=self.stale, tries=self.tries, placing=self.placing,
        )  # fmt: skip
        self.ledger = Ledger(
            plan=self.plan, store=self.store, stale=self.stale, typical_s=self.works.typical_s, past=self.past,
            note=self.note,
        )  # fmt: skip
        self.elsewhere = Elsewhere(store=self.store, claims=self.claims, stale=self.stale, clock=self.clock)

    def drive(self, report: Callable[[Progress], None]) -> dict[str, Outcome]:
        """Run the wanted stages, each after what it needs; the last outcome of each by uri.

        A failed stage fails, as `dep_failed`, all that needs it; everything else goes on. A model is quantized once an
        evaluation of its FP32 IR has ended, and not at all if each of them was refused: then no other will accept it.
        report: called after every change, and once a second or so. Raises EngineError, before anything runs, if some
        work never could here; and later where the engine is gone, no node comes, or a disk is full. Then nothing is
        written off: the same run goes on from there.
        """
        progress = self.ledger.progress
        self.placing.see(self.engine.places())
        self.ledger.open(self.wanted)
        self.engine.preflight([self.works.of(uri) for uri in self.ledger.left])
        self.placing.see(self.engine.places())
        self._ready(self.ledger.waiting.free())
        report(progress)
        while not self.ledger.is_over:
            self._feed()
            report(progress)
            for event in self._heard():
                if isinstance(event, ProgressLine):
                    self._hear(event)
                else:
                    self._take(event)
                report(progress)
            self._judge()
            self._look_elsewhere()
        report(progress)
        return self.ledger.outcomes

    def _ready(self, uris: Collection[str]) -> None:
        """Have stages wait for a node that wait for nothing else."""
        for uri in uris:
            if uri in self.ledger.outcomes or uri in self.ready:  # what it lacks is found before its inputs are done
                continue
            self.ready.add(uri)
            inputs = self.plan.stages[uri].inputs.values()
            if liked := tuple(name for need in inputs for name in self.made_at.get(need, ())):
                self.liked[uri] = liked
            self.placing.put(Need.of(self.works.of(uri)), self.ledger.order[uri], uri)

    def _feed(self) -> None:
        """Hand to nodes what they have room for, and tell the engine what waits for others."""
        self.placing.see(self.engine.places())
        self._without_gpus()
        assigned = dict(self.placing.assigned(self.liked, self.shunned))
        ours = self.elsewhere.ours(assigned.keys())
        for uri, place in assigned.items():
            self._take_up(uri)
            if uri in ours:
                self._submit(uri, place)
            else:
                self.placing.ended(uri)
        for kind in self.ledger.progress.total:
            self.ledger.progress.lanes[kind] = self.placing.lanes(exclusive=self.stages[kind].exclusive)
        self.engine.wish([self.works.of(uri, need.gpus) for uri, need in self.placing.next_ones(WAITING)])

    def _without_gpus(self) -> None:
        """Have CPUs do what waits for a GPU that nobody asked for, where the last one is gone."""
        for need in self.placing.homeless():
            if need.window != "gpu":
                continue
            for uri in self.placing.withdrawn(need, lambda uri: not self.works.asks_for_gpu(uri)):
                self._take_up(uri)
                self._ready([uri])

    def _take_up(self, uri: str) -> None:
        """Have a stage wait no more."""
        self.ready.discard(uri)
        self.liked.pop(uri, None)

    def _submit(self, uri: str, place: str) -> None:
        need, _ = self.placing.taken[uri]
        work = self.works.of(uri, need.gpus)
        self.stuck_since = None
        self.flying[uri] = work
        self.ledger.progress.begin(uri, work.stage.kind, work.stage.label)
        self.note(Event(what=What.SUBMITTED, uri=uri))
        self.engine.submit(work, place)

    def _heard(self) -> Collection[Outcome | ProgressLine]:
        """What comes in. Raises EngineError if nothing could for too long, for want of a node."""
        alone = len(self.placing.places) == 1  # else others measure, as a rule
        tick_s = QUIET_TICK_S if alone and self.placing.measuring() else TICK_S
        if self.lost:
            tick_s = min(tick_s, max(0.0, min(each.due for each in self.lost) - self.clock()))
        progress = self.ledger.progress
        progress.waits = self._stuck() if not (self.flying or self.lost or self.elsewhere.uris) else ""
        if self.elsewhere.uris and not self.flying:
            progress.waits = f"waiting for another run, which does {len(self.elsewhere.uris)} of these stages"
        if self.flying:
            return self.engine.wait(tick_s)
        self.sleep(tick_s)
        return ()

    def _stuck(self) -> str:
        """Why nothing goes on: no node takes what waits. Raises EngineError if that has lasted too long."""
        now = self.clock()
        if self.stuck_since is None:
            self.stuck_since = now
        first = [self.plan.stages[uri] for uri, _ in self.placing.next_ones(1)]
        what = f"{first[0].kind} {first[0].label}" if first else "what is left"
        if now - self.stuck_since > self.patience_s:
            raise EngineError(f"no node has come in {self.patience_s:.0f} s that takes {what}")
        return f"waiting for a node that takes {what}"

    def _look_elsewhere(self) -> None:
        """See what other drivers have done, and take over what they have left."""
        done, left = self.elsewhere.ended()
        for uri in sorted(done | left, key=lambda uri: self.ledger.order[uri]):
            self._ready(self.ledger.done_elsewhere(uri) if uri in done else [uri])

    def _hear(self, line: ProgressLine) -> None:
        self.ledger.progress.words[line.uri] = (self.plan.stages[line.uri].label, line.text)
        self.ledger.progress.last = line
        self.note(Event(what=What.WORDS, uri=line.uri, text=line.text))

    def _take(self, outcome: Outcome) -> None:
        work, place = self.flying.pop(outcome.uri), self.placing.ended(outcome.uri)
        self.stuck_since = None
        self.ledger.progress.end(work.stage.kind, outcome)
        self.elsewhere.release(outcome.uri)
        if outcome.ok:
            self.made_at[outcome.uri] = (place,)
            self._ready(self.ledger.done(outcome))
        elif outcome.error_class in ("lost", "full"):
            due = self.clock() + self.tries.pause_s(outcome)
            self.lost.append(Lost(outcome=outcome, work=work, place=place, due=due))
        else:
            self._settle(outcome, died=False)

    def _settle(self, outcome: Outcome, *, died: bool) -> None:
        """Try again what has failed, or write it off. died: its node did, which costs it no try."""
        again = self.tries.again(outcome, died=died)
        self._ready(self.ledger.retried(outcome) if again else self.ledger.failed(outcome))

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
            else:
                self._settle(outcome, died=died)

    def _spare(self, work: Work, place: str, outcome: Outcome) -> None:
        """Try another node where one has no space left. Raises EngineError if there is none: others would fail too."""
        full, places = self.placing.full, self.placing.places
        full.add(place)
        elsewhere = [name for name in places.keys() - full if Need.of(work).fits(places[name])]
        if not elsewhere or len(full) > SPARED:
            raise EngineError(f"no space is left on a disk ({outcome.error_message}): free some, and run it again")
        self._ready(self.ledger.retried(outcome))
