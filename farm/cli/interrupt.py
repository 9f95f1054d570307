"""Ctrl-C, SIGTERM and a closed terminal: not lost in somebody else's code, nor heard while a run is being closed."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
begun = threading.Event()  # work of which what is finished is kept
_asked = threading.Event()


def listen() -> None:
    """Answer signals with KeyboardInterrupt."""
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, _answer)


def begin() -> None:
    """Note that work has begun, and answer signals again: Ray has set handlers of its own."""
    begun.set()
    listen()


def heed() -> None:
    """Raise KeyboardInterrupt if a signal came that some library has swallowed."""
    if _asked.is_set():
        raise KeyboardInterrupt


@contextmanager
def held_off() -> Iterator[None]:
    """Ignore them for the seconds that closing takes."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _answer(_number: int, _frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt
