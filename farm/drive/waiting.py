"""What each stage of a run still waits for, and what comes free, or never may, as others end. Knows no engine."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field


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


class Waiting:
    """That of all stages of a run, by uri."""

    def __init__(self) -> None:
        """Nothing waits."""
        self.waits: dict[str, Wait] = {}
        self.needed_by: dict[str, list[str]] = defaultdict(list)

    def put(self, uri: str, all_of: Collection[str], any_of: Collection[str] = ()) -> None:
        """Have a stage wait."""
        self.waits[uri] = Wait(all_of=set(all_of), any_of=set(any_of))
        for need in {*all_of, *any_of}:
            self.needed_by[need].append(uri)

    def free(self) -> list[str]:
        """Those that wait for nothing."""
        return [uri for uri, wait in self.waits.items() if wait.over]

    def done(self, uri: str) -> list[str]:
        """Those that may run now that this one is done, and could not before."""
        return [other for other in self.needed_by[uri] if self.waits[other].done(uri)]

    def failed(self, uri: str, *, refused: bool) -> Iterator[tuple[str, bool]]:
        """Those that may run now that this one has failed, and those that never may; whether they may.

        refused: whether it would fail so whatever it was given: then it is none of those any of which is enough.
        """
        for other in self.needed_by[uri]:
            wait = self.waits[other]
            if uri in wait.any_of and not refused:
                if wait.done(uri):
                    yield other, True
            elif wait.failed(uri):
                yield other, False
