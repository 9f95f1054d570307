"""The inline engine: one stage after another, started from this process. For tests and for reading."""

from collections import deque
from collections.abc import Generator, Sequence

from farm.engine import Place, ProgressLine, Work, process
from farm.engine.preflight import check, needs_devices, survey
from farm.errors import EngineError
from farm.host.facts import gpu_count
from farm.host.lease import host_cores
from farm.record import Outcome


class InlineEngine:
    """Runs a stage when it is waited for. Each stage still has its own fresh process."""

    def __init__(self) -> None:
        self.queue: deque[Work] = deque()
        self.running: Generator[ProgressLine | Outcome] | None = None
        self.sessions: set[str] = set()

    def places(self) -> Sequence[Place]:
        """This host, for one stage at a time, which may have all of its cores."""
        return (Place(name="", cores=len(host_cores()), gpus=min(gpu_count(), 1)),)

    def preflight(self, works: Sequence[Work]) -> None:
        """Check the work against this host, and that no measurements are to run side by side."""
        if any(work.per_node > 1 for work in works):
            raise EngineError("--engine inline runs one measurement at a time: for per_node, take --engine ray")
        check(works, [survey(frozenset(), ask_devices=needs_devices(works), gpus=gpu_count())])

    def submit(self, work: Work, place: str = "") -> None:  # noqa: ARG002 - there is one
        """Queue the work."""
        self.queue.append(work)
        self.sessions.add(work.session)

    def wait(self, timeout_s: float) -> Sequence[Outcome | ProgressLine]:  # noqa: ARG002 - a stage is always awaited
        """Run the oldest work until it says something or ends."""
        event = next(self.running, None) if self.running else None
        if event is None and self.queue:
            self.running = process.run(self.queue.popleft())
            event = next(self.running)
        return () if event is None else (event,)

    def wish(self, works: Sequence[Work]) -> None:
        """No other node will come."""

    def written(self, work: Work, outcome: Outcome) -> Outcome:
        """Written down here."""
        return process.written_down(work, outcome)

    def close(self) -> None:
        """Drop what is queued and let the fork server go; another engine's stays."""
        self.queue.clear()
        if self.running:
            self.running.close()
        for session in self.sessions:
            process.release(process.session_folder(session))
