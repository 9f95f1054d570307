"""One stage in one fresh process: inputs opened, cores leased, a child run, its artefact and attempt written.

Runs where the work is: in a Ray worker, or in this process for the inline engine. Knows no Ray.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from farm.codec import iso
from farm.engine import ProgressLine, Work
from farm.engine.spawn.child import LINES, LOG
from farm.engine.spawn.client import Ending, hold, release, run_child
from farm.engine.spawn.messages import Answer, Raised, Request, read_answer, write_request
from farm.errors import DataError, EngineError, FarmError
from farm.host.facts import host_facts, oom_kills
from farm.host.gpus import VISIBLE
from farm.host.lease import Lease, host_cores, lease, lock_folder, safe_folder
from farm.host.topology import Core, measurable
from farm.inputs import HashMemo, cache_folder, fetch
from farm.plan import Stage
from farm.record import FailureClass, Outcome
from farm.store.manifest import Host, Manifest

__all__ = ["release", "run", "session_folder"]

LOG_TAIL = 4000
OUT_OF_MEMORY = ("MemoryError", "can't allocate memory", "bad_alloc", "Cannot allocate memory", "not enough memory")


def session_folder(session: str) -> Path:
    """This host's folder for a session's socket and scratch space; a real folder of this user's."""
    return safe_folder(Path(tempfile.gettempdir()) / f"farm-{os.getuid()}") / session


def run(work: Work, node_id: str = "") -> Generator[ProgressLine | Outcome]:
    """Run a stage: what it says of its progress, and last how it ended, which is written down.

    node_id: Ray's name of this node. Never raises for what the stage does.
    """
    base = Outcome(
        uri=work.stage.uri,
        label=work.stage.label,
        host=str(host_facts()["host"]),
        started_at=_now(),
        memory_gib=work.memory_gib,
        gpus=work.gpus,
        node_id=node_id,
    )
    begun = time.monotonic()
    scratch = None
    try:
        folder = session_folder(work.session)
        hold(folder)
        scratch = Path(tempfile.mkdtemp(dir=folder))
        outcome = yield from _attempt(work, base, scratch)
    except EngineError as error:
        outcome = _failed(base, "lost", error)
    except (FarmError, OSError) as error:
        outcome = _failed(base, "error", error)
    wall_s = round(time.monotonic() - begun - outcome.waited_s, 4)
    outcome = _written_down(work, replace(outcome, finished_at=_now(), wall_s=wall_s), scratch)
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)
    yield outcome


def _attempt(work: Work, base: Outcome, scratch: Path) -> Generator[ProgressLine, None, Outcome]:
    stage = work.stage
    if work.store.has(stage.uri):  # another driver was first, or a worker died after its last step but one
        return base
    inputs = {role: str(work.store.open(uri)) for role, uri in stage.inputs.items()}
    files = {role: str(fetch(file)) for role, file in stage.files.items() if not file.code}
    _check_unchanged(stage)
    queued = time.monotonic()
    with lease(*_cores(work), lock_folder()) as held:
        base = replace(base, waited_s=round(time.monotonic() - queued, 4))
        request = write_request(scratch, _request(work, inputs, files, held))
        kills = oom_kills()
        begun = time.monotonic()
        ending = yield from _heard(work, request)
        wall_s = time.monotonic() - begun
    answer = read_answer(scratch) if ending.code == 0 else None
    outcome = _ended(work, base, ending, answer, scratch, killed_for_memory=oom_kills() > kills)
    if outcome.ok and answer is not None:
        manifest = _manifest(work, outcome, answer.facts or {}, round(wall_s, 4))
        work.store.commit(stage.uri, scratch / "artefact", manifest)
    return outcome


def _request(work: Work, inputs: Mapping[str, str], files: Mapping[str, str], held: Lease) -> Request:
    return Request(
        function=work.function,
        kind=work.stage.kind,
        parameters=work.stage.parameters,
        effort=work.effort,
        inputs=inputs,
        files=files,
        cpus=held.cpus,
        cores=len(held.cores),
        memory_gib=work.memory_gib,
        gpus=work.gpus,
        visible=os.environ.get(VISIBLE) if work.gpus else "",  # Ray's choice for this task; none are hidden
        python_path=tuple(dict.fromkeys(file.path for file in work.stage.files.values() if file.code)),
    )


