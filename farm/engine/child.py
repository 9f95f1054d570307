"""The inside of a stage's fresh process: mask, limits, log, the stage function, its outcome as JSON.

Knows the request and the result file, not who reads it.
"""

import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

from farm.spec import resolve
from farm.stages.job import Job

RESULT = "result.json"
LOG = "log.txt"


def main(request_path: Path) -> int:
    """Run the stage of a request. Exit code 0 if a result was written, fine or failed."""
    request = json.loads(request_path.read_text(encoding="utf-8"))
    scratch = request_path.parent
    _redirect(scratch / LOG)
    _limit(request)
    try:
        result: dict[str, Any] = {"facts": _run(request, scratch)}
    except Exception as error:  # the one blind except around a stage  # noqa: BLE001
        result = {"error": _described(error)}
    sys.stdout.flush()
    sys.stderr.flush()
    temporary = scratch / f"{RESULT}.new"
    temporary.write_text(json.dumps(result), encoding="utf-8")
    temporary.rename(scratch / RESULT)
    return 0


def _run(request: dict[str, Any], scratch: Path) -> dict[str, Any]:
    import torch  # noqa: PLC0415 - preloaded by the fork server

    torch.set_num_threads(request["cores"])
    for folder in request["python_path"]:
        sys.path.insert(0, folder)
    job = Job(
        parameters=request["parameters"],
        inputs={role: Path(path) for role, path in request["inputs"].items()},
        files={role: Path(path) for role, path in request["files"].items()},
        folder=scratch / "artefact",
        cpus=tuple(request["cpus"]),
        cores=request["cores"],
    )
    job.folder.mkdir()
    return dict(resolve(request["function"])(job))


def _redirect(log: Path) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")


def _limit(request: dict[str, Any]) -> None:
    os.sched_setaffinity(0, request["cpus"])
    limit = int(request["memory_gib"] * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _described(error: Exception) -> dict[str, str]:
    return {
        "type": type(error).__name__,
        "message": str(error) or repr(error),
        "traceback": traceback.format_exc(),
    }
