"""What a stage's process is asked and what it answers, as files in its scratch folder: the one writer and reader."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm.codec import decode, encode
from farm.plan import Effort
from farm.plan.parameters import StageParameters, parameters_from

REQUEST, ANSWER = "request.json", "answer.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A stage to run. function: ``"module:function"``. inputs, files: paths by role. effort: of a measurement.

    cpus: the leased ones, of so many cores. gpus: the share of a GPU that it is lent. visible: what CUDA may see of
    them; None: all. python_path: folders that a user's modules are imported from.
    """

    function: str
    kind: str
    parameters: StageParameters
    effort: Effort | None = None
    inputs: Mapping[str, str]
    files: Mapping[str, str]
    cpus: tuple[int, ...]
    cores: int
    memory_gib: float
    gpus: float = 0.0
    visible: str | None = None
    python_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An exception of the stage."""

    type: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the stage function returned, or what it raised."""

    facts: Mapping[str, Any] | None = None
    error: Raised | None = None


def write_request(scratch: Path, request: Request) -> Path:
    """Write the request; returns its file."""
    path = scratch / REQUEST
    path.write_text(encode(request), encoding="utf-8")
    return path


def read_request(path: Path) -> Request:
    """The request of a file, its parameters as the type of its kind."""
    request = json.loads(path.read_text(encoding="utf-8"))
    return decode(Request, {**request, "parameters": parameters_from(request["kind"], request["parameters"])})


def write_answer(scratch: Path, facts: object, error: Raised | None) -> None:
    """Write the answer whole. facts: a dataclass, or a mapping; None where the stage raised."""
    path = scratch / f"{ANSWER}.new"
    path.write_text(encode({"facts": facts, "error": error}), encoding="utf-8")
    path.rename(scratch / ANSWER)


def read_answer(scratch: Path) -> Answer | None:
    """The answer; None if the process left none."""
    path = scratch / ANSWER
    return decode(Answer, json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
