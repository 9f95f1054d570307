"""One stage in one fresh process: inputs opened, cores leased, a child run, its artefact and attempt written.

Runs where the work is: in a Ray worker, or in this process for the inline engine. Knows no Ray.
"""

import errno
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Generator, Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from farm.codec import iso, now
from farm.engine import ProgressLine, Work
from farm.engine.spawn.child import LINES, LOG
from farm.engine.spawn.client import Ending, hold, release, run_child
from farm.engine.spawn.messages import Answer, Raised, Request, read_answer, write_request
from farm.errors import DamageError, DataError, EngineError, FarmError
from farm.host.facts import VISIBLE, host_facts, oom_kills
from farm.host.lease import host_cores, lease, lock_folder, safe_folder
from farm.host.topology import Core, measurable
from farm.host.versions import unlike, versions
from farm.inputs import HashMemo, Input, astray, cache_folder, fetch, place
from farm.inputs.ship import unpacked
from farm.plan import Stage
from farm.record import OUT_OF_MEMORY, FailureClass, Outcome
from farm.remote import is_away
from farm.shown import redacted
from farm.store import names
from farm.store.aside import set_aside
from farm.store.manifest import Host, Manifest

__all__ = ["release", "run", "scratch_folder", "session_folder"]

LOG_TAIL = 4000
_sound: set[str] = set()  # uris that were found as their manifests say
FULL = (errno.ENOSPC, errno.EDQUOT)
ASTRAY = {
    "absent": "is not on this host, or cannot be read: let it lie at the same path, or name a URL",
    "another": "has changed since the run was planned, or is another on this host; run it again",
}


def scratch_folder() -> Path:
    """This host's folder for what ends with a run, a real folder of this user's; what a power cut leaves is swept."""
    return safe_folder(Path(tempfile.gettempdir()) / f"farm-{os.getuid()}")


def session_folder(session: str) -> Path:
    """Where a session's socket and the scratch folders of its stages lie on this host."""
    return scratch_folder() / session


def run(work: Work, node_id: str = "") -> Generator[ProgressLine | Outcome]:
    """Run a stage: what it says of its progress, and last how it ended, which is written down.

    node_id: Ray's name of this node. Never raises for what the stage does.
    """
    base = begun(work, host=str(host_facts()["host"]), node_id=node_id)
    started_s, scratch = time.monotonic(), None
    try:
        folder = session_folder(work.session)
        hold(folder)
        scratch = Path(tempfile.mkdtemp(dir=folder))
        outcome = yield from _attempt(work, base, scratch)
    except (FarmError, OSError) as error:
        gone = scratch is None or not scratch.exists()  # with the fork server's folder, which ends with the server
        cause: FailureClass = "lost" if gone or isinstance(error, EngineError) or is_away(error) else "error"
        cause = "full" if isinstance(error, OSError) and error.errno in FULL else cause
        outcome = failed(base, cause, type(error).__name__, str(error), traceback.format_exc())
    outcome = _without_damage(work, outcome)
    outcome = replace(outcome, wall_s=round(time.monotonic() - started_s - outcome.waited_s, 4))
    outcome = written_down(work, outcome, scratch)
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)
    yield outcome


def begun(work: Work, host: str = "", node_id: str = "") -> Outcome:
    """The outcome of an attempt that has just begun."""
    base = Outcome(uri=work.stage.uri, label=work.stage.label, memory_gib=work.memory_gib, gpus=work.gpus)
    return replace(base, host=host, node_id=node_id, started_at=now())


def failed(base: Outcome, cause: FailureClass, kind: str, message: str, trace: str) -> Outcome:
    """The outcome of an attempt that failed. kind: the exception, or the signal."""
    return replace(base, error_class=cause, error_type=kind, error_message=message, traceback=trace)


