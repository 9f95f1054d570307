"""Where quantization hurts: the error of each layer's output, int8 against FP32, on the same images.

Knows two IRs and prepared images, not where they come from.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from farm.errors import DataError

LAYERS = ("Convolution", "GroupConvolution", "MatMul")
BATCH = 16  # every layer's output of a batch is in memory at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One weighted layer, in the order of the model.

    sqnr_db: 10 log10 of the FP32 output's power over the power of its difference to the int8 output, all
    error from the layers before it included; below 0 dB the error is greater than the signal. range_ratio:
    the output's largest magnitude over the median of its channels' largest: one quantization step serves
    all channels, so a channel that is 100 times another leaves the other one or two of its 256 levels.
    """

    name: str
    kind: str
    sqnr_db: float
    range_ratio: float


@dataclass(slots=True)
class _Sums:
    """Running sums of one layer over all batches. largest: per channel."""

    signal: float = 0.0
    error: float = 0.0
    largest: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))


def compare(fp32: Path, int8: Path, batches: Iterator[NDArray[Any]]) -> list[Layer]:
    """The layers of two IRs, ``model.xml`` files, that have a name in common.

    batches: prepared images, as the models take them. Raises DataError if no layer is in both.
    """
    exact, rough = (ov.Core().read_model(path) for path in (fp32, int8))
    ours, theirs = _biased(exact), _biased(rough)
    names = [name for name in ours if name in theirs]
    if not names:
        raise DataError(f"{fp32} and {int8} have no layer in common: not two versions of one model")
    kinds = {op.get_friendly_name(): op.get_type_name() for op in exact.get_ops()}
    first, second = _giving(exact, [ours[name] for name in names]), _giving(rough, [theirs[name] for name in names])
    sums = {name: _Sums() for name in names}
    for images in batches:
        for name, signal, other in zip(names, first(images).values(), second(images).values(), strict=True):
            _add(sums[name], np.asarray(signal, np.float64), np.asarray(other, np.float64))
    return [Layer(name=name, kind=kinds[name], **_judged(sums[name])) for name in names]


def _biased(model: ov.Model) -> dict[str, ov.Output]:
    """Each weighted layer's output with its bias added, in the model's order.

    Not the bare output: the CPU plugin gives another value there when it runs an int8 layer in integers
    and rescales after it (OpenVINO 2026.4). A layer without a bias is left out.
    """
    found = {}
    for op in model.get_ordered_ops():
        if op.get_type_name() in LAYERS:
            after = [each.get_node() for each in op.output(0).get_target_inputs()]
            if len(after) == 1 and after[0].get_type_name() == "Add":
                found[op.get_friendly_name()] = after[0].output(0)
    return found


def _giving(model: ov.Model, outputs: list[ov.Output]) -> ov.CompiledModel:
    """The model with these outputs."""
    results = [ov.opset13.result(value) for value in outputs]
    asked = ov.Model(results, model.get_parameters(), "layers")
    return ov.Core().compile_model(asked, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def _add(sums: _Sums, signal: NDArray[np.float64], other: NDArray[np.float64]) -> None:
    sums.signal += float(np.square(signal).sum())
    sums.error += float(np.square(signal - other).sum())
    channels = np.abs(signal).max(axis=tuple(axis for axis in range(signal.ndim) if axis != 1))
    sums.largest = np.maximum(sums.largest, channels)


def _judged(sums: _Sums) -> dict[str, float]:
    tiny = np.finfo(np.float64).tiny
    median = float(np.median(sums.largest))
    return {
        "sqnr_db": 10 * float(np.log10(max(sums.signal, tiny) / max(sums.error, tiny))),
        "range_ratio": float(sums.largest.max()) / max(median, tiny),
    }
