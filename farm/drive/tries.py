"""Whether what failed is tried again, and after which pause. Pure: knows outcomes, not how they came about."""

import signal
from collections import Counter
from dataclasses import dataclass, field

from farm.record import RETRIES, Outcome

PAUSES_S = (10.0, 20.0, 40.0)  # before what was lost is tried again: a node that dies takes a while to be known as dead
DEATHS = 20  # of nodes that one stage may survive: they cost it no try
KILLS = 1  # that nobody explains
DEATH, KILL = "death of the node", "kill"  # causes that are no failure class


@dataclass(slots=True)
class Tries:
    """How often stages have failed, by cause. counts: (uri, cause) -> times."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def of(self, uri: str, cause: str) -> int:
        """How often a stage has failed so."""
        return self.counts[uri, cause]

    def again(self, outcome: Outcome, *, died: bool = False) -> bool:
        """Count a failure; whether the stage may be tried again. died: its node did, which costs it no try."""
        cause, most = str(outcome.error_class), RETRIES.get(str(outcome.error_class), 0)
        if died:
            cause, most = DEATH, DEATHS
        elif cause == "crash" and outcome.signal == signal.SIGKILL:
            cause, most = KILL, KILLS
        self.counts[outcome.uri, cause] += 1
        return self.counts[outcome.uri, cause] <= most

    def pause_s(self, outcome: Outcome) -> float:
        """How long to wait before it is known what a failure was."""
        if outcome.error_class != "lost":
            return 0.0
        return PAUSES_S[min(self.of(outcome.uri, "lost"), len(PAUSES_S) - 1)]
