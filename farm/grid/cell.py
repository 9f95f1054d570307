"""Grid, Choice and Cell: the values that everything after the YAML file works on. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from farm.spec import Parameters, Spec

AXES = ("model", "calibration", "algorithm", "device")
NO_CALIBRATION = "-"
SEED = "seed"  # the parameter that tells the draws of one calibration set apart
LEAST_GPU = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One entry of an axis after expansion: a name, its spec and all its parameters.

    label: ``name``, or ``name{its non-default parameters, sorted}``. source: the label without its seed: what draws
    of one calibration set have in common.
    """

    name: str
    label: str
    source: str = ""
    spec: Spec = field(hash=False, compare=False, repr=False)
    parameters: Mapping[str, Any] = field(hash=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the grid. A baseline (``pytorch``, ``ir``) has no calibration."""

    model: Choice
    calibration: Choice | None
    algorithm: Choice
    device: Choice

    @property
    def name(self) -> str:
        """``model/calibration/algorithm/device``: stable, and what joins runs."""
        return "/".join(self.labels())

    def labels(self) -> tuple[str, str, str, str]:
        """The label of each axis, in the order of `AXES`."""
        calibration = self.calibration.label if self.calibration else NO_CALIBRATION
        return (self.model.label, calibration, self.algorithm.label, self.device.label)


Limit = Annotated[float, Field(gt=0, le=10_000_000)]


EFFORT = ("pairs", "target", "budget_s", "max_redone")


class Measure(Parameters):
    """How a cell's speed is measured: how rounds are played, and how much effort is made to be sure.

    How rounds are played is part of the measurement's key; the effort is not, so that more of it for one cell
    leaves the others' measurements valid.
    """

    pairs: tuple[int, int] = Field((8, 32), description="least and most pairs of rounds: the cell's and its FP32 IR's")
    target: float = Field(0.02, gt=0, description="x IR known within this share, at 99 %, is enough: no more pairs")
    min_seconds: Limit = Field(1.0, description="least time of a round's timed loop")
    min_inferences: int = Field(100, ge=1, description="least number of inferences of a round")
    warmup_seconds: Limit = Field(0.3, description="untimed inferences before each round")
    budget_s: Limit = Field(180.0, description="no further pair starts after this many seconds")
    max_redone: int = Field(8, ge=0, description="pairs that other programs disturbed and that are played again")
    preprocess: bool = Field(False, description="time the way from uint8 pixels to the input too, as the study did")
    per_node: int = Field(1, ge=1, le=64, description="measurements that share a node, each on its part of the cores")

    def effort(self) -> dict[str, Any]:
        """How many pairs, for how narrow an interval, in what time."""
        return self.model_dump(include=set(EFFORT))

    def how(self) -> dict[str, Any]:
        """How rounds are played."""
        return self.model_dump(exclude=set(EFFORT))

    @field_validator("pairs", mode="before")
    @classmethod
    def _least_and_most(cls, pairs: Any) -> Any:
        """A number stands for exactly so many."""
        return (pairs, pairs) if isinstance(pairs, int) else tuple(pairs) if isinstance(pairs, list) else pairs

    @field_validator("pairs")
    @classmethod
    def _in_order(cls, pairs: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= pairs[0] <= pairs[1]:
            text = "must be a number of pairs, or the least and the most: [8, 32]"
            raise PydanticCustomError("farm", "{text}", {"text": text})
        return pairs


def _lendable(share: float) -> float:
    if 0 < share < LEAST_GPU:
        text = f"must be 0, or from {LEAST_GPU:g} to 1"
        raise PydanticCustomError("farm", "{text}", {"text": text})
    return share


class Claims(Parameters):
    """What calibration sets are held against, and which loss does not matter. In no key: claims are made of records."""

    reference: str | None = Field(
        None, description="the set of real images: a calibration without its seed; else the one named like the dataset"
    )
    margin: float = Field(0.005, gt=0, lt=1, description="a loss of accuracy up to this share of 1 does not matter")


class Settings(Parameters):
    """Settings of the whole grid. Each limit is by stage kind.

    Two of them are in keys: how rounds are played, and the size of shards, which changes no image but which stages
    there are.
    """

    measure: Measure = Measure()
    claims: Claims = Claims()
    timeout_s: Mapping[str, Limit] = Field({}, description="time limit of a stage kind, in seconds")
    memory_gib: Mapping[str, Limit] = Field({}, description="memory limit of a stage kind, in GiB")
    cores: Mapping[str, Annotated[int, Field(ge=1)]] = Field({}, description="cores of a stage kind")
    gpus: Mapping[str, Annotated[float, Field(ge=0, le=1), AfterValidator(_lendable)]] = Field(
        {}, description="share of a GPU of a stage kind: of one that there must be, or 0; 1 of any there is by default"
    )
    shard_images: int = Field(
        8192, ge=256, multiple_of=256, description="images of a shard: a larger set is made in several stages"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """What an `exclude` or an `accuracy_only` says of one axis: a name or label, or any (None), and some parameters."""

    name: str | None
    parameters: Mapping[str, Any]

    def matches(self, choice: Choice | None) -> bool:
        """Whether a cell's choice is meant. A baseline's calibration is ``-``."""
        if choice is None:
            return self.name == NO_CALIBRATION
        if self.name not in (None, choice.name, choice.label):
            return False
        said = choice.parameters
        return all(key in said and _agrees(said[key], meant) for key, meant in self.parameters.items())


def _agrees(value: Any, meant: Any) -> bool:
    """Whether a value is the one that is meant, or one of them: lists expand here too."""
    return bool(value == meant or (isinstance(meant, tuple) and value in meant))


Exclusion = Mapping[str, Pattern]


def matches(cell: Cell, exclusion: Exclusion) -> bool:
    """Whether a cell is meant by every axis that an exclusion names."""
    return all(pattern.matches(getattr(cell, axis)) for axis, pattern in exclusion.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A checked grid: every list expanded, every parameter known.

    metric: ``top1``, ``top5`` or ``package.module:function``. accuracy_only: cells that are not measured.
    """

    name: str
    path: Path
    dataset: Choice
    metric: str
    models: tuple[Choice, ...]
    calibrations: tuple[Choice, ...]
    algorithms: tuple[Choice, ...]
    devices: tuple[Choice, ...]
    baselines: tuple[Choice, ...]
    exclude: tuple[Exclusion, ...]
    include: tuple[Cell, ...]
    accuracy_only: tuple[Exclusion, ...]
    settings: Settings

    @property
    def sources(self) -> tuple[str, ...]:
        """What the grid calibrates with, whatever the draw: the sources of its calibrations, includes too."""
        chosen = (*self.calibrations, *(cell.calibration for cell in self.include))
        return tuple(dict.fromkeys(choice.source for choice in chosen if choice is not None))

    def reference(self) -> str | None:
        """The source that the others are held against: as told, else the first named like the dataset, else none."""
        alike = (choice.source for choice in self.calibrations if choice.name == self.dataset.name)
        return self.settings.claims.reference or next(alike, None)
