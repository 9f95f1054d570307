"""Where a run is, for whoever watches it. Knows counts and words, not how they are shown."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from farm.engine import ProgressLine
from farm.record import Outcome


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where a run is: stage kind -> how many. flying: handed to the engine.

    words: uri -> label and last words of stages at the engine, empty of those that do not tell how far they are.
    spent_s: of those that are done. each_s: what one takes as a rule. lanes: how many there may be at once. last: what
    came in last. waits: why nothing goes on just now; empty while something does.
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
    waits: str = ""

    def expect(self, kind: str, each_s: float) -> None:
        """There is one more stage of a kind, of which one takes so long as a rule."""
        self.total[kind] += 1
        self.each_s.setdefault(kind, each_s)

    def begin(self, uri: str, kind: str, label: str) -> None:
        """A stage is handed to the engine."""
        self.flying[kind] += 1
        self.words[uri] = (label, "")

    def end(self, kind: str, outcome: Outcome) -> None:
        """It has come back, however that was."""
        self.flying[kind] -= 1
        self.words.pop(outcome.uri, None)
        self.last = outcome

    def count(self, kind: str, outcome: Outcome) -> None:
        """A stage is done."""
        self.done[kind] += 1
        self.spent_s[kind] += outcome.wall_s
        self.last = outcome

    def uncount(self, kind: str, outcome: Outcome) -> None:
        """What it has made is gone: it is to be done again."""
        self.done[kind] -= 1
        self.spent_s[kind] -= outcome.wall_s

    def typical_s(self, kind: str) -> float:
        """What a stage of a kind has taken in the mean; what one takes as a rule before the first is done."""
        return self.spent_s[kind] / self.done[kind] if self.done[kind] else self.each_s.get(kind, 0.0)