def written_down(work: Work, outcome: Outcome, scratch: Path | None = None) -> Outcome:
    """End an attempt, and add it to the store with the log of its scratch folder. Says so where that fails."""
    told, trace = redacted(outcome.error_message), redacted(outcome.traceback)
    outcome = replace(outcome, finished_at=now(), error_message=told, traceback=trace)
    log = scratch / LOG if scratch is not None and (scratch / LOG).exists() else None
    try:
        return work.store.attempts.add(outcome.uri, outcome, log)
    except OSError as error:
        note = f"the attempt could not be written down: {error.strerror or error}"
        return replace(outcome, error_message="; ".join(filter(None, (outcome.error_message, note))))


def _attempt(work: Work, base: Outcome, scratch: Path) -> Generator[ProgressLine, None, Outcome]:
    stage = work.stage
    if not work.fresh and work.store.has(stage.uri):  # another driver was first, or a worker died at its last step
        return base
    inputs = {role: str(work.store.open(uri)) for role, uri in stage.inputs.items()}
    located = _brought(work)
    queued_s = time.monotonic()
    with lease(*_cores(work), lock_folder()) as held:
        base = replace(base, waited_s=round(time.monotonic() - queued_s, 4))
        if not work.fresh and work.store.has(stage.uri):  # another run has done it meanwhile
            return base
        request = Request(
            function=work.function,
            kind=stage.kind,
            parameters=stage.parameters,
            effort=work.effort,
            inputs=inputs,
            files={role: file.path for role, file in located.items() if not file.code},
            cpus=held.cpus,
            cores=len(held.cores),
            memory_gib=work.memory_gib,
            gpus=work.gpus,
            visible=os.environ.get(VISIBLE) if work.gpus else "",  # Ray's choice for this task; none are hidden
            python_path=tuple(dict.fromkeys(file.path for file in located.values() if file.code)),
        )
        kills, started_s = oom_kills(), time.monotonic()
        ending = yield from _progress(work, write_request(scratch, request))
        wall_s = round(time.monotonic() - started_s, 4)
    answer = read_answer(scratch) if ending.code == 0 else None
    outcome = _ended(work, base, ending, answer, scratch, killed_for_memory=oom_kills() > kills)
    if outcome.ok and answer is not None:
        if work.fresh:
            work.store.discard(stage.uri)
        work.store.commit(stage.uri, scratch / "artefact", _manifest(stage, outcome, answer.facts or {}, wall_s))
    return outcome


def _without_damage(work: Work, outcome: Outcome) -> Outcome:
    """A failed attempt; another is worth while where an artefact that it needs turns out damaged, and is set aside.

    A remote store's were checked when they came to this host; each artefact is checked once a process.
    """
    if outcome.error_class not in ("error", "crash"):
        return outcome
    inputs, broken = set(work.stage.inputs.values()), []
    try:
        seen = outcome.error_type == DamageError.__name__
        if work.store.files.local or seen:
            suspects = inputs if seen else inputs - _sound
            broken = [found for uri in suspects if (found := set_aside(work.store, uri))]
            _sound.update(inputs)
        gone = inputs - work.store.present(inputs)
    except OSError:
        return outcome
    if not gone:
        return outcome
    words = [one.error_message for one in broken] or [f"{', '.join(sorted(gone))} is not in the store any more"]
    return replace(outcome, error_class="damaged", error_message=f"what it needs is {'; '.join(words)}")


