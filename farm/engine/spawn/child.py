"""The inside of a stage's fresh process: mask, limits, log, the stage function, its outcome as JSON.

Knows the request and the result file, not who reads it.
"""

import json
import os
import resource
import sys
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from farm.files import write_whole
from farm.host.gpus import VISIBLE
from farm.spec import resolve
from farm.stages.job import Job

RESULT = "result.json"
LOG = "log.txt"
SAID = "said"
FARM = Path(__file__).parents[2]
LINE = 1000  # bytes of a line of progress


def main(request_path: Path) -> int:
    """Run the stage of a request. Exit code 0 if a result was written, fine or failed."""
    request = json.loads(request_path.read_text(encoding="utf-8"))
    scratch = request_path.parent
    _redirect(scratch / LOG)
    device = _device(request)
    _limit(request, device)
    try:
        result: dict[str, Any] = {"facts": _run(request, scratch, device)}
    except Exception as error:  # the one blind except around a stage  # noqa: BLE001
        traceback.print_exc()  # for the log
        result = {"error": _described(error, request["python_path"])}
    sys.stdout.flush()
    sys.stderr.flush()
    write_whole(scratch / RESULT, json.dumps(result).encode(), durable=False)
    return 0


def _device(request: dict[str, Any]) -> str:
    """Torch's name of what the stage computes on; CUDA reads the environment when it is first used, here."""
    if not request["gpus"]:
        return "cpu"
    if request["visible"] is None:
        os.environ.pop(VISIBLE, None)
    else:
        os.environ[VISIBLE] = request["visible"]
    import torch  # noqa: PLC0415 - preloaded by the fork server

    return "cuda" if torch.cuda.is_available() else "cpu"


def _run(request: dict[str, Any], scratch: Path, device: str) -> dict[str, Any]:
    import torch  # noqa: PLC0415 - preloaded by the fork server

    torch.set_num_threads(request["cores"])
    for folder in request["python_path"]:
        sys.path.insert(0, folder)
    job = Job(
        parameters=request["parameters"],
        effort=request["effort"],
        inputs={role: Path(path) for role, path in request["inputs"].items()},
        files={role: Path(path) for role, path in request["files"].items()},
        folder=scratch / "artefact",
        cpus=tuple(request["cpus"]),
        cores=request["cores"],
        device=device,
        code=tuple(Path(folder) for folder in request["python_path"]),
        say=partial(_say, scratch / SAID),
    )
    job.folder.mkdir()
    return dict(resolve(request["function"])(job))


def _redirect(log: Path) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)


def _limit(request: dict[str, Any], device: str) -> None:
    os.sched_setaffinity(0, request["cpus"])
    limit = int(request["memory_gib"] * 2**30)
    if device == "cpu":  # CUDA maps memory of this host and of the GPU by its own measure: only Ray counts it
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _say(pipe: Path, text: str) -> None:
    """A line for the user, and for the log. One write of less than a pipe's page is never torn."""
    sys.stdout.write(f"{text}\n")
    line = " ".join(text.split())[:LINE].encode() + b"\n"
    with suppress(OSError):  # nobody listens, or does not keep up: it is in the log
        handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)


def _described(error: Exception, code: list[str]) -> dict[str, str]:
    """What was raised; where, if in a user's own code."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _own(frame.filename, code)]
    where = f" (in {Path(frames[-1].filename).name}:{frames[-1].lineno}, {frames[-1].name})" if frames else ""
    return {
        "type": type(error).__name__,
        "message": (str(error) or repr(error)) + where,
        "traceback": traceback.format_exc(),
    }


def _own(file: str, code: list[str]) -> bool:
    """Whether a file is a user's: below a folder of theirs, and neither installed there nor farm's."""
    path = Path(file)
    theirs = any(path.is_relative_to(folder) for folder in code)
    return theirs and "site-packages" not in path.parts and not path.is_relative_to(FARM)
