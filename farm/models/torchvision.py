"""torchvision's classifiers by name, fitted to a checkpoint; `farm.models.describe` tells how they prepare images."""

import math
import re
from collections.abc import Mapping
from pathlib import Path

import torchvision
from torch import Tensor, nn

from farm.checkpoint import read_weights, unwrapped
from farm.errors import DataError
from farm.models import zoo

INSIDE = ("googlenet", "inception_v3")  # the released weights expect these to normalise once more inside
LEGACY = (  # keys of released checkpoints that are older than the modules; torchvision's own loading renames them too
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)"), r"\1\2"),
    (re.compile(r"(encoder_layer_\d+\.mlp)\.linear_1\."), r"\1.0."),
    (re.compile(r"(encoder_layer_\d+\.mlp)\.linear_2\."), r"\1.3."),
)
POSITIONS, PATCHES = "encoder.pos_embedding", "conv_proj.weight"


def load(name: str, weights: Path) -> nn.Module:
    """A network, such as ``resnet50``, in eval mode, for its checkpoint's classes. Raises DataError as `zoo.fitted`."""
    tensors = {_renamed(key): value for key, value in unwrapped(read_weights(weights)).items()}
    inside = {"transform_input": True, "init_weights": False} if name in INSIDE else {}
    options = _image_size(tensors) if name.startswith("vit_") else inside
    network = torchvision.models.get_model(name, weights=None, **options)
    last, value = list(network.state_dict().items())[-1]
    if last not in tensors:
        raise DataError(f"{weights}: no tensor {last!r}, so not of torchvision's {name}: give its own weights")
    if len(tensors[last]) != len(value):
        network = torchvision.models.get_model(name, weights=None, num_classes=len(tensors[last]), **options)
    return zoo.fitted(network, tensors, weights)


def _renamed(key: str) -> str:
    for old, new in LEGACY:
        key = old.sub(new, key)
    return key


def _image_size(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """What a vision transformer is built for: it has an embedding for each patch of the image, and one more."""
    if POSITIONS not in tensors or PATCHES not in tensors:
        return {}
    return {"image_size": math.isqrt(tensors[POSITIONS].shape[1] - 1) * tensors[PATCHES].shape[-1]}
