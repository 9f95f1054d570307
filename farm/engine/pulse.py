"""Whether the cluster that a driver is connected to is still there. Knows sockets, not Ray."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from farm.errors import EngineError

T = TypeVar("T")

CONNECT_S = 10.0
BEAT_S = 1.0  # between looks
GONE_S = 20.0  # that a head may be silent: it may be started again, or be very busy


def answers(host: str, port: int, timeout_s: float = CONNECT_S) -> None:
    """Raises OSError if nobody listens there."""
    socket.create_connection((host.strip("[]") or "127.0.0.1", port), timeout_s).close()


class Pulse:
    """The head of a cluster, and the daemon on this host through which its driver talks to it.

    Without its own daemon a driver sees every stage fail; without the head Ray would end its process after a while.
    """

    def __init__(self, head: str, daemon: str, clock: Callable[[], float] = time.monotonic) -> None:
        """head: host and port. daemon: a Unix socket; empty if it is not known."""
        self.head = head
        self.daemon = daemon
        self.clock = clock
        self.looked_at = -BEAT_S
        self.silent_since: float | None = None
        self.deaf = False
        self.gone = ""

    @property
    def beats(self) -> bool:
        """Whether the head has answered when it was looked at last."""
        return self.silent_since is None and not self.gone

    def check(self) -> None:
        """Look, once a second at most. Raises EngineError once it is gone."""
        now = self.clock()
        if not self.gone and now >= self.looked_at + BEAT_S:
            self.looked_at = now
            self._look(now)
        if self.gone:
            raise EngineError(f"{self.gone}; what is finished is kept: run the same command again when it is back")

    def is_silent(self) -> None:
        """Take note that the head, though somebody listens there, does not answer."""
        if self.silent_since is None:
            self.silent_since = self.looked_at
        self.deaf = True

    def heard(self) -> None:
        """Take note that the head has answered."""
        self.deaf = False
        self.silent_since = None

    def _look(self, now: float) -> None:
        if self.daemon and not _listens(self.daemon):
            self.gone = "Ray on this host is gone"
            return
        host, _, port = self.head.rpartition(":")
        try:
            answers(host, int(port), BEAT_S)
            self.silent_since = self.silent_since if self.deaf else None
        except OSError:
            self.silent_since = now if self.silent_since is None else self.silent_since
        if self.silent_since is not None and now - self.silent_since >= GONE_S:
            self.gone = f"Ray's head at {self.head} is gone"


class Answer(Generic[T]):
    """What a function gives, called in a thread of its own: it may never return."""

    def __init__(self, function: Callable[[], T]) -> None:
        """Call it."""
        self.function = function
        self.given: list[T] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._call, daemon=True)
        self.thread.start()

    def within(self, seconds: float) -> T | None:
        """What it gives; None if it has not returned by then. Raises what it raises."""
        self.thread.join(seconds)
        if self.error is not None:
            raise self.error
        return self.given[0] if self.given else None

    def _call(self) -> None:
        try:
            self.given.append(self.function())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self.error = error


def _listens(path: str) -> bool:
    """Whether a process listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(BEAT_S)
        try:
            asking.connect(path)
        except TimeoutError:
            return True  # it is busy
        except OSError:
            return False
    return True
