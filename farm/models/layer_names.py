"""Layer names that people know: an IR's weighted layers named after the PyTorch modules they come from.

The converter folds batch normalisation into the convolutions and calls what is left ``Multiply_5430``; the
number depends on what else was converted. Names such as ``layer1.0.conv1`` serve `ignored_scope` and reports.
"""

from collections.abc import Iterator

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray

from farm.models.int8 import WEIGHTED

MATRIX = 2  # dimensions
SAME = 1e-3  # of a row's greatest weight: folding multiplies in float32


def name_after_modules(model: ov.Model, network: torch.nn.Module) -> None:
    """Give each weighted layer the path of the module that has its weights; one that has none keeps its name.

    Folding scales each output channel's weights, so they are compared after division by the channel's greatest; of
    modules with the same weights the converter's name tells which one it is. A module's second use keeps its name.
    """
    modules = [(path, _directions(weight)) for path, weight in _weights(network)]
    named = set()
    for op in model.get_ordered_ops():
        if op.get_type_name() not in WEIGHTED:
            continue
        constant = op.input_value(1).get_node()
        if constant.get_type_name() != "Constant" or len(constant.get_output_shape(0)) < MATRIX:
            continue
        ours = _directions(_rows(op, constant.get_data()))
        same = [path for path, theirs in modules if ours.shape == theirs.shape and np.abs(ours - theirs).max() < SAME]
        if len(same) > 1:
            same = [path for path in same if op.get_friendly_name().startswith(f"__module.{path}/")]
        if same and same[0] not in named:
            op.set_friendly_name(same[0])
            named.add(same[0])


def _weights(network: torch.nn.Module) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The weights of convolutions and linear layers by their paths, a row an output channel."""
    for path, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            weight = module.weight.detach().numpy()
            yield path, weight.reshape(len(weight), -1)


def _rows(op: ov.Node, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """An IR's weights as PyTorch's modules have them: a row an output channel."""
    kind = op.get_type_name()
    if kind == "MatMul" and weight.ndim == MATRIX:
        return weight if op.get_attributes().get("transpose_b") else weight.T
    channels = weight.shape[0] * weight.shape[1] if kind == "GroupConvolution" else weight.shape[0]
    return weight.reshape(channels, -1)


def _directions(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row over its element of greatest magnitude; a row of zeros stays one."""
    greatest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1, keepdims=True), axis=1)
    return np.divide(rows, greatest, out=np.zeros_like(rows), where=greatest != 0)
