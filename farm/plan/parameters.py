"""The parameters of each kind of stage, which make its key and come to its process. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from farm.axes import Algorithm, Device, Images, Model, Preprocessing, Task
from farm.codec import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesize:
    """Images start, ..., stop - 1 of a set. Its options tell no count, on which no image depends."""

    images: Images
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A model to the FP32 IR. size, layout, input, mode: as in `Preprocessing`.

    whole: with all its outputs as they are, where these are no logits.
    """

    model: Model
    size: tuple[int, int]
    layout: str
    input: str
    mode: str | None = None
    whole: bool | None = None

    @property
    def interface(self) -> Preprocessing:
        """What the model's input is, as far as an export knows it."""
        return Preprocessing(size=self.size, layout=self.layout, input=self.input, mode=self.mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantize:
    """An FP32 IR to an int8 one. metric: where the algorithm looks at accuracy."""

    algorithm: Algorithm
    preprocessing: Preprocessing
    metric: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """What a model says of each image of a dataset.

    device: of which only name, precision and node matter. model: run by PyTorch; None: an IR, run by OpenVINO. task:
    None for classification.
    """

    device: Device
    metric: str
    dataset: Images
    preprocessing: Preprocessing
    model: Model | None = None
    task: Task | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How rounds are run, as in `farm.grid.settings.Measuring`."""

    min_seconds: float
    min_inferences: int
    warmup_seconds: float
    preprocess: bool
    per_node: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How fast a model is beside its FP32 IR. model: as of `Evaluate`."""

    device: Device
    rounds: Rounds
    dataset: Images
    preprocessing: Preprocessing
    model: Model | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """A generator from a teacher's images. recipe: the numbers of its own class.

    out: the folder of checkpoints. content: digests of the teacher's files. until_s: of training in all.
    """

    recipe: Mapping[str, Any]
    out: str
    content: str
    until_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A calibration set as files of the user's own. images: with their count.

    out: a folder or, of these forms, a file: ``parquet``, or ``raw`` for a network's floats. made: what the set is, for
    its inventory. batch: images in memory at once; None: as many as suit. device: ``cuda`` where no other will do.
    verify: check what is there by its checksums. preview: how many of the first images are left as the artefact.
    """

    images: Images
    out: str
    form: str
    made: Mapping[str, Any]
    batch: int | None = None
    device: str = "auto"
    verify: bool = False
    preview: int = 0


StageParameters = Synthesize | Export | Quantize | Evaluate | Measure | Train | Files

KINDS: Mapping[str, type[StageParameters]] = {kind.__name__.lower(): kind for kind in get_args(StageParameters)}


def parameters_from(kind: str, members: Mapping[str, Any]) -> StageParameters:
    """A stage's parameters from their JSON form. Raises ValueError where something lacks."""
    return decode(KINDS[kind], members)


def device_of(parameters: StageParameters) -> Device | None:
    """The device that a stage runs a model on; None where it runs on none of OpenVINO's."""
    return parameters.device if isinstance(parameters, (Evaluate, Measure)) else None
