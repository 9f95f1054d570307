"""Progress of a run: a live table on a terminal, plain lines elsewhere. Knows `drive.Progress` only."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from farm.drive import Progress
from farm.engine import Said

WORTH_SAYING_S = 2.0
Report = Callable[[Progress], None]


@contextmanager
def shown(console: Console, *, quiet: bool) -> Iterator[Report]:
    """A function that shows progress as it comes in, in the way that suits the console."""
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        clock = time.monotonic()
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda progress: live.update(live_table(progress, time.monotonic() - clock), refresh=True)
    else:
        yield _Lines(console).report


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
    said = [f"{uri.partition('/')[0]} {label}: {text}" for uri, (label, text) in progress.said.items()]
    lines = [f"{clock_text(elapsed_s)} elapsed, {_eta(progress, elapsed_s)}", *said]
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
        self.heard: Said | None = None

    def report(self, progress: Progress) -> None:
        last = progress.last
        if isinstance(last, Said):
            self.hear(last, progress.said.get(last.uri, ("", ""))[0])
            return
        over = progress.done.total() + progress.failed.total()
        if over == self.shown or last is None:
            return
        self.shown = over
        said = f"{last.wall_s:.1f} s" if last.ok else f"{last.error_class}: {last.error_message}"
        if last.waited_s > WORTH_SAYING_S:
            said += f" (after waiting {last.waited_s:.0f} s for cores that others held)"
        line = f"[{over}/{progress.total.total()}] {last.uri.partition('/')[0]} {last.label}: {said}"
        self.console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def hear(self, said: Said, label: str) -> None:
        if said is not self.heard:
            self.heard = said
            text = f"    {said.uri.partition('/')[0]} {label}: {said.text}"
            self.console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
