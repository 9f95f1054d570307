"""From what a plan says of a model to a PyTorch module. Knows the zoo, not OpenVINO."""

from collections.abc import Mapping
from pathlib import Path

import torch

from farm.axes import Model
from farm.catalog.models import MODELS
from farm.models import zoo

TORCHVISION = "torchvision/"


def build(model: Model, files: Mapping[str, Path]) -> torch.nn.Module:
    """The network in eval mode, its weights among the files. Raises what `farm.models.zoo.load` raises.

    model: of the zoo, with the option `deploy` where it has that form, of torchvision, or a user's factory.
    """
    weights, name = files.get("weights"), model.name or ""
    if model.factory:
        return zoo.load(function=model.factory, weights=weights, factory=True)
    if name.startswith(TORCHVISION):
        from farm.models import torchvision  # noqa: PLC0415 - seconds, for its own models only

        return torchvision.load(name.removeprefix(TORCHVISION), files["weights"])
    network = zoo.load(function=MODELS[name].function, weights=weights, factory=False)
    if model.options.get("deploy"):
        from farm.models import repvgg  # noqa: PLC0415 - only RepVGG has that form

        return repvgg.reparameterized(network)
    return network
