"""torchvision's classifiers by name, fitted to a checkpoint. Knows no images and no OpenVINO.

Source: torchvision.models; how each prepares its images is told by `farm.models.describe`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from farm.errors import DataError
from farm.models import zoo

INSIDE: Mapping[str, Mapping[str, Any]] = {  # the released weights expect these to normalise once more inside
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}


def load(name: str, weights: Path) -> nn.Module:
    """A network of torchvision's in eval mode, for as many classes as its checkpoint has.

    name: such as ``resnet50``. Raises DataError if the checkpoint cannot be read or is another network's.
    """
    tensors = zoo.read_weights(weights)
    options = INSIDE.get(name, {})
    with torch.device("meta"):
        last = list(torchvision.models.get_model(name, weights=None, **options).state_dict())[-1]
    if last not in tensors:
        raise DataError(f"{weights}: no tensor {last!r}, so not of torchvision's {name}: give its own weights")
    network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=len(tensors[last]), **options)
    zoo.fit(network, tensors, weights)
    return network.eval()
