"""What other drivers of the same store are at work on: left to them, looked at now and then, taken over if they die."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from farm.store import Store
from farm.store.claims import Claims

LOOK_S = 5.0  # between looks


@dataclass(slots=True, kw_only=True)
class Elsewhere:
    """That of one run. claims: None where there are no other drivers. stale: stages that are done again.

    uris: the stages that others do.
    """

    store: Store
    claims: Claims | None
    stale: Collection[str]
    clock: Callable[[], float]
    uris: set[str] = field(default_factory=set)
    looked_at: float = float("-inf")

    def ours(self, uris: Collection[str]) -> Collection[str]:
        """Those of the stages that no other driver has in hand; the rest is left to others."""
        if self.claims is None:
            return uris
        ours = self.claims.taken(uris)
        self.uris |= set(uris) - ours
        return ours

    def ended(self) -> tuple[set[str], set[str]]:
        """What others have done since the last look, and what they have left undone: that is ours now."""
        now = self.clock()
        if self.claims is None or not self.uris or now < self.looked_at + LOOK_S:
            return set(), set()
        self.looked_at = now
        done = self.store.present(self.uris - set(self.stale))
        left = self.claims.taken(self.uris - done)
        self.uris -= done | left
        return done, left

    def release(self, uri: str) -> None:
        """Let others have a stage that has ended here."""
        if self.claims is not None:
            self.claims.release(uri)
