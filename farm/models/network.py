"""From what a plan says of a model to a PyTorch module. Knows the zoo, not OpenVINO."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from farm.catalog.models import MODELS
from farm.models import zoo

TORCHVISION = "torchvision/"


def build(model: Mapping[str, Any], files: Mapping[str, Path]) -> torch.nn.Module:
    """The network in eval mode, its weights among the files.

    model: ``{"name": ...}`` of the zoo, with ``deploy`` where it has that form, or of torchvision, or
    ``{"factory": "module:function"}``. Raises what `farm.models.zoo.load` raises.
    """
    weights = files.get("weights")
    if "factory" in model:
        return zoo.load(function=model["factory"], weights=weights, factory=True)
    if model["name"].startswith(TORCHVISION):
        from farm.models import torchvision  # noqa: PLC0415 - seconds, for its own models only

        return torchvision.load(model["name"].removeprefix(TORCHVISION), files["weights"])
    network = zoo.load(function=MODELS[model["name"]].function, weights=weights, factory=False)
    if model.get("deploy"):
        from farm.models import repvgg  # noqa: PLC0415 - only RepVGG has that form

        return repvgg.reparameterized(network)
    return network
