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
