"""`farm show --watch`: the same table, live. Looks at plan and store, and writes nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from farm.analysis.rows import rows
from farm.cli.options import stdout
from farm.cli.showing import View, check_layout, choice, draw, parts
from farm.errors import FarmError
from farm.grid.cell import AXES
from farm.report import selection
from farm.results.folder import Folder
from farm.results.live import Status, Watch
from farm.results.location import store_beside

Drawn = tuple[RenderableType, list[str]]  # a table, and the lines below it
Show = Callable[[Drawn, str], None]  # the second: how far the run is


def watch(folder: Folder, asked: View, every_s: float) -> int:
    """The table again and again. It ends with the run, or by Ctrl-C: the run goes on. Raises InputError."""
    looking = Watch(folder, store_beside(folder))
    status = looking.look()
    axes = tuple(each for each in asked.where if each.column in AXES)
    selection.check(rows(status.run), axes)  # a name that no cell has will not come; other texts may
    try:
        with _shown() as show:
            drawn = _drawn(status, asked)
            show(drawn, _progress(status))
            while not status.over:
                time.sleep(every_s)
                before = status
                status, said = _next(looking, before)
                if status.run is not before.run:  # to judge a run takes time, on a host that may be measuring
                    drawn = _drawn(status, asked)
                show(drawn, said)
    except KeyboardInterrupt:
        stdout.print("no longer watched; a run that is under way goes on", highlight=False)
    return 0


def _next(watch: Watch, before: Status) -> tuple[Status, str]:
    """How it stands now; as before, where an artefact is just made anew or the results cannot be reached."""
    try:
        now = watch.look()
    except (FarmError, OSError) as error:
        return before, f"{_progress(before)}; cannot be read just now: {error}"
    return now, _progress(now)


def _progress(status: Status) -> str:
    records = status.run.records
    good = sum(record.outcome == "ok" for record in records)
    failed = [record.cell in status.ended for record in records if record.outcome == "failed"]
    words = [f"{good} of {len(records)} cells ok"]
    words += [f"{sum(failed)} failed"] if any(failed) else []
    words += [f"{failed.count(False)} failed and may be tried again"] if not all(failed) else []
    return f"{status.run.name}: {status.done} of {status.stages} stages done; {', '.join(words)}"


def _drawn(status: Status, asked: View) -> Drawn:
    found = choice(status.run.name, status.run, rows(status.run), asked)
    check_layout([found], asked)
    return parts(found, asked)


@contextmanager
def _shown() -> Iterator[Show]:
    """What shows a table: one in place on a terminal; elsewhere a further one whenever it has changed."""
    if not stdout.is_terminal:
        yield _Printer().show
        return
    with Live(console=stdout, auto_refresh=False) as live:

        def show(drawn: Drawn, status: str) -> None:
            table, lines = drawn
            live.update(Group(Text(status, style="bold"), table, *map(Text, lines)), refresh=True)

        yield show


class _Printer:
    """Prints a table whenever it differs from the one before."""

    def __init__(self) -> None:
        self.before = ""

    def show(self, drawn: Drawn, status: str) -> None:
        with stdout.capture() as captured:
            draw(drawn)
        if captured.get() != self.before:
            self.before = captured.get()
            stdout.print(status, highlight=False, soft_wrap=True)
            stdout.out(self.before, highlight=False)
            stdout.file.flush()
