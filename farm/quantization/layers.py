"""Where quantization hurts: the error of each layer's output, int8 against FP32, on the same images."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from farm.errors import DataError
from farm.models.int8 import WEIGHTED, weighs

TINY = 1e-30  # far below any layer's power, and no ratio to it is infinite


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One weighted layer, in the order of the model. Both numbers are medians over the images.

    sqnr_db: 10 log10 of the FP32 output's power over the power of its difference to the int8 output, all
    error from the layers before it included; at 0 dB the error is as great as the signal. range_ratio: the
    output's largest magnitude over the median of its channels' largest: one quantization step serves all
    channels, so where one channel is 100 times the others they share two or three of its 256 levels.
    """

    name: str
    kind: str
    sqnr_db: float
    range_ratio: float


def compare(fp32: Path, int8: Path, batches: Iterator[NDArray[Any]]) -> list[Layer]:
    """The layers with a bias that two IRs, ``model.xml``, have in common, on prepared images.

    Raises DataError if there is none.
    """
    exact, rough = (ov.Core().read_model(path) for path in (fp32, int8))
    ours, theirs = _biased(exact), _biased(rough)
    names = [name for name in ours if name in theirs]
    if not names:
        raise DataError(
            f"{fp32} and {int8} have no layer with a bias in common: they are not two versions of one model, or it "
            "has none, and then farm cannot compare its layers"
        )
    kinds = {op.get_friendly_name(): op.get_type_name() for op in exact.get_ops()}
    first, second = (_giving(model, [sums[name] for name in names]) for model, sums in ((exact, ours), (rough, theirs)))
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for images in batches:
        for name, signal, other in zip(names, first(images).values(), second(images).values(), strict=True):
            errors[name] += [_error(kinds[name], *images) for images in zip(signal, other, strict=True)]
    medians = {name: np.median(np.array(errors[name]), axis=0).tolist() for name in names}
    return [Layer(name=name, kind=kinds[name], sqnr_db=db, range_ratio=ratio) for name, (db, ratio) in medians.items()]


def _biased(model: ov.Model) -> dict[str, ov.Node]:
    """The sum of each weighted layer's output and its bias, in the model's order.

    Not the bare output: the CPU plugin gives another value there when it runs an int8 layer in integers
    and rescales after it (OpenVINO 2026.4). A layer without a bias is left out.
    """
    weighted = (op for op in model.get_ordered_ops() if op.get_type_name() in WEIGHTED)
    layers = (op for op in weighted if weighs(op))  # not a product of two activations
    sums = {layer.get_friendly_name(): _with_bias(layer) for layer in layers}
    return {name: op for name, op in sums.items() if op is not None}


def _with_bias(op: ov.Node) -> ov.Node | None:
    """What adds a constant to a layer's output, which may be scaled by one before; None if nothing does.

    The other arm of a residual block is no constant.
    """
    while True:
        takers = [taker.get_node() for taker in op.output(0).get_target_inputs()]
        takers = [taker for taker in takers if taker.get_type_name() != "ShapeOf"]
        if len(takers) != 1:
            return None
        (op,) = takers
        if op.get_type_name() not in {"Add", "Multiply"} or not weighs(op):
            return None
        if op.get_type_name() == "Add":
            return op


def _giving(model: ov.Model, sums: list[ov.Node]) -> ov.CompiledModel:
    results = [ov.opset13.result(op.output(0)) for op in sums]
    shortened = ov.Model(results, model.get_parameters(), "layers")
    return ov.Core().compile_model(shortened, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})


def _error(kind: str, signal: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float]:
    """SQNR in dB and range ratio of one image's output. Its channels come first, of a matrix product last."""
    exact, error = signal.astype(np.float64), (signal - other).astype(np.float64)
    sqnr = 10 * np.log10(max(np.square(exact).sum(), TINY) / max(np.square(error).sum(), TINY))
    rows = np.moveaxis(exact, -1, 0) if kind == "MatMul" else exact
    channels = np.abs(rows).reshape(len(rows), -1).max(axis=1)
    return float(sqnr), float(channels.max() / max(np.median(channels), TINY))
