"""PyTorch networks with their weights, from what a plan says of a model. Knows checkpoints, no images, no OpenVINO."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from farm.axes import Model
from farm.catalog.models import MODELS
from farm.checkpoint import misfits, read_weights, unwrapped
from farm.errors import DataError
from farm.spec import resolve

TORCHVISION = "torchvision/"
COUNTER = "num_batches_tracked"  # of batch normalisation; only training reads it, and older checkpoints have none


def build(model: Model, files: Mapping[str, Path]) -> nn.Module:
    """A network in eval mode: the zoo's, with `deploy` re-parameterised, torchvision's or a user's. Raises as these."""
    weights, name = files.get("weights"), model.name or ""
    if model.factory:
        return made_by(model.factory, weights)
    if name.startswith(TORCHVISION):
        from farm.models import torchvision  # noqa: PLC0415 - seconds, for its own models only

        return torchvision.load(name.removeprefix(TORCHVISION), files["weights"])
    network = load(MODELS[name].function, weights)
    if model.options.get("deploy"):
        from farm.models import repvgg  # noqa: PLC0415 - only RepVGG has that form

        return repvgg.reparameterized(network)
    return network


def made_by(factory: str, weights: Path | None = None) -> nn.Module:
    """What a user's function makes, called without arguments, with a checkpoint's weights or its own.

    Raises DataError if it is no `torch.nn.Module` or the checkpoint is another's, InputError without such a function.
    """
    network = resolve(factory)()
    if not isinstance(network, nn.Module):
        kind = type(network).__name__
        raise DataError(f"factory {factory!r} returned a {kind}: it must return a torch.nn.Module")
    return network.eval() if weights is None else fitted(network, read_weights(weights), weights)


def load(function: str, weights: Path | None) -> nn.Module:
    """A zoo's network, for as many classes as its checkpoint has: the rows of its last matrix, the linear layer's.

    Raises DataError if there is no checkpoint, or it cannot be read or is another network's.
    """
    build_for = resolve(function)
    if weights is None:
        text = f"{function!r} has no weights: give `weights: FILE`, or set FARM_DATA to a folder that has them"
        raise DataError(text)
    tensors = read_weights(weights)
    matrices = [tensor for tensor in tensors.values() if tensor.ndim == 2]  # noqa: PLR2004 - a matrix
    if not matrices:
        raise DataError(f"{weights}: no 2-D tensor, so no classifier's checkpoint: give the weights of this network")
    return fitted(build_for(len(matrices[-1])), tensors, weights)


def fitted(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> nn.Module:
    """The network in eval mode with these weights, loaded strictly. Raises DataError with what does not fit."""
    state = network.state_dict()
    tensors = unwrapped(tensors, state)
    if wrong := misfits(state, tensors, optional=COUNTER):
        name = type(network).__name__
        raise DataError(f"{path}: weights of another network than {name}: {wrong}; give its own weights")
    state.update(tensors)  # keeps the versions of its modules, without which some of torchvision's refuse
    network.load_state_dict(state, strict=True)
    return network.eval()
