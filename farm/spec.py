"""What an extension point says of itself: frozen specs for literal dicts. Knows no names of its own.

The function behind an entry is named as ``"module:function"`` and imported only in the process that runs the stage.
Entries are compared by identity: each stands once in its table.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from farm.axes import Preprocessing
from farm.errors import InputError

MODEL_FILES = (".onnx", ".tflite", ".xml")  # what `models` takes as a path
KERAS = "a Keras model: model.export('saved') in Keras, then `ovc saved --output_model net.xml`, and name net.xml"
TENSORFLOW = "a TensorFlow model: `ovc FOLDER --output_model net.xml` with the SavedModel's folder, and name net.xml"
TORCH = "weights alone take a `factory` beside them; of a whole model torch.onnx.export makes the .onnx to name"
ELSEWHERE = {
    ".keras": KERAS, ".h5": KERAS, ".hdf5": KERAS, ".pb": TENSORFLOW,
    ".pt": TORCH, ".pth": TORCH, ".ckpt": TORCH, ".safetensors": TORCH,
}  # fmt: skip
Sha256 = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")] | None,
    Field(description="the file's SHA-256, or its first 8 digits or more"),
]


def squared(size: object) -> object:
    """One number of pixels as height and width; anything else as it is."""
    return (size, size) if isinstance(size, int) and not isinstance(size, bool) else size


Side = Annotated[int, Field(ge=1)]
Size = Annotated[tuple[Side, Side], BeforeValidator(squared)]  # height, width; or one number for both


class Parameters(BaseModel):
    """The parameters of one choice on an axis, checked once, at the edge."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())


def way_in(name: str) -> str:
    """How a file of another tool's becomes a model; empty of any other name."""
    return next((how for suffix, how in ELSEWHERE.items() if name.lower().endswith(suffix)), "")


def fault(text: str) -> PydanticCustomError:
    """What a validator raises: the words as they stand here, whose braces would else be pydantic's placeholders."""
    return PydanticCustomError("farm", "{text}", {"text": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One local input of a choice, and where to look for it.

    parameter: the parameter that names a path, a URL or a factory, if any.
    patterns: tried in order under the data folders; ``{dataset}`` and ``{name}`` are filled in.
    shipped: words for what comes with farm -> where it lies there; a path for everyone else's.
    url, sha256: the official origin, used when nothing is there, and the start of its content's hash.
    released: the same by dataset; their names end in the first 8 hex digits of their SHA-256.
    beside: ``"module:function"`` giving the other files that a file consists of, by its path.
    optional: its lack is no fault.
    code: the parameter names ``package.module:function``; its package's code is the content.
    hint: how a user can supply the file.
    """

    role: str
    parameter: str | None = None
    patterns: tuple[str, ...] = ()
    shipped: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    sha256: str = ""
    released: Mapping[str, str] = field(default_factory=dict)
    beside: str = ""
    optional: bool = False
    code: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spec:
    """One entry of a table: its parameters with their types, defaults and ranges, and what it is, in words."""

    parameters: type[Parameters]
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedSpec(Spec):
    """An entry that a function makes of files, such as a labelled test split.

    function: takes parameters and files, gives a `farm.data.imageset.ImageSet`. inputs: the local ones. libraries:
    packages whose version changes the outcome. classes, size (height and width): of images that are always the same.
    task: what the targets of its images are for.
    """

    function: str
    inputs: tuple[InputSpec, ...] = ()
    libraries: tuple[str, ...] = ()
    classes: int | None = None
    size: tuple[int, int] | None = None
    task: str = "classification"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelSpec(LoadedSpec):
    """A model. function: takes the number of classes; empty of models from elsewhere. in_torch: PyTorch runs it too."""

    function: str = ""
    in_torch: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceSpec(LoadedSpec):
    """Where calibration images come from.

    equipped: whether it computes its images, faster on a GPU: its function takes a third argument,
    `farm.generators.equipment.Equipment`. network: ``"module:function"`` where a network makes the images of latents:
    it takes the same and gives a `farm.generators.generated.Network`.
    """

    equipped: bool = False
    network: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlgorithmSpec(Spec):
    """A way to quantize, or a baseline, which is not quantized. runtime: what runs it, ``openvino`` or ``pytorch``.

    function: takes a `farm.quantization.default.Quantization`, gives the model and its facts; a baseline has none.
    """

    function: str = ""
    runtime: str = "openvino"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskSpec(Spec):
    """What a model is for.

    function: takes a `farm.plan.parameters.Evaluate` and the dataset, gives a `farm.tasks.task.Task`. metrics: by which
    models are judged, the usual one first; all are shares of 1. libraries: packages whose version changes the outcome.
    """

    function: str
    metrics: tuple[str, ...]
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """One kind of stage.

    version: bumped when the meaning of the artefact changes. exclusive: needs the node to itself.
    timeout_s, memory_gib: default limits. typical_s: the estimate until the store knows
    better, but of an exclusive one.
    """

    function: str
    version: int
    doc: str
    libraries: tuple[str, ...] = ()
    exclusive: bool = False
    timeout_s: float = 1800.0
    memory_gib: float = 4.0
    typical_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Every table of choices, for the code that takes them as arguments.

    members: of a family whose names are open, such as ``torchvision/``, the names there are.
    """

    models: Mapping[str, ModelSpec]
    datasets: Mapping[str, LoadedSpec]
    sources: Mapping[str, SourceSpec]
    algorithms: Mapping[str, AlgorithmSpec]
    baselines: Mapping[str, AlgorithmSpec]
    devices: Mapping[str, Spec]
    stages: Mapping[str, StageSpec]
    preprocessing: Mapping[str, Preprocessing]
    tasks: Mapping[str, TaskSpec] = field(default_factory=dict)
    members: Mapping[str, Callable[[], Collection[str]]] = field(default_factory=dict)


def resolve(function: str) -> Callable[..., Any]:
    """Import ``"package.module:function"``. Raises InputError if there is no such function."""
    module, _, name = function.partition(":")
    try:
        value = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"cannot import {function!r}: {error}") from error
    if not callable(value):
        raise InputError(f"{function!r} is not a function")
    return value  # type: ignore[no-any-return]
