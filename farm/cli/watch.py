"""`farm show --watch`: the same table, live. Shows what a run's driver noted, and writes nothing."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.text import Text

from farm.analysis.analysis import analyse
from farm.campaign.watch import Standing, Watch
from farm.cli.options import say, stdout
from farm.cli.views import Printout, View, check_layout, choice, print_runs, printout
from farm.errors import FarmError
from farm.grid.label import AXES
from farm.plan.state import State
from farm.report import selection
from farm.results.events import EVENTS, What
from farm.results.folder import Folder
from farm.results.location import store_beside

Show = Callable[[Printout, str], None]  # the second: how far the run is


def watch(folder: Folder, view: View, every_s: float) -> int:
    """The table again and again. It ends with the run, or by Ctrl-C: the run goes on. Raises InputError."""
    run = Watch(folder, store_beside(folder))
    now = run.look()
    if now is None:
        say(f"{folder.path(EVENTS)} tells of no run, so none can be watched: this is what was gathered")
        return print_runs([folder], view, None, None)
    axes = tuple(condition for condition in view.where if condition.column in AXES)
    selection.check(analyse(now.run).rows, axes)  # a name that no cell has will not come; other texts may
    try:
        with _live() as show:
            printed = _printout(now, view)
            show(printed, _progress(now))
            while not now.end:
                time.sleep(every_s)
                before = now
                now, progress = _next(run, before)
                if now.run is not before.run:  # to judge a run takes time, on a host that may be measuring
                    printed = _printout(now, view)
                show(printed, progress)
    except KeyboardInterrupt:
        stdout.print("no longer watched; a run that is under way goes on", highlight=False)
    return 0


def _next(watch: Watch, before: Standing) -> tuple[Standing, str]:
    """How it stands now; as before, where an artefact is just made anew or the results cannot be reached."""
    try:
        now = watch.look() or before
    except (FarmError, OSError) as error:
        return before, f"{_progress(before)}; cannot be read just now: {error}"
    return now, _progress(now)


def _progress(now: Standing) -> str:
    """How many stages and cells are how far, and what runs."""
    records, states = now.run.records, Counter(now.states.values())
    failed = sum(record.outcome == "failed" for record in records)
    words = [f"{states[State.DONE]} of {len(now.states)} stages done"]
    words += [f"{states[State.RUNNING]} running"] if states[State.RUNNING] else []
    cells = [f"{sum(record.outcome == 'ok' for record in records)} of {len(records)} cells ok"]
    cells += [f"{failed - len(now.retried)} failed"] if failed > len(now.retried) else []
    cells += [f"{len(now.retried)} failed and may be tried again"] if now.retried else []
    end = "; interrupted: farm run goes on from here" if now.end == What.INTERRUPTED else ""
    line = f"{now.run.name}: {', '.join(words)}; {', '.join(cells)}{end}"
    return "\n".join([line, *(f"    {words}" for words in now.words if ": " in words)])


def _printout(now: Standing, view: View) -> Printout:
    chosen = choice(now.run.name, analyse(now.run), view)
    check_layout([chosen], view.layout)
    return printout(chosen)


@contextmanager
def _live() -> Iterator[Show]:
    """What shows a table: one in place on a terminal; elsewhere a further one whenever it has changed."""
    if not stdout.is_terminal:
        yield _printing()
        return
    with Live(console=stdout, auto_refresh=False) as live:

        def show(printed: Printout, status: str) -> None:
            live.update(Group(Text(status, style="bold"), printed.table, *map(Text, printed.lines)), refresh=True)

        yield show


def _printing() -> Show:
    """What prints a table whenever it differs from the one before."""
    before = ""

    def show(printed: Printout, status: str) -> None:
        nonlocal before
        with stdout.capture() as captured:
            printed.show()
        if captured.get() != before:
            before = captured.get()
            say(status)
            stdout.out(before, highlight=False)
            stdout.file.flush()

    return show
