"""What a stage function is given. Knows no engine and no store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One stage in its fresh process.

    parameters: as in the plan. inputs: role -> folder of another stage's artefact. files: role -> local
    file. folder: empty; what is left in it becomes the artefact. cpus: the leased CPUs, this process's mask.
    cores: how many physical cores they are, which is how many threads do work.
    """

    parameters: Mapping[str, Any]
    inputs: Mapping[str, Path]
    files: Mapping[str, Path]
    folder: Path
    cpus: tuple[int, ...]
    cores: int
