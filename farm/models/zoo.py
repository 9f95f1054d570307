"""Networks with their weights. Owns how a checkpoint is fitted; knows no images and no OpenVINO."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor, nn

from farm.checkpoint import read_weights
from farm.errors import DataError
from farm.spec import resolve

LISTED = 5
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
    wrong = [
        f"{key} is {tuple(tensors[key].shape)}, not {tuple(value.shape)}"
        for key, value in state.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    differences = {
        "missing": [key for key in state if key not in tensors and not key.endswith(COUNTER)],
        "unexpected": [key for key in tensors if key not in state],
        "of another shape": wrong,
    }
    if any(differences.values()):
        differing = "; ".join(f"{what}: {_some(keys)}" for what, keys in differences.items() if keys)
        name = type(network).__name__
        raise DataError(f"{path}: weights of another network than {name}: {differing}; give its own weights")
    state.update(tensors)  # keeps the versions of its modules, without which some of torchvision's refuse
    network.load_state_dict(state, strict=True)


def _some(keys: Iterable[str]) -> str:
    """The first keys, and how many more there are."""
    listed = list(keys)
    more = len(listed) - LISTED
    return ", ".join(listed[:LISTED]) + (f" and {more} more" if more > 0 else "")
