"""Models by name, and the preprocessing of the datasets they were trained on. Knows no OpenVINO.

A network's function takes the number of classes and returns a `torch.nn.Module`; a user's own ``factory``
takes nothing. `describe` tells what models from elsewhere say of themselves.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from farm.axes import IMAGE, Preprocessing
from farm.catalog.datasets import AT_PATH
from farm.catalog.tasks import DECODES
from farm.spec import MODEL_FILES, InputSpec, ModelSpec, Parameters, Sha256, Size, fault, way_in


def _of_each(value: object) -> object:
    """One number, or a list of one, as that of each channel; anything else as it is."""
    (one,) = value if isinstance(value, tuple) and len(value) == 1 else (value,)
    return (one,) * 3 if isinstance(one, (int, float)) and not isinstance(one, bool) else value


LARGEST = 2.0**63  # number of a constant

Positive = Annotated[float, Field(gt=0)]
Means = Annotated[tuple[float, float, float], BeforeValidator(_of_each)]
Scales = Annotated[tuple[Positive, Positive, Positive], BeforeValidator(_of_each)]


Pixels = Annotated[int, Field(ge=1)]


class ModelParameters(Parameters):
    """How images become the model's input."""

    size: Annotated[Size, Field(description="input height and width, or one number for both")] | None = None
    mean: Means | None = Field(
        None,
        description="subtracted, one value a channel, in their order, or one for all; above 1 they are of 0-255 pixels",
    )
    std: Scales | None = Field(None, description="what is divided by after that, alike")
    scale: float | None = Field(
        None,
        gt=0,
        description="factor on the 0-255 pixels before mean and std; 1 / 255, or 1 if these are of 0-255 pixels",
    )
    mean_values: Means | None = Field(None, description="subtracted from the 0-255 pixels, as OpenVINO's tools say it")
    scale_values: Scales | None = Field(None, description="what is divided by after that, as OpenVINO's tools say it")
    mode: Literal["rgb", "bgr", "grey"] | None = Field(
        None, description="order of the channels, or grey: one channel; a file's own number of them by default"
    )
    resize: Pixels | Literal["stretch", "letterbox"] | None = Field(
        None,
        description="the shorter side, before a crop of the centre; stretch: the whole image, whatever its aspect; "
        "letterbox: the whole image within a border",
    )
    pad: int | None = Field(None, ge=0, le=255, description="brightness of a letterbox's border, 114 by default")
    position: Literal["centre", "corner"] | None = Field(
        None, description="where a letterboxed image lies: in the middle by default, or in the left upper corner"
    )
    interpolation: Literal["nearest", "bilinear", "bicubic"] | None = Field(None, description="of that resizing")

    decode: str | None = Field(
        None,
        min_length=1,
        description=f"how a detector's outputs are boxes: {', '.join(DECODES)}, or package.module:function (code)",
    )
    label_offset: int | None = Field(
        None, ge=0, description="the number that a detector gives the first class: 1 where 0 is the background"
    )

    @field_validator("scale")
    @classmethod
    def _is_a_factor(cls, scale: float | None) -> float | None:
        if scale is not None and scale > 1:
            text = f"is a factor, 1 at most: to divide by it, write {1 / scale:.6g}, or `scale_values: {scale:g}`"
            raise fault(text)
        return scale

    @field_validator("mean_values", "scale_values")
    @classmethod
    def _is_said_once(cls, values: Means | None, others: ValidationInfo) -> Means | None:
        said = [name for name in ("mean", "std", "scale") if others.data.get(name) is not None]
        if values is not None and said:
            raise fault(f"says another way what {said[0]} says: leave one of them out")
        return values


class NetworkParameters(ModelParameters):
    """A classifier and its preprocessing."""

    weights: str | None = Field(
        None, min_length=1, description="a .pt or .safetensors state dict or its URL; the dataset's by default"
    )
    sha256: Sha256 = None


class RepVgg(NetworkParameters):
    """A classifier that is trained with three branches a block and deployed with one."""

    deploy: bool = Field(False, description="fuse each block's branches into one convolution before the export")


class Torchvision(NetworkParameters):
    """A classifier of torchvision's."""

    weights: str = Field(
        "DEFAULT", min_length=1, description="DEFAULT or another of torchvision's names, or a file or URL of your own"
    )


class Factory(NetworkParameters):
    """A classifier of the user's own."""

    factory: str = Field(
        min_length=1, description="package.module:function returning a torch.nn.Module; it is run as code"
    )


def _inputs(value: object) -> object:
    """What each input gets, checked: one of them the image, the others numbers."""
    if not isinstance(value, Mapping):
        return value
    images = [name for name, given in value.items() if given == IMAGE]
    odd = [name for name, given in value.items() if given != IMAGE and not _is_numbers(given)]
    if len(images) != 1 or odd:
        text = f"what {odd[0]} gets is no numbers" if odd else "one of them gets `image`"
        raise fault(f"{text}: such as {{images: image, scale_factor: [[1, 1]]}}")
    return {str(name): given for name, given in value.items()}


