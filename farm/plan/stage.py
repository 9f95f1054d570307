"""Stage, key and Plan: what everything after planning works on. Pure."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypeVar

from farm.codec import members
from farm.grid.settings import Claims
from farm.inputs import Input
from farm.plan.parameters import Evaluate, StageParameters, Synthesize
from farm.shown import redacted

T = TypeVar("T")

PAIR_S = 4.0  # of a measurement, on cores that others use too
PARTS = ("factory", "split")  # options by which two sets of one origin have other images
OF_ONE_SPLIT = {  # what gives all of its images, to calibrate on as to test; and the kind of place that it reads
    "folder": "folder", "coco": "folder", "yolo": "folder", "parquet": "parquet", "npz": "npz", "factory": "factory",
}  # fmt: skip

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One unit of work. parameters, inputs, files' content and libraries make its key; paths do not.

    inputs: role -> uri of another stage. files: role -> located file. label: for people. equipped: computes faster
    on a GPU; what computes it is in no key.
    """

    kind: str
    key: str
    label: str
    parameters: StageParameters
    inputs: Mapping[str, str]
    files: Mapping[str, Input]
    libraries: Mapping[str, str]
    equipped: bool = False

    @property
    def uri(self) -> str:
        """``kind/key``: the name of its artefact in the store."""
        return f"{self.kind}/{self.key}"

    def parameters_as(self, kind: type[T]) -> T:
        """Its parameters, where their class is known by its kind."""
        if not isinstance(self.parameters, kind):
            raise TypeError(f"a stage {self.kind} has no parameters of {kind.__name__}")
        return self.parameters

    def completed(self, label: str, inputs: Mapping[str, str], *, equipped: bool = False) -> "Stage":
        """The stage that a `recipe` becomes with these inputs."""
        key = digest([self.key, inputs])
        return replace(self, key=key, label=label, inputs=inputs, equipped=equipped)

    @property
    def missing(self) -> str:
        """What local input it lacks, in words; empty if none."""
        return "; ".join(file.missing for file in self.files.values() if file.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """A cell by its labels, as in `farm.record.Record`, and its stages: role -> uri.

    Roles: calibration and validation as `numbered`, export, quantize, fp32 (the evaluation of the FP32 IR), evaluate,
    and measure unless only accuracy is asked for. runtime: ``pytorch`` for that baseline, ``openvino`` for all else.
    """

    name: str
    model: str
    calibration: str | None = None
    calibration_source: str | None = None
    calibration_seed: int | None = None
    algorithm: str
    device: str
    runtime: str
    stages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Made to be sure of a speed, as in `farm.grid.settings.Measuring`, and in no key. pairs: least and most."""

    pairs: tuple[int, int] = (6, 24)
    target: float = 0.02
    budget_s: float = 60.0
    max_redone: int = 8

    @property
    def typical_s(self) -> float:
        """What a measurement takes as a rule: the least number of pairs."""
        return self.pairs[0] * PAIR_S


NO_CLAIMS = Claims()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All stages, inputs before what needs them, and all cells in the grid's order.

    effort: None of a published run that does not tell. command: how the grid is run again, as it was typed.
    """

    grid: str = ""
    stages: Mapping[str, Stage] = field(default_factory=dict)
    cells: tuple[PlannedCell, ...] = ()
    dataset: str = ""
    metric: str = "top1"
    effort: Effort | None = Effort()
    claims: Claims = NO_CLAIMS
    grid_file: str = ""
    command: str = ""

    def cell(self, name: str) -> PlannedCell | None:
        """The cell of this name; None if there is none."""
        return next((cell for cell in self.cells if cell.name == name), None)

    def is_calibrated_on_tests(self, cell: PlannedCell) -> bool:
        """Whether a cell's calibration images are from the very file, folder or code that its test images are from."""
        if "calibration" not in cell.stages:
            return False
        made, judged = (self.stages[cell.stages[role]] for role in ("calibration", "evaluate"))
        ours, theirs = made.parameters_as(Synthesize).images, judged.parameters_as(Evaluate).dataset
        if None in (kinds := {OF_ONE_SPLIT.get(ours.name), OF_ONE_SPLIT.get(theirs.name)}) or len(kinds) > 1:
            return False
        said = [
            {file.sha256 for stage in (made, judged) if (file := stage.files.get(role)) and file.sha256}
            for role in ("images", "labels", "annotations")
        ]
        alike = all(ours.options.get(name) == theirs.options.get(name) for name in PARTS)
        return len(said[0]) == 1 and all(len(contents) <= 1 for contents in said) and alike

    def needed_by(self, cells: Collection[str]) -> set[str]:
        """The uris of all stages that the named cells need."""
        return {uri for cell in self.cells if cell.name in cells for uri in cell.stages.values()}

    def without(self, uris: Collection[str]) -> "Plan":
        """The plan of the same cells without these stages, which no other needs."""
        cells = tuple(
            replace(cell, stages={role: uri for role, uri in cell.stages.items() if uri not in uris})
            for cell in self.cells
        )
        return replace(self, cells=cells, stages={uri: one for uri, one in self.stages.items() if uri not in uris})


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


def recipe(
    kind: str, version: int, parameters: StageParameters, files: Mapping[str, Input], libraries: Mapping[str, str]
) -> Stage:
    """A stage but for its label and inputs: the same for all cells of, say, one model and device.

    Its key, of all that can change what it leaves behind, lacks the inputs: see `Stage.completed`.
    """
    contents = {role: file.sha256 or f"missing: {file.path}" for role, file in files.items()}
    key = digest([kind, version, parameters, contents, libraries])
    return Stage(kind=kind, key=key, label="", parameters=parameters, inputs={}, files=files, libraries=libraries)


def digest(value: object) -> str:
    """SHA-256 (hex) of a value in its one canonical JSON form, without what is None of dataclasses."""
    return hashlib.sha256(CANONICAL.encode(value).encode()).hexdigest()


def without_secrets(plan: Plan) -> Plan:
    """The plan as it may be kept: addresses without what opens an account there."""

    @cache
    def safe(file: Input) -> Input:
        return replace(file, path=redacted(file.path), url=redacted(file.url), missing=redacted(file.missing))

    stages = {
        uri: replace(stage, files=files)
        if (files := {role: safe(file) for role, file in stage.files.items()}) != stage.files
        else stage
        for uri, stage in plan.stages.items()
    }
    return replace(plan, stages=stages, command=redacted(plan.command), grid_file=redacted(plan.grid_file))


def judges(plan: Plan) -> Mapping[str, set[str]]:
    """Of each quantization the evaluations of its FP32 IR, which show whether model and dataset go together."""
    found: dict[str, set[str]] = {}
    for cell in plan.cells:
        if "quantize" in cell.stages and "fp32" in cell.stages:
            found.setdefault(cell.stages["quantize"], set()).add(cell.stages["fp32"])
    return found


def dependents(plan: Plan, uris: set[str]) -> set[str]:
    """The given stages and all that need them, directly or not."""
    dependent = set(uris)
    for uri, stage in plan.stages.items():  # inputs come before what needs them
        if dependent.intersection(stage.inputs.values()):
            dependent.add(uri)
    return dependent
