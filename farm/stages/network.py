"""From what a plan says of a model to a PyTorch module. Knows the zoo, not OpenVINO."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from farm.models import MODELS, zoo


def build(model: Mapping[str, Any], files: Mapping[str, Path]) -> torch.nn.Module:
    """The network in eval mode. model: ``{"name": ...}`` of the zoo or ``{"factory": "module:function"}``."""
    factory = model.get("factory")
    function = factory or MODELS[model["name"]].function
    return zoo.load(function=function, weights=files.get("weights"), factory=bool(factory))