def _is_numbers(value: object) -> bool:
    """Whether it is a number, or lists of numbers all of one length."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return -LARGEST < value < LARGEST
    if not isinstance(value, list | tuple) or not value or not all(map(_is_numbers, value)):
        return False
    return len({len(one) if isinstance(one, list | tuple) else None for one in value}) == 1


class File(ModelParameters):
    """A classifier in a file that OpenVINO reads."""

    path: str = Field(min_length=1, description="an .onnx, .tflite or .xml file; its name is the model's by default")
    sha256: Sha256 = None
    output: str | None = Field(None, min_length=1, description="the output that holds the logits, if there are several")
    inputs: Annotated[dict[str, object], BeforeValidator(_inputs)] | None = Field(
        None,
        description="of a model with several inputs what each gets, by name: `image`, or a constant's numbers",
        json_schema_extra={"shown": False},
    )
    layout: Literal["NCHW", "NHWC"] | None = Field(None, description="of the input; told by its shape by default")

    @field_validator("path")
    @classmethod
    def _is_a_model_file(cls, path: str) -> str:
        if not path.lower().endswith(MODEL_FILES):
            how = way_in(path)
            raise fault(f"must end in {', '.join(MODEL_FILES)}{f' ({how})' if how else ''}")
        return path


_RELEASES = "https://github.com/chenyaofo/pytorch-cifar-models/releases/download"
_HINT = "give `weights: FILE` in the grid, or set FARM_DATA to a folder that has it"

# By their functions: the file in `farm.models`, the first digits of the released weights' SHA-256, what it is.
NETWORKS = {
    "resnet20": ("resnet", "4118986f", "ResNet-20 for 32x32 images, 1x1 shortcuts, 0.27 M parameters (He et al. 2015)"),
    "resnet32": ("resnet", "ef93fc4d", "ResNet-32, 0.47 M parameters"),
    "resnet44": ("resnet", "2a3cabcb", "ResNet-44, 0.66 M parameters"),
    "resnet56": ("resnet", "187c023a", "ResNet-56, 0.86 M parameters"),
    "vgg11_bn": ("vgg", "eaeebf42", "VGG-11, batch norm, for 32x32 images, 9.8 M parameters (Simonyan et al. 2014)"),
    "vgg13_bn": ("vgg", "c01e4a43", "VGG-13, 9.9 M parameters"),
    "vgg16_bn": ("vgg", "6ee7ea24", "VGG-16, 15 M parameters"),
    "vgg19_bn": ("vgg", "57191229", "VGG-19, 21 M parameters"),
    "mobilenetv2_x0_5": ("mobilenetv2", "ca14ced9", "MobileNetV2, half width, 0.7 M parameters (Sandler et al. 2018)"),
    "mobilenetv2_x0_75": ("mobilenetv2", "a53c314e", "MobileNetV2 of 0.75 times the width, 1.4 M parameters"),
    "mobilenetv2_x1_0": ("mobilenetv2", "fe6a5b48", "MobileNetV2, 2.2 M parameters"),
    "mobilenetv2_x1_4": ("mobilenetv2", "3bbbd6e2", "MobileNetV2 of 1.4 times the width, 4.3 M parameters"),
    "shufflenetv2_x0_5": ("shufflenetv2", "1308b4e9", "ShuffleNetV2, half width, 0.35 M parameters (Ma et al. 2018)"),
    "shufflenetv2_x1_0": ("shufflenetv2", "98807be3", "ShuffleNetV2, 1.3 M parameters"),
    "shufflenetv2_x1_5": ("shufflenetv2", "296694dd", "ShuffleNetV2 of 1.5 times the width, 2.5 M parameters"),
    "shufflenetv2_x2_0": ("shufflenetv2", "ec31611c", "ShuffleNetV2 of twice the width, 5.4 M parameters"),
    "repvgg_a0": ("repvgg", "ef08a50e", "RepVGG-A0 for 32x32 images, 7.8 M parameters as trained (Ding et al. 2021)"),
    "repvgg_a1": ("repvgg", "38d2431b", "RepVGG-A1, 13 M parameters as trained"),
    "repvgg_a2": ("repvgg", "09488915", "RepVGG-A2, 27 M parameters as trained"),
}


def _network(name: str, family: str, digits: str, doc: str) -> ModelSpec:
    weights = InputSpec(
        role="weights",
        parameter="weights",
        patterns=("weights/{dataset}_{name}.safetensors", "weights/{dataset}_{name}.pt"),
        released={"cifar10": f"{_RELEASES}/{family}/cifar10_{name}-{digits}.pt"},
        hint=_HINT,
    )
    function, parameters = f"farm.models.{family}:{name}", RepVgg if family == "repvgg" else NetworkParameters
    return ModelSpec(function=function, parameters=parameters, doc=doc, inputs=(weights,), libraries=("torch",))


MODELS = {name: _network(name, *row) for name, row in NETWORKS.items()} | {
    "torchvision": ModelSpec(
        parameters=Torchvision,
        doc="torchvision/NAME, such as torchvision/resnet50: torchvision's classifiers with their own preprocessing",
        inputs=(InputSpec(role="weights", parameter="weights", hint="`weights` is DEFAULT, another name, or a file"),),
        libraries=("torch", "torchvision"),
    ),
    "factory": ModelSpec(
        parameters=Factory,
        doc="a model of your own: {name, factory: package.module:function, weights}",
        inputs=(
            InputSpec(role="factory", parameter="factory", code=True),
            InputSpec(role="weights", parameter="weights", optional=True, hint=_HINT),
        ),
        libraries=("torch",),
    ),
    "path": ModelSpec(
        parameters=File,
        doc="an ONNX, TFLite or OpenVINO IR file of your own: {path: FILE}, or just FILE",
        inputs=(replace(AT_PATH[0], role="model", beside="farm.models.describe:beside"),),
        in_torch=False,
    ),
}

PREPROCESSING = {
    "cifar10": Preprocessing(size=(32, 32), mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010)),
    "digits": Preprocessing(size=(32, 32), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
}