def _cores(work: Work) -> tuple[tuple[Core, ...], int | None]:
    """The cores that a stage may be lent, and how many of them; all of one kind where it is measured on them."""
    cores = measurable(host_cores()) if work.exclusive else host_cores()
    return cores, max(1, len(cores) // work.per_node) if work.cores is None and work.per_node > 1 else work.cores


def _progress(work: Work, request: Path) -> Generator[ProgressLine, None, Ending]:
    """Run the child, passing on its lines of progress."""
    for line in run_child(session_folder(work.session), request, request.parent / LINES, work.timeout_s):
        if isinstance(line, Ending):
            return line
        share, _, text = line.partition("\t")
        yield ProgressLine(uri=work.stage.uri, text=text, share=float(share) if share else None)
    raise EngineError("the child has gone without a word")  # never: the last word is always its ending


def _brought(work: Work) -> dict[str, Input]:
    """The stage's files as they lie on this host, fetched where they come from an address, or with the run.

    What runs must be what the key says, a user's code too, and by the libraries that it says. Raises DataError. A host
    with other libraries has lost the stage: another may have the right ones.
    """
    stage, memo, found = work.stage, HashMemo(cache_folder() / "hashes.json"), dict[str, Input]()
    for role, file in stage.files.items():
        if not file.code:
            fetch(file)
        how = astray(file, memo)
        if how and file.shipped:
            file = unpacked(file, work.store.files.content(names.shipped(file.sha256)), cache_folder())  # noqa: PLW2901
            how = astray(file, memo)
        if how:
            raise DataError(f"{place(file)} {ASTRAY[how]}")
        found[role] = file
    memo.save()
    if other := unlike(stage.libraries, versions(stage.libraries)):
        raise EngineError(f"{host_facts()['host']} has {other}: install the same there as where the run was planned")
    return found


def _ended(
    work: Work, base: Outcome, ending: Ending, answer: Answer | None, scratch: Path, *, killed_for_memory: bool
) -> Outcome:
    """How the child ended, in the words of `record.FAILURE_CLASSES`."""
    base = replace(base, peak_rss_mib=round(ending.peak_rss_kib / 1024, 1) if ending.peak_rss_kib else None)
    if answer is not None and not ending.timed_out:
        return _raised(work, base, answer.error, scratch) if answer.error else base
    log = _tail(scratch)
    if ending.timed_out:
        text = f"ran longer than {work.timeout_s:g} s; raise settings.timeout_s.{work.stage.kind}"
        return failed(base, "timeout", "Timeout", text, log)
    if ending.code >= 0:
        text = f"left no result, exit code {ending.code}"
        return replace(failed(base, "crash", "Exit", text, log), exit_code=ending.code)
    number = signal.Signals(-ending.code)
    memory = number == signal.SIGKILL and killed_for_memory
    text = "the kernel ended it for memory" if memory else f"ended by signal {number} ({number.name})"
    cause: FailureClass = "oom" if memory or "bad_alloc" in log else "crash"
    return replace(failed(base, cause, number.name, text, log), signal=int(number))


def _raised(work: Work, base: Outcome, error: Raised, scratch: Path) -> Outcome:
    log, message = _tail(scratch), error.message
    cause: FailureClass = "error"
    text = message + (log if error.type == "RuntimeError" else "")  # a round's own words
    if error.type == "MemoryError" or any(words in text for words in OUT_OF_MEMORY):
        cause = "oom"
        message = f"needed more than {work.memory_gib:g} GiB ({message}); see settings.memory_gib.{work.stage.kind}"
    elif error.type == "OSError" and any(os.strerror(number) in text for number in FULL):
        cause = "full"
    return failed(base, cause, error.type, message, log or error.traceback)


def _manifest(stage: Stage, outcome: Outcome, facts: Mapping[str, Any], wall_s: float) -> Manifest:
    return Manifest(
        label=stage.label,
        parameters=stage.parameters,
        inputs=stage.inputs,
        contents={role: file.sha256 for role, file in stage.files.items()},
        libraries=stage.libraries,
        facts=facts,
        host=Host(**host_facts()),
        versions={"farm": metadata.version("farm"), "python": sys.version.split()[0], **stage.libraries},
        wall_s=wall_s,
        peak_rss_mib=outcome.peak_rss_mib,
        started_at=iso(outcome.started_at) if outcome.started_at else "",
        finished_at=iso(now()),
    )


def _tail(scratch: Path) -> str:
    log = scratch / LOG
    return log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:] if log.exists() else ""
