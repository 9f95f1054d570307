"""Stage, key and Plan: what everything after planning works on. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from farm.grid import Cell
from farm.grid.cell import Measure
from farm.inputs import Input

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One unit of work. parameters, inputs, files' content and libraries make its key; paths do not.

    inputs: role -> uri of another stage. files: role -> located file. label: for people.
    """

    kind: str
    key: str
    label: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    files: Mapping[str, Input]
    libraries: Mapping[str, str]

    @property
    def uri(self) -> str:
        """``kind/key``: the name of its artefact in the store."""
        return f"{self.kind}/{self.key}"

    @property
    def missing(self) -> str:
        """What local input it lacks, in words; empty if none."""
        return "; ".join(found.missing for found in self.files.values() if found.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A cell and its stages: role -> uri.

    Roles: calibration, validation where the algorithm has a set of its own, export, quantize, reference,
    evaluate, and measure unless only accuracy is asked for.
    """

    cell: Cell
    stages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All stages, inputs before what needs them, and all cells in the grid's order.

    effort: made to be sure of a speed, as in `farm.grid.cell.Measure`; measurements are judged by it.
    """

    grid: str
    dataset: str
    stages: Mapping[str, Stage]
    cells: tuple[Planned, ...]
    metric: str = "top1"
    effort: Mapping[str, Any] = field(default_factory=lambda: Measure().effort())


def key_of(
    kind: str,
    version: int,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, str],
    contents: Mapping[str, str],
    libraries: Mapping[str, str],
) -> str:
    """SHA-256 (hex) of everything that can change what the stage leaves behind."""
    return key_with_inputs(digest([kind, version, parameters, contents, libraries]), inputs)


def key_with_inputs(recipe: str, inputs: Mapping[str, str]) -> str:
    """The key of a stage whose kind, version, parameters, contents and libraries have this digest."""
    return digest([recipe, inputs])


def digest(value: Any) -> str:
    """SHA-256 (hex) of a JSON value in its one canonical form."""
    return hashlib.sha256(CANONICAL.encode(value).encode()).hexdigest()


def dependents(plan: Plan, uris: set[str]) -> set[str]:
    """The given stages and all that need them, directly or not."""
    found = set(uris)
    for uri, stage in plan.stages.items():  # inputs come before what needs them
        if found.intersection(stage.inputs.values()):
            found.add(uri)
    return found
