"""What a stage function is given. Knows no engine and no store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from farm.plan import Effort

P = TypeVar("P")


class Say(Protocol):
    """Tells the user, in a line, how far a stage is. share: of its work, that is done: 0 to 1."""

    def __call__(self, text: str, share: float | None = None) -> None:
        """Tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[P]):
    """One stage in its fresh process.

    parameters: as in the plan. effort: of a measurement, made to be sure of a speed. inputs: role -> folder of another
    stage's artefact. files: role -> local file. folder: empty; what is left in it becomes the artefact. cpus: the
    leased CPUs, this process's mask. cores: how many physical cores they are, which is how many threads do work.
    device: torch's name of what the stage may compute on: ``cuda`` where it was lent a GPU. code: folders that a
    user's modules are imported from.
    """

    parameters: P
    inputs: Mapping[str, Path]
    files: Mapping[str, Path]
    folder: Path
    cpus: tuple[int, ...]
    cores: int
    device: str = "cpu"
    effort: Effort | None = None
    code: tuple[Path, ...] = ()
    say: Say = lambda _text, _share=None: None
