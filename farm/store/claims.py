"""Who is at work on what in a store that several drivers share. Knows keys and beats, not stages.

    claims/<key>      the name of the driver that has handed the stage to an engine
    drivers/<name>    a number that counts up while that driver lives

A claim keeps others from doing the same work meanwhile; it vouches for nothing: artefacts are whole or not there,
whoever makes them.
"""

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress

from farm.files import is_plain
from farm.store import Store, names

BEAT_S = 20.0
LAPSE_S = 90.0  # without a beat, by the clock of who waits
FRESH_S = 5.0  # that what is known of another driver is not asked again


class Claims:
    """One driver's claims. Close it at the end: then they are free at once."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is claimed, and nothing is written yet."""
        self.files = store.files
        self.clock = clock
        self.name = f"{platform.node() or 'host'}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self.held: set[str] = set()
        self.beats = 0
        self.closed = threading.Event()
        self.others: dict[str, _Other] = {}

    def taken(self, uris: Collection[str]) -> set[str]:
        """Claim stages; those of them that are ours now. Those of a driver that has died are taken over."""
        if uris and not self.beats:
            self.beat()
            threading.Thread(target=self._beating, daemon=True).start()
        ours = {uri for uri, is_ours in zip(uris, self.files.each(self._take, uris), strict=True) if is_ours}
        self.held |= ours
        return ours

    def release(self, uri: str) -> None:
        """Give a claim back, if it is ours."""
        if uri in self.held:
            self.held.discard(uri)
            self._remove(names.claim(uri))

    def beat(self) -> None:
        """Say that this driver lives."""
        self.beats += 1
        self.files.put(names.driver(self.name), str(self.beats).encode())

    def close(self) -> None:
        """Give all claims back, and stop to beat."""
        self.closed.set()
        for uri in list(self.held):
            self.release(uri)
        if self.beats:
            self._remove(names.driver(self.name))

    def _beating(self) -> None:
        """Beat on, whatever the driver's own thread does meanwhile. A store that is away is told later."""
        while not self.closed.wait(BEAT_S):
            with suppress(OSError):
                self.beat()

    def _take(self, uri: str) -> bool:
        claim, mine = names.claim(uri), self.name.encode()
        if self.files.put_once(claim, mine, durable=False):
            return True
        owner = self._content(claim)
        if owner == mine:
            return True
        name = "" if owner is None else owner.decode(errors="replace")
        if name and self._lives(name):
            return False
        if is_plain(name):  # what a killed driver has left
            self._remove(names.driver(name))
        self.files.put(claim, mine)
        return self._content(claim) == mine  # another may have taken it over in the same moment

    def _lives(self, name: str) -> bool:
        """Whether another driver lives: its beat goes on, or has not been watched for long enough."""
        host, pid, _ = name.rsplit("-", 2) if name.count("-") > 1 else ("", "", "")
        if host == platform.node() and pid.isdecimal() and not _runs(int(pid)):
            return False
        if not is_plain(name):
            return False
        other = self.others.setdefault(name, _Other())
        now = self.clock()
        if now >= other.asked_at + FRESH_S:
            other.see(self._content(names.driver(name)), now)
        return other.beat is not None and now - other.since < LAPSE_S

    def _content(self, name: str) -> bytes | None:
        try:
            return self.files.content(name)
        except FileNotFoundError:
            return None

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self.files.fs.rm_file(self.files.path(name))


class _Other:
    """Another driver: its beat, since when that is so, and when it was asked for."""

    def __init__(self) -> None:
        self.beat: bytes | None = None
        self.since = self.asked_at = float("-inf")

    def see(self, beat: bytes | None, now: float) -> None:
        if beat != self.beat:
            self.beat, self.since = beat, now
        self.asked_at = now


def _runs(pid: int) -> bool:
    """Whether a process of this host runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True
