"""Models by name, and the preprocessing of the datasets they were trained on. Knows no OpenVINO.

Each function takes the number of classes and returns a `torch.nn.Module` in eval mode; a user's own
``factory`` takes nothing.
"""

from typing import Annotated

from pydantic import Field

from farm.spec import Parameters, Preprocessing, Spec, Wanted

Channels = Annotated[tuple[float, float, float], Field(description="one value a channel, R G B")]


class Model(Parameters):
    """A classifier and its preprocessing."""

    weights: str | None = Field(
        None, min_length=1, description="a .pt or .safetensors state dict; the dataset's by default"
    )
    size: Annotated[tuple[int, int], Field(description="input height and width")] | None = None
    mean: Channels | None = None
    std: Channels | None = None
    scale: float | None = Field(None, gt=0, description="factor on the 0-255 pixels before mean and std")


class Factory(Model):
    """A classifier of the user's own."""

    factory: str = Field(
        min_length=1, description="package.module:function returning a torch.nn.Module; it is run as code"
    )


_HINT = "give `weights: FILE` in the grid, or set FARM_DATA to a folder that has it"
_WEIGHTS = (
    Wanted(
        role="weights",
        parameter="weights",
        among=("weights/{dataset}_{name}.safetensors", "weights/{dataset}_{name}.pt"),
        hint=_HINT,
    ),
)

MODELS = {
    "resnet20": Spec(
        function="farm.models.resnet:resnet20",
        parameters=Model,
        doc="ResNet-20 for 32x32 images, 1x1 projection shortcuts, 0.27 M parameters (He et al. 2015)",
        wanted=_WEIGHTS,
    ),
    "vgg16_bn": Spec(
        function="farm.models.vgg:vgg16_bn",
        parameters=Model,
        doc="VGG-16 with batch normalisation for 32x32 images, 15 M parameters (Simonyan, Zisserman 2014)",
        wanted=_WEIGHTS,
    ),
    "factory": Spec(
        function="",
        parameters=Factory,
        doc="a model of your own: {name, factory: package.module:function, weights}",
        wanted=(
            Wanted(role="factory", parameter="factory", code=True),
            Wanted(role="weights", parameter="weights", optional=True, hint=_HINT),
        ),
    ),
}

PREPROCESSING = {
    "cifar10": Preprocessing(size=(32, 32), mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010)),
    "digits": Preprocessing(size=(32, 32), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
}