def _cores(work: Work) -> tuple[tuple[Core, ...], int | None]:
    """The cores that a stage may be lent, and how many of them; all of one kind where it is measured on them."""
    cores = measurable(host_cores()) if work.exclusive else host_cores()
    return cores, max(1, len(cores) // work.per_node) if work.cores is None and work.per_node > 1 else work.cores


def _heard(work: Work, request: Path) -> Generator[ProgressLine, None, Ending]:
    for word in run_child(session_folder(work.session), request, request.parent / LINES, work.timeout_s):
        if isinstance(word, Ending):
            return word
        yield ProgressLine(uri=work.stage.uri, text=word)
    raise EngineError("the child has gone without a word")  # never: the last word is always its ending


def _check_unchanged(stage: Stage) -> None:
    """What runs must be what the key says. A user's code is the exception: a run takes it as it is."""
    memo = HashMemo(cache_folder() / "hashes.json")
    for file in stage.files.values():
        if file.code or file.url:
            continue
        if memo.content(Path(file.path), beside=map(Path, file.beside)) != file.sha256:
            raise DataError(f"{file.path} has changed since the run was planned; run it again")


def _ended(
    work: Work, base: Outcome, ending: Ending, answer: Answer | None, scratch: Path, *, killed_for_memory: bool
) -> Outcome:
    """How the child ended, in the words of `record.FAILURE_CLASSES`."""
    base = replace(base, peak_rss_mib=round(ending.peak_rss_kib / 1024, 1) if ending.peak_rss_kib else None)
    if answer is not None and not ending.timed_out:
        return _raised(work, base, answer.error, scratch) if answer.error else base
    base = replace(base, traceback=_tail(scratch))
    if ending.timed_out:
        text = f"ran longer than {work.timeout_s:g} s; raise settings.timeout_s.{work.stage.kind}"
        return replace(base, error_class="timeout", error_type="Timeout", error_message=text)
    code, number = ending.code, -ending.code
    if code >= 0:
        text = f"left no result, exit code {code}"
        return replace(base, error_class="crash", error_type="Exit", error_message=text, exit_code=code)
    name = signal.Signals(number).name
    memory = number == signal.SIGKILL and killed_for_memory
    text = "the kernel ended it for memory" if memory else f"ended by signal {number} ({name})"
    cause: FailureClass = "oom" if memory or "bad_alloc" in base.traceback else "crash"
    return replace(base, error_class=cause, error_type=name, error_message=text, signal=number)


def _raised(work: Work, base: Outcome, error: Raised, scratch: Path) -> Outcome:
    text = error.message + (_tail(scratch) if error.type == "RuntimeError" else "")  # a round's own words
    memory = error.type == "MemoryError" or any(words in text for words in OUT_OF_MEMORY)
    message = error.message
    if memory:
        message = f"needed more than {work.memory_gib:g} GiB ({message}); see settings.memory_gib.{work.stage.kind}"
    cause: FailureClass = "oom" if memory else "error"
    log = _tail(scratch) or error.traceback
    return replace(base, error_class=cause, error_type=error.type, error_message=message, traceback=log)


def _failed(base: Outcome, cause: FailureClass, error: Exception) -> Outcome:
    kind, log = type(error).__name__, traceback.format_exc()
    return replace(base, error_class=cause, error_type=kind, error_message=str(error), traceback=log)


def _manifest(work: Work, outcome: Outcome, facts: Mapping[str, Any], wall_s: float) -> Manifest:
    stage = work.stage
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
        finished_at=iso(_now()),
    )


def _written_down(work: Work, outcome: Outcome, scratch: Path | None) -> Outcome:
    log = scratch / LOG if scratch is not None and (scratch / LOG).exists() else None
    try:
        return work.store.add_attempt(outcome.uri, outcome, log)
    except OSError as error:
        note = f"the attempt could not be written down: {error.strerror or error}"
        return replace(outcome, error_message="; ".join(filter(None, (outcome.error_message, note))))


def _tail(scratch: Path) -> str:
    log = scratch / LOG
    return log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:] if log.exists() else ""


def _now() -> datetime:
    """To the millisecond, as it is written down."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
