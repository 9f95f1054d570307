"""Who is told how a campaign goes: a console, a notebook, nobody. Knows what is told, not how it is shown."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from farm.drive import Progress
from farm.inputs import DownloadProgress

Report = Callable[[Progress], None]
Gathering = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What to call; by itself it tells nobody. A call that raises ends the campaign, which keeps what is finished.

    say: a line. download: entered for each file that is fetched, by its name; gives what is told how far it is.
    progress: entered while stages run; gives what is told of each change, and about once a second. started: when
    the engine runs, and has perhaps set signal handlers of its own. closing: entered while a run is closed. gathering:
    entered while results are gathered; gives what is told how many cells are, and of how many.
    """

    say: Callable[[str], None] = lambda _: None
    download: Callable[[str], AbstractContextManager[DownloadProgress]] = lambda _: nullcontext(lambda *_: None)
    progress: Callable[[], AbstractContextManager[Report]] = lambda: nullcontext(lambda _: None)
    started: Callable[[], None] = lambda: None
    closing: Callable[[], AbstractContextManager[None]] = nullcontext
    gathering: Callable[[], AbstractContextManager[Gathering]] = lambda: nullcontext(lambda *_: None)


NOBODY = Listener()
