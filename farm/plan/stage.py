"""Stage, key and Plan: what everything after planning works on. Pure."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from farm.grid import Cell
from farm.grid.cell import Claims, Measure
from farm.inputs import Input

T = TypeVar("T")

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One unit of work. parameters, inputs, files' content and libraries make its key; paths do not.

    inputs: role -> uri of another stage. files: role -> located file. label: for people. equipped: computes faster
    on a GPU; what computes it is in no key.
    """

    kind: str
    key: str
    label: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    files: Mapping[str, Input]
    libraries: Mapping[str, str]
    equipped: bool = False

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
    evaluate, and measure unless only accuracy is asked for. A set of several shards has roles as `numbered`.
    """

    cell: Cell
    stages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All stages, inputs before what needs them, and all cells in the grid's order.

    effort: made to be sure of a speed, as in `farm.grid.cell.Measure`; measurements are judged by it. claims: what
    calibration sets are held against, as in `farm.grid.cell.Claims`.
    """

    grid: str
    dataset: str
    stages: Mapping[str, Stage]
    cells: tuple[Planned, ...]
    metric: str = "top1"
    effort: Mapping[str, Any] = field(default_factory=lambda: Measure().effort())
    claims: Mapping[str, Any] = field(default_factory=lambda: Claims().model_dump())

    def needed_by(self, cells: Collection[str]) -> set[str]:
        """The uris of all stages that the named cells need."""
        return {uri for planned in self.cells if planned.cell.name in cells for uri in planned.stages.values()}


def numbered(role: str, uris: Sequence[str]) -> dict[str, str]:
    """The shards of one input by role: ``calibration``, ``calibration.1``, ``calibration.2`` and so on."""
    return {f"{role}.{index}" if index else role: uri for index, uri in enumerate(uris)}


def in_order(role: str, inputs: Mapping[str, T]) -> list[T]:
    """What `numbered` roles of this name stand for, the first shard first."""
    numbers = {name: int(name.partition(".")[2] or 0) for name in inputs if base(name) == role}
    return [inputs[name] for name in sorted(numbers, key=lambda name: numbers[name])]


def base(role: str) -> str:
    """``calibration`` of ``calibration.2``."""
    return role.partition(".")[0]


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
