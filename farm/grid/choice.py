"""What a cell consists of: one small type a kind of thing, its parameters checked. Pure."""

from dataclasses import dataclass

from farm.catalog.datasets import DatasetParameters
from farm.catalog.devices import DeviceParameters
from farm.catalog.models import ModelParameters
from farm.catalog.sources import Seeded, SourceParameters
from farm.grid.label import Label
from farm.spec import AlgorithmSpec, LoadedSpec, ModelSpec, Parameters, SourceSpec, Spec, TaskSpec

SEED = "seed"  # the parameter that tells calibration sets of one source apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One entry of an axis, its lists expanded. label: the name with its non-default parameters. spec: of the table."""

    name: str
    label: Label
    spec: Spec
    parameters: Parameters

    def __hash__(self) -> int:
        return hash(self.label)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model(Choice):
    """A model, and how images become its input."""

    spec: ModelSpec
    parameters: ModelParameters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset(Choice):
    """The labelled images that accuracy is computed on."""

    spec: LoadedSpec
    parameters: DatasetParameters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration(Choice):
    """A calibration set: a source, and which of its images."""

    spec: SourceSpec
    parameters: SourceParameters

    @property
    def source(self) -> Label:
        """The label without its seed: what replicates over seeds have in common."""
        return self.label.without(SEED)

    @property
    def seed(self) -> int | None:
        """Which set of its source it is; None where a source has one set only."""
        return self.parameters.seed if isinstance(self.parameters, Seeded) else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Algorithm(Choice):
    """A way to quantize, or a baseline that is not quantized."""

    spec: AlgorithmSpec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Device(Choice):
    """What runs the model. name: an OpenVINO device string, such as ``GPU.0``."""

    parameters: DeviceParameters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task(Choice):
    """What the models are for, and what counts as an answer."""

    spec: TaskSpec


Loaded = Model | Dataset | Calibration  # what is made of files
