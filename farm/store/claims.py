"""Who is at work on what in a store that several drivers share. Knows keys and beats, not stages.

    <root>/claims/<key>      the name of the driver that has handed the stage to an engine
    <root>/drivers/<name>    a number that counts up while that driver lives

A claim keeps others from doing the same work meanwhile; it vouches for nothing: artefacts are whole or not there,
whoever makes them.
"""

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from farm.files import is_plain
from farm.store import Store

CLAIMS, DRIVERS = "claims", "drivers"
BEAT_S = 20.0
LAPSE_S = 90.0  # without a beat, by the clock of who waits
FRESH_S = 5.0  # that what is known of another driver is not asked again
AT_ONCE = 16  # requests to a remote store


class Claims:
    """One driver's claims. Close it at the end: then they are free at once."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is claimed, and nothing is written yet."""
        self.store = store
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
        if self.store.local_fs or len(uris) < 2:  # noqa: PLR2004
            ours = {uri for uri in uris if self._take(uri)}
        else:
            with ThreadPoolExecutor(AT_ONCE) as threads:
                ours = {uri for uri, is_ours in zip(uris, threads.map(self._take, uris), strict=True) if is_ours}
        self.held |= ours
        return ours

    def release(self, uri: str) -> None:
        """Give a claim back, if it is ours."""
        if uri in self.held:
            self.held.discard(uri)
            with suppress(FileNotFoundError):
                self.store.fs.rm_file(f"{self.store.root}/{_claim(uri)}")

    def beat(self) -> None:
        """Say that this driver lives."""
        self.beats += 1
        self.store.put(f"{DRIVERS}/{self.name}", str(self.beats).encode())

    def close(self) -> None:
        """Give all claims back, and stop to beat."""
        self.closed.set()
        for uri in list(self.held):
            self.release(uri)
        if self.beats:
            with suppress(FileNotFoundError):
                self.store.fs.rm_file(f"{self.store.root}/{DRIVERS}/{self.name}")

    def _beating(self) -> None:
        """Beat on, whatever the driver's own thread does meanwhile. A store that is away is told later."""
        while not self.closed.wait(BEAT_S):
            with suppress(OSError):
                self.beat()

    def _take(self, uri: str) -> bool:
        path, mine = _claim(uri), self.name.encode()
        if self.store.put(path, mine, first=True):
            return True
        owner = self._content(path)
        if owner == mine:
            return True
        name = "" if owner is None else owner.decode(errors="replace")
        if name and self._lives(name):
            return False
        if is_plain(name):  # what a killed driver has left
            with suppress(FileNotFoundError):
                self.store.fs.rm_file(f"{self.store.root}/{DRIVERS}/{name}")
        self.store.put(path, mine)
        return self._content(path) == mine  # another may have taken it over in the same moment

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
            other.see(self._content(f"{DRIVERS}/{name}"), now)
        return other.beat is not None and now - other.since < LAPSE_S

    def _content(self, path: str) -> bytes | None:
        try:
            return bytes(self.store.fs.cat_file(f"{self.store.root}/{path}"))
        except FileNotFoundError:
            return None


class _Other:
    """Another driver: its beat, since when that is so, and when it was asked for."""

    def __init__(self) -> None:
        self.beat: bytes | None = None
        self.since = self.asked_at = float("-inf")

    def see(self, beat: bytes | None, now: float) -> None:
        if beat != self.beat:
            self.beat, self.since = beat, now
        self.asked_at = now


def _claim(uri: str) -> str:
    return f"{CLAIMS}/{uri.rpartition('/')[2]}"


def _runs(pid: int) -> bool:
    """Whether a process of this host runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True
