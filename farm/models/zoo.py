"""Networks with their weights. Owns how a checkpoint is fitted; knows no images and no OpenVINO."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from farm.checkpoint import misfits, read_weights
from farm.errors import DataError
from farm.spec import resolve

COUNTER = "num_batches_tracked"  # of batch normalisation; only training reads it, and older checkpoints have none


def load(*, function: str, weights: Path | None, factory: bool) -> nn.Module:
    """A network in eval mode, its floating weights in float32.

    function: ``"module:function"``, see `farm.spec.resolve`. A zoo network (factory False) is built for
    as many classes as its checkpoint has; a factory is called without arguments and may come without a
    checkpoint. Raises DataError if the checkpoint cannot be read or is another network's, or if the
    factory gives no `torch.nn.Module`; InputError if there is no such function.
    """
    build = resolve(function)
    if factory:
        network = build()
        if not isinstance(network, nn.Module):
            kind = type(network).__name__
            raise DataError(f"factory {function!r} returned a {kind}: it must return a torch.nn.Module")
        if weights is not None:
            fit(network, read_weights(weights), weights)
        return network.eval()
    if weights is None:
        text = f"{function!r} has no weights: give `weights: FILE`, or set FARM_DATA to a folder that has them"
        raise DataError(text)
    tensors = read_weights(weights)
    built: nn.Module = build(_classes(tensors, weights))
    fit(built, tensors, weights)
    return built.eval()


def _classes(tensors: Mapping[str, Tensor], path: Path) -> int:
    """The number of classes: the rows of the last matrix, which is the last linear layer's weight."""
    matrices = [tensor for tensor in tensors.values() if tensor.ndim == 2]  # noqa: PLR2004 - a matrix
    if not matrices:
        raise DataError(f"{path}: no 2-D tensor, so no classifier's checkpoint: give the weights of this network")
    return len(matrices[-1])


def fit(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load strictly, or raise DataError with what does not fit."""
    state = network.state_dict()
    if wrong := misfits(state, tensors, optional=COUNTER):
        name = type(network).__name__
        raise DataError(f"{path}: weights of another network than {name}: {wrong}; give its own weights")
    state.update(tensors)  # keeps the versions of its modules, without which some of torchvision's refuse
    network.load_state_dict(state, strict=True)
