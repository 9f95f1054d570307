"""What a driver saw of a run, a line each in ``events.jsonl``: appended while it runs, read by whoever watches.

Knows lines and their order, not what runs a stage. A line that a killed driver left torn is left out.
"""

import json
import os
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from farm.codec import decode, iso
from farm.columns import Column
from farm.results.folder import Folder
from farm.shown import redacted

EVENTS = "events.jsonl"
LARGEST = 32 << 20  # bytes of a local file that another run appends to; a larger one is begun anew
WORDS_S = 5.0  # a stage's words of progress are written down no more often
REWRITE_S = 10.0  # a remote file is written no more often,
REWRITE_SHARE = 0.05  # and no greater share of the time is spent on it
HEAD = 64  # bytes that a file begins with, which tell a run: its time and its name


class What(StrEnum):
    """What was seen."""

    BEGUN = "begun"  # a run, of the stages `wanted`
    SUBMITTED = "submitted"  # a stage, to the engine
    WORDS = "words"  # `text`, of a stage's progress
    RETRIED = "retried"  # a stage, whose attempt failed: `error_class`, `text`
    ENDED = "ended"  # a stage, for this run; `error_class` and `text` if it failed
    OVER = "over"  # the run: each wanted stage has ended
    INTERRUPTED = "interrupted"  # the run, before that


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing seen, but for its time: a line of ``events.jsonl``. run: told when it is written."""

    run: Annotated[str, Column("names the run")] = ""
    what: Annotated[
        str, Column("`begun`, `submitted`, `words`, `retried` or `ended` (a stage), `over` or `interrupted` (the run)")
    ]
    uri: Annotated[str, Column("the stage: its kind and its key")] = ""
    text: Annotated[str, Column("the stage's words of progress, or what was said of a failure")] = ""
    error_class: Annotated[str | None, Column("how an attempt failed")] = None
    wanted: Annotated[tuple[str, ...], Column("of `begun`: the stages that the run wants")] = ()


class Journal:
    """Writes down what is seen of one run. What cannot be written is lost; the run goes on."""

    def __init__(self, folder: Folder | None = None) -> None:
        """folder: of the grid, with its plan; without one nothing is written."""
        self.folder = folder
        self.path = folder.local(EVENTS) if folder else None  # of a local file, which is appended to
        self.lines: list[str] = []  # of a remote file
        self.run = uuid.uuid4().hex[:12]
        self.words_at: dict[str, float] = {}  # uri -> when its words were last written down
        self.due = 0.0  # when a remote file may be written again

    @contextmanager
    def running(self, wanted: Collection[str]) -> Iterator[None]:
        """A run of these stages, from its beginning to its end, however it ends."""
        if self.path is not None:
            with suppress(OSError):
                self.path = self.path if _ready(self.path) else Path(os.devnull)
        self.note(Event(what=What.BEGUN, wanted=tuple(wanted)))
        end = What.INTERRUPTED
        try:
            yield
            end = What.OVER
        finally:
            self.due = 0.0
            self.note(Event(what=end))

    def note(self, event: Event) -> None:
        """Write an event down; a stage's words only if it has not just said others."""
        now = time.monotonic()
        if self.folder is None or (event.what == What.WORDS and now < self.words_at.get(event.uri, -WORDS_S) + WORDS_S):
            return
        if event.what == What.WORDS:
            self.words_at[event.uri] = now
        values = {"at": iso(datetime.now(UTC)), **asdict(event), "run": self.run, "text": redacted(event.text)}
        line = json.dumps({name: value for name, value in values.items() if value}) + "\n"
        if self.path is None:
            self.lines.append(line)
            self.flush()
            return
        with suppress(OSError), self.path.open("ab", buffering=0) as file:
            file.write(line.encode())

    def flush(self) -> None:
        """Write a remote file, whole, where that is due."""
        begun = time.monotonic()
        if self.folder is None or not self.lines or begun < self.due:
            return
        with suppress(OSError):
            self.folder.fs.pipe_file(f"{self.folder.root}/{EVENTS}", "".join(self.lines).encode())
        now = time.monotonic()
        self.due = now + max(REWRITE_S, (now - begun) / REWRITE_SHARE)


@dataclass(slots=True, kw_only=True)
class LastRun:
    """What events say of the run that has begun last.

    running: uri -> the last words of a stage at the engine, empty before the first. failures: uri -> error class of
    stages that ended so. touched: uris that an event was about since they were last asked for. end: how the run
    ended; empty while nothing says that it has.
    """

    run: str = ""
    running: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    end: str = ""

    def see(self, event: Event) -> None:
        """Take an event of this run into account."""
        if event.uri:
            self.touched.add(event.uri)
        match event.what:
            case What.SUBMITTED | What.WORDS:
                self.running[event.uri] = event.text
                self.failures.pop(event.uri, None)
            case What.RETRIED:
                self.running[event.uri] = f"tried again after {event.error_class}"
            case What.ENDED:
                self.running.pop(event.uri, None)
                if event.error_class:
                    self.failures[event.uri] = event.error_class
            case What.OVER | What.INTERRUPTED:
                self.end, self.running = event.what, {}


class Reader:
    """Reads a grid's events again and again, each of them once."""

    def __init__(self, folder: Folder) -> None:
        """folder: of the grid."""
        self.folder = folder
        self.head = b""
        self.offset = 0
        self.last: LastRun | None = None

    def look(self) -> LastRun | None:
        """The last run as events tell of it now; None if there are none. A line that is no event is left out."""
        for line in self._news().splitlines():
            with suppress(ValueError, RecursionError):
                event = decode(Event, json.loads(line))
                if event.what == What.BEGUN:
                    self.last = LastRun(run=event.run, touched=set(event.wanted))
                elif self.last is not None and event.run == self.last.run:
                    self.last.see(event)
        return self.last

    def _news(self) -> bytes:
        """Whole lines that were not read yet; what follows them is still being written, or never will be."""
        fs, path, local = self.folder.fs, f"{self.folder.root}/{EVENTS}", self.folder.local(EVENTS)
        if local is not None and not local.is_file():  # a pipe would be waited at for ever
            return b""
        try:
            head = fs.cat_file(path, end=HEAD)
            if head != self.head:  # another file than before
                self.head, self.offset = head, 0
            start = max(self.offset - 1, 0)  # a byte that is there: object stores refuse an empty range
            content = bytes(fs.cat_file(path, start=start))[self.offset - start :]
        except FileNotFoundError:
            return b""
        end = content.rfind(b"\n") + 1
        self.offset += end
        return content[:end]


def _ready(path: Path) -> bool:
    """Have a local file end with a whole line, or begin it anew where it is too large; whether it can be written to.

    A pipe would be waited at for ever.
    """
    if path.exists() and not path.is_file():
        return False
    if not path.exists():
        return True
    if path.stat().st_size > LARGEST:
        path.unlink()
        return True
    with path.open("rb+") as file:
        if file.seek(0, 2) and (file.seek(-1, 2), file.read())[1] != b"\n":
            file.write(b"\n")
    return True
