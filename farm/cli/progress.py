"""A campaign on a console: a live table on a terminal, plain lines elsewhere; and Ctrl-C that works."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from rich import progress as bars
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from farm.campaign.listener import Listener, Report
from farm.cli import interrupt
from farm.cli.options import stderr
from farm.drive import Progress
from farm.engine import ProgressLine
from farm.inputs import DownloadProgress
from farm.record import Outcome

WORTH_SAYING_S = 2.0


def console(*, quiet: bool, failures: bool = True, alone: bool = False) -> Listener:
    """The console as a campaign's listener. failures: whether stages' are told as they come in. alone: of one stage."""
    reporter = words if alone else reporting
    return Listener(
        say=lambda text: None if quiet else stderr.print(text, style="dim"),
        download=partial(_download, quiet=quiet),
        progress=partial(_progress, partial(reporter, stderr, quiet=quiet), failures=failures),
        started=interrupt.listen,  # Ray has set handlers of its own
        closing=interrupt.held_off,
    )


@contextmanager
def _download(name: str, *, quiet: bool) -> Iterator[DownloadProgress]:
    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.DownloadColumn())
    with bars.Progress(*columns, bars.TransferSpeedColumn(), console=stderr, disable=quiet) as bar:
        task = bar.add_task(name, total=None)
        yield lambda received, total: bar.update(task, advance=received, total=total)


@contextmanager
def _progress(reporter: Callable[[], AbstractContextManager[Report]], *, failures: bool) -> Iterator[Report]:
    with reporter() as report:
        yield interrupt.heeding(report if failures else _but_failures(report))


def _but_failures(report: Report) -> Report:
    """The report without a stage's failure."""

    def reported(progress: Progress) -> None:
        if not (isinstance(progress.last, Outcome) and not progress.last.ok):
            report(progress)

    return reported


@contextmanager
def reporting(console: Console, *, quiet: bool) -> Iterator[Report]:
    """A function that shows progress as it comes in, in the way that suits the console."""
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        clock = time.monotonic()
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda progress: live.update(live_table(progress, time.monotonic() - clock), refresh=True)
    else:
        yield _Lines(console).report


@contextmanager
def words(console: Console, *, quiet: bool) -> Iterator[Report]:
    """What a single stage says: its last words on a terminal, every line elsewhere."""
    last: ProgressLine | None = None
    columns = (bars.SpinnerColumn(), bars.TextColumn("{task.description}", markup=False), bars.TimeElapsedColumn())
    in_place = console.is_terminal and not quiet
    with bars.Progress(*columns, console=console, transient=True, disable=not in_place) as spinner:
        task = spinner.add_task("")

        def report(progress: Progress) -> None:
            nonlocal last
            if not isinstance(progress.last, ProgressLine) or progress.last is last:
                return
            last = progress.last
            spinner.update(task, description=last.text)
            if not (in_place or quiet):
                console.print(last.text, markup=False, emoji=False, highlight=False, soft_wrap=True)

        yield report


def live_table(progress: Progress, elapsed_s: float) -> Table:
    """Stages by kind: done, in flight (running or next), failed; elapsed time and the time still to go."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("stage")
    for name in ("done", "in flight", "failed", "to do", "of"):
        table.add_column(name, justify="right")
    for kind, total in progress.total.items():
        done, failed, running = progress.done[kind], progress.failed[kind], progress.flying[kind]
        rest = total - done - failed - running
        failures = Text(str(failed), style="red" if failed else "")
        table.add_row(kind, str(done), str(running), failures, str(rest), str(total))
    words = [f"{uri.partition('/')[0]} {label}: {text}" for uri, (label, text) in progress.said.items()]
    lines = [f"{clock_text(elapsed_s)} elapsed, {_eta(progress, elapsed_s)}", *words]
    table.caption = Text("\n".join(lines), style="table.caption")
    table.caption_justify = "left"
    return table


def clock_text(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _eta(progress: Progress, elapsed_s: float) -> str:
    over = progress.done.total() + progress.failed.total()
    left = progress.total.total() - over
    return f"about {clock_text(elapsed_s / over * left)} to go" if over else "no estimate yet"


class _Lines:
    """A line for each stage that ended: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.shown = 0
        self.heard: ProgressLine | None = None

    def report(self, progress: Progress) -> None:
        last = progress.last
        if isinstance(last, ProgressLine):
            self.hear(last, progress.said.get(last.uri, ("", ""))[0])
            return
        over = progress.done.total() + progress.failed.total()
        if over == self.shown or last is None:
            return
        self.shown = over
        ending = f"{last.wall_s:.1f} s" if last.ok else f"{last.error_class}: {last.error_message}"
        if last.waited_s > WORTH_SAYING_S:
            ending += f" (after waiting {last.waited_s:.0f} s for cores that others held)"
        line = f"[{over}/{progress.total.total()}] {last.uri.partition('/')[0]} {last.label}: {ending}"
        self.console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def hear(self, said: ProgressLine, label: str) -> None:
        if said is not self.heard:
            self.heard = said
            text = f"    {said.uri.partition('/')[0]} {label}: {said.text}"
            self.console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
