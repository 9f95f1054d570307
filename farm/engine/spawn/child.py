"""The inside of a stage's fresh process: mask, limits, log, the stage function, its answer.

Knows the messages, not who sends and reads them.
"""

import os
import resource
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from farm.engine.spawn.messages import Raised, Request, read_request, write_answer
from farm.errors import message
from farm.host.facts import VISIBLE
from farm.spec import resolve
from farm.stages.job import Job

LOG = "log.txt"
LINES = "lines"
FARM = Path(__file__).parents[2]
LINE = 1000  # characters of a line of progress
SCREEN, CHARACTERS = 20, 2000  # lines and characters of a message; a library's may have thousands


def main(request_path: Path) -> int:
    """Run the stage of a request. Exit code 0 if an answer was written, fine or failed."""
    request, scratch = read_request(request_path), request_path.parent
    _redirect(scratch / LOG)
    device = _device(request)
    _limit(request, device)
    facts, error = None, None
    try:
        facts = _run(request, scratch, device)
    except Exception as raised:  # the one blind except around a stage  # noqa: BLE001
        error = _described(raised, request.python_path)
        sys.stderr.write(error.traceback)  # for the log
    sys.stdout.flush()
    sys.stderr.flush()
    write_answer(scratch, facts, error)
    return 0


def _device(request: Request) -> str:
    """Torch's name of what the stage computes on; CUDA reads the environment when it is first used, here."""
    if not request.gpus:
        return "cpu"
    os.environ.pop(VISIBLE, None)
    if request.visible is not None:
        os.environ[VISIBLE] = request.visible
    import torch  # noqa: PLC0415 - preloaded by the fork server

    return "cuda" if torch.cuda.is_available() else "cpu"


def _run(request: Request, scratch: Path, device: str) -> object:
    import torch  # noqa: PLC0415 - preloaded by the fork server

    torch.set_num_threads(request.cores)
    for folder in request.python_path:
        sys.path.insert(0, folder)
    job = Job(
        parameters=request.parameters,
        effort=request.effort,
        inputs={role: Path(path) for role, path in request.inputs.items()},
        files={role: Path(path) for role, path in request.files.items()},
        folder=scratch / "artefact",
        cpus=request.cpus,
        cores=request.cores,
        device=device,
        code=tuple(map(Path, request.python_path)),
        say=partial(_say, scratch / LINES),
    )
    job.folder.mkdir()
    return resolve(request.function)(job)


def _redirect(log: Path) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdin = os.fdopen(0)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, errors="backslashreplace") for number in (1, 2))


def _limit(request: Request, device: str) -> None:
    os.sched_setaffinity(0, request.cpus)
    limit = int(request.memory_gib * 2**30)
    if device == "cpu":  # CUDA maps memory of this host and of the GPU by its own measure: only Ray counts it
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _say(pipe: Path, text: str, share: float | None = None) -> None:
    """A line for the user, and for the log. One write of less than a pipe's page is never torn."""
    sys.stdout.write(f"{text}\n")
    line = f"{'' if share is None else share}\t{' '.join(text.split())[:LINE]}\n".encode()
    with suppress(OSError):  # nobody listens, or does not keep up: it is in the log
        handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)


def _described(error: Exception, code: Sequence[str]) -> Raised:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_a_users(Path(frame.filename), code)]
    where = f" (in {Path(frames[-1].filename).name}:{frames[-1].lineno}, {frames[-1].name})" if frames else ""
    text = _screenful(message(error)) + where
    return Raised(type=type(error).__name__, message=text, traceback="".join(traceback.format_exception(error)))


def _screenful(text: str) -> str:
    """A message, or the beginning of a longer one; the log has the traceback, and all of it at its end."""
    lines = text.splitlines()
    if len(lines) <= SCREEN and len(text) <= CHARACTERS:
        return text
    whole = f"{len(lines):,} lines" if len(lines) > SCREEN else f"{len(text):,} characters"
    return "\n".join(lines[:SCREEN])[:CHARACTERS] + f"\n... (the log has all {whole})"


def _is_a_users(path: Path, code: Sequence[str]) -> bool:
    """Whether a file is a user's: below a folder of theirs, and neither installed there nor farm's."""
    theirs = any(path.is_relative_to(folder) for folder in code)
    return theirs and "site-packages" not in path.parts and not path.is_relative_to(FARM)
