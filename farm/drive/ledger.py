"""The stages of a run: what each still waits for, how it ended, and what that means for others. Knows no engine."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from farm.drive.progress import Progress
from farm.drive.ranking import means, ranked
from farm.drive.waiting import Waiting
from farm.plan import Plan, judges
from farm.record import FailureClass, Outcome
from farm.results.events import Event, What
from farm.shown import redacted
from farm.store import Store

REFUSED = ("error", "missing_input")  # how an evaluation ends that would end so of every variant


@dataclass(slots=True, kw_only=True)
class Ledger:
    """All stages of one run. Whatever ends is answered with the stages that may run now: they wait for nothing else.

    stale: stages whose artefact is replaced once they have ended. typical_s: what a stage of a kind takes as a rule.
    past: uri -> how many seconds such stages took before. note: called with each event. ranks: uri -> rank,
    of all stages; order: of those that are wanted. outcomes: the last of each stage that is over.
    """

    plan: Plan
    store: Store
    stale: Collection[str]
    typical_s: Callable[[str], float]
    note: Callable[[Event], None]
    past: Mapping[str, float] = field(default_factory=dict)
    progress: Progress = field(init=False, default_factory=Progress)
    waiting: Waiting = field(init=False, default_factory=Waiting)
    ranks: dict[str, int] = field(init=False, default_factory=dict)
    order: dict[str, int] = field(init=False, default_factory=dict)
    outcomes: dict[str, Outcome] = field(init=False, default_factory=dict)

    def open(self, wanted: Collection[str]) -> None:
        """Begin with the stages that are wanted; others count as done. What lacks a file has failed at once."""
        self.ranks = ranked(self.plan, self.past)
        self.progress.each_s |= means(self.plan, self.past)
        for uri in self.plan.stages:
            if uri in wanted:
                self._expect(uri)
        judged = judges(self.plan)
        for uri in self.order:
            needs = self.order.keys() & set(self.plan.stages[uri].inputs.values())
            evaluations = judged.get(uri, set())
            expected = evaluations & self.order.keys()
            is_judged = expected and not self.store.present(evaluations - expected)
            self.waiting.put(uri, needs, expected if is_judged else ())
        for uri in self.order:
            if missing := self.plan.stages[uri].missing:
                self.progress.last = self._not_run(uri, "missing_input", missing)
                self._fail(self.progress.last)

    @property
    def left(self) -> list[str]:
        """The stages that are not over."""
        return [uri for uri in self.order if uri not in self.outcomes]

    @property
    def is_over(self) -> bool:
        """Whether no stage is left."""
        return len(self.outcomes) == len(self.order)

    def done_elsewhere(self, uri: str) -> list[str]:
        """Another driver has done a stage, which is taken to have cost what one of its kind does."""
        stage = self.plan.stages[uri]
        return self.done(Outcome(uri=uri, label=stage.label, wall_s=self.progress.typical_s(stage.kind)))

    def done(self, outcome: Outcome) -> list[str]:
        """A stage has ended well."""
        self.outcomes[outcome.uri] = outcome
        self.progress.count(self.plan.stages[outcome.uri].kind, outcome)
        self.note(Event(what=What.ENDED, uri=outcome.uri))
        return self.waiting.done(outcome.uri)

    def retried(self, outcome: Outcome) -> list[str]:
        """A stage has failed and is tried again; after its inputs are made again, where they were set aside."""
        self.note(_failure(What.RETRIED, outcome))
        return self._await_inputs(outcome.uri) if outcome.error_class == "damaged" else [outcome.uri]

    def failed(self, outcome: Outcome) -> list[str]:
        """A stage has failed for good, and with it all that needs it."""
        if outcome.uri in self.stale:
            self.store.discard(outcome.uri)
        return self._fail(outcome)

    def _fail(self, outcome: Outcome) -> list[str]:
        if outcome.uri in self.outcomes:
            return []
        self.outcomes[outcome.uri] = outcome
        self.note(_failure(What.ENDED, outcome))
        self.progress.failed[self.plan.stages[outcome.uri].kind] += 1
        free = []
        for uri, may_run in self.waiting.failed(outcome.uri, refused=outcome.error_class in REFUSED):
            free += [uri] if may_run else self._fail(self._not_run(uri, "dep_failed", _needs(outcome)))
        return free

    def _not_run(self, uri: str, cause: FailureClass, text: str) -> Outcome:
        label = self.plan.stages[uri].label
        return Outcome(uri=uri, label=label, error_class=cause, error_type="NotRun", error_message=redacted(text))

    def _expect(self, uri: str) -> None:
        kind = self.plan.stages[uri].kind
        self.order[uri] = self.ranks[uri]
        self.progress.expect(kind, self.typical_s(kind))

    def _await_inputs(self, uri: str) -> list[str]:
        """Have a stage run once those of its inputs are made again that were damaged and set aside."""
        inputs = set(self.plan.stages[uri].inputs.values())
        gone = inputs - self.store.present(inputs)
        self.waiting.put(uri, gone)
        free = [other for need in gone for other in self._renew(need)]
        for need in gone:
            if (ended := self.outcomes.get(need)) is not None:
                return free + self._fail(self._not_run(uri, "dep_failed", _needs(ended)))
        return free if gone else [uri]

    def _renew(self, uri: str) -> list[str]:
        """Have a stage done again whose artefact is gone, and that was done before, in this run or another."""
        ended = self.outcomes.get(uri)
        if uri not in self.order:
            self._expect(uri)
        elif ended is not None and ended.ok:
            self.progress.uncount(self.plan.stages[uri].kind, self.outcomes.pop(uri))
        else:
            return []  # it is on its way already, or has failed
        return self._await_inputs(uri)


def _needs(outcome: Outcome) -> str:
    return f"needs {outcome.uri.partition('/')[0]} {outcome.label}"


def _failure(what: What, outcome: Outcome) -> Event:
    return Event(what=what, uri=outcome.uri, error_class=outcome.error_class, text=outcome.error_message)
