"""A campaign on a console: a live table on a terminal, plain lines elsewhere; and Ctrl-C that works."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from rich import progress as bars
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from farm.campaign.listener import Listener, Report
from farm.cli import interrupt
from farm.cli.options import stderr, table
from farm.drive import Progress
from farm.engine import ProgressLine
from farm.inputs import DownloadProgress
from farm.record import Outcome
from farm.shown import shown

WORTH_SAYING_S = 2.0
SELDOM_S = 10.0  # between lines of what only counts
RUNNING = 4  # stages that are named while they run


def console(*, quiet: bool, failures: bool = True, alone: bool = False) -> Listener:
    """The console as a campaign's listener. failures: whether stages' are told as they come in. alone: of one stage."""
    return Listener(
        say=lambda text: None if quiet else stderr.print(text, style="dim", highlight=False, soft_wrap=True),
        download=partial(_download, quiet=quiet),
        progress=partial(_progress, quiet=quiet, failures=failures, alone=alone),
        started=interrupt.begin,
        closing=interrupt.held_off,
        gathering=partial(gathering, stderr, quiet=quiet),
    )


@contextmanager
def _download(name: str, *, quiet: bool) -> Iterator[DownloadProgress]:
    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.DownloadColumn())
    with bars.Progress(*columns, bars.TransferSpeedColumn(), console=stderr, disable=quiet) as bar:
        task = bar.add_task(shown(name), total=None)
        yield lambda received, total: bar.update(task, advance=received, total=total)


@contextmanager
def gathering(
    console: Console, *, quiet: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int, int], None]]:
    """What is told how many cells are gathered, and of how many: a bar on a terminal, elsewhere a line now and then."""
    if quiet or not console.is_terminal:
        yield (lambda *_: None) if quiet else _Seldom(console, clock).report
        return
    columns = (bars.TextColumn("gathering"), bars.BarColumn(), bars.MofNCompleteColumn(), bars.TextColumn("cells"))
    with bars.Progress(*columns, bars.TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("")
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Seldom:
    """A line of what is gathered, where that takes long."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self.console, self.clock, self.said_at = console, clock, clock()

    def report(self, done: int, total: int) -> None:
        if self.clock() >= self.said_at + SELDOM_S:
            self.said_at = self.clock()
            with suppress(OSError):  # a closed terminal is none any more: what was to be gathered is, all the same
                self.console.print(f"gathered {done:,} of {total:,} cells", style="dim", highlight=False)


@contextmanager
def _progress(*, quiet: bool, failures: bool, alone: bool) -> Iterator[Report]:
    with reporting(stderr, quiet=quiet, alone=alone) as report:

        def reported(progress: Progress) -> None:
            interrupt.heed()
            if failures or not isinstance(progress.last, Outcome) or progress.last.ok:
                report(progress)

        yield reported


@contextmanager
def reporting(console: Console, *, quiet: bool, alone: bool = False) -> Iterator[Report]:
    """A function that shows progress as it comes in, in the way that suits the console. alone: of a single stage."""
    if quiet:
        yield lambda _: None
    elif console.is_terminal and alone:
        with bars.Progress(bars.BarColumn(), _Words(), console=console, refresh_per_second=2, transient=True) as bar:
            yield partial(_update, bar, bar.add_task("", total=None))
    elif console.is_terminal:
        clock = time.monotonic()
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda progress: live.update(live_table(progress, time.monotonic() - clock), refresh=True)
    else:
        yield _Lines(console, alone=alone).report


def _update(bar: bars.Progress, task: bars.TaskID, progress: Progress) -> None:
    """Show the last words of a single stage, and how far it is if it tells; until then the bar moves to and fro."""
    line = progress.last
    if isinstance(line, ProgressLine):
        bar.update(task, description=shown(line.text), completed=line.share, total=None if line.share is None else 1.0)


def live_table(progress: Progress, elapsed_s: float) -> Table:
    """Stages by kind: done, in flight (running or next), failed; elapsed time and the time still to go."""
    stages = table("stage", numbers=("done", "in flight", "failed", "to do", "of"))
    for kind, total in progress.total.items():
        done, failed, running = progress.done[kind], progress.failed[kind], progress.flying[kind]
        rest = total - done - failed - running
        failures = Text(str(failed), style="red" if failed else "")
        stages.add_row(kind, str(done), str(running), failures, str(rest), str(total))
    goes_on = progress.waits or _eta(progress)
    lines = [f"{clock_text(elapsed_s)} elapsed, {shown(goes_on)}", *map(shown, _running(progress))]
    stages.caption = Text("\n".join(lines), style="table.caption")
    return stages


def clock_text(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def left_s(progress: Progress) -> float:
    """How long the rest may take: of each kind as long as those that are done, as a rule before there are any.

    Kinds go one after another: nothing else runs while a measurement does.
    """
    return sum(_left_s(progress, kind) for kind in progress.total)


def _left_s(progress: Progress, kind: str) -> float:
    rest = progress.total[kind] - progress.done[kind] - progress.failed[kind]
    return rest * progress.typical_s(kind) / progress.lanes.get(kind, 1)


def _eta(progress: Progress) -> str:
    seconds = left_s(progress)
    return f"about {clock_text(seconds)} to go" if seconds else "no estimate yet"


def _running(progress: Progress) -> list[str]:
    """A line for each stage at the engine, those first that tell how far they are."""
    words = sorted(progress.words.items(), key=lambda each: not each[1][1])
    lines = [f"{uri.partition('/')[0]} {label}{text and ': '}{text}" for uri, (label, text) in words]
    return lines if len(lines) <= RUNNING else [*lines[:RUNNING], f"and {len(lines) - RUNNING} more, running or next"]


class _Words(bars.ProgressColumn):
    """Beside a stage's bar: the time, and to go once the stage tells how far it is; its last words."""

    def render(self, task: bars.Task) -> Text:
        left_s = task.time_remaining
        left = "" if left_s is None else f", about {clock_text(left_s)} to go"
        words = f": {task.description}" if task.description else ""
        return Text(f"{clock_text(task.elapsed or 0.0)} elapsed{left}{words}")


class _Lines:
    """A line for each stage that ended: for logs and pipes. alone: only what a single stage says."""

    def __init__(self, console: Console, *, alone: bool) -> None:
        self.print = partial(console.print, markup=False, emoji=False, highlight=False, soft_wrap=True)
        self.alone = alone
        self.shown = 0
        self.waits = ""
        self.heard: ProgressLine | None = None

    def report(self, progress: Progress) -> None:
        last = progress.last
        if progress.waits != self.waits:
            self.waits = progress.waits
            if self.waits:
                self.print(self.waits)
        over = progress.done.total() + progress.failed.total()
        if isinstance(last, ProgressLine):
            if last is not self.heard:
                label = progress.words.get(last.uri, ("", ""))[0]
                self.print(last.text if self.alone else f"    {last.uri.partition('/')[0]} {label}: {last.text}")
            self.heard = last
        elif last is not None and over != self.shown and not self.alone:
            self.shown = over
            self.print(f"[{over}/{progress.total.total()}] {last.uri.partition('/')[0]} {last.label}: {_ending(last)}")


def _ending(outcome: Outcome) -> str:
    ending = f"{outcome.wall_s:.1f} s" if outcome.ok else f"{outcome.error_class}: {outcome.error_message}"
    waited = f" (after waiting {outcome.waited_s:.0f} s for cores that others held)"
    return ending + (waited if outcome.waited_s > WORTH_SAYING_S else "")
