"""Post-training quantization by NNCF's public functions: an FP32 IR and a calibration set to an int8 IR."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nncf
import openvino as ov
from nncf.quantization.range_estimator import RangeEstimatorParameters, RangeEstimatorParametersSet

from farm.data.datasets import PreparedImages
from farm.errors import DataError
from farm.models.int8 import WEIGHTED
from farm.tasks.metric import Scorer

SHOWN_NAMES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """What an algorithm is given; it returns the quantized model, and what it tells of accuracy control, if it has any.

    model: the FP32 IR; it stays as it is. calibration: what ranges are estimated on. validation: what
    accuracy is measured on. options: the algorithm's own. score: a score for each image. folder: files
    left in it join the artefact. cores: how many threads do work. say: tells the user how far it is, in a line.
    """

    model: ov.Model
    calibration: PreparedImages
    validation: PreparedImages
    options: Mapping[str, Any]
    score: Scorer
    folder: Path
    cores: int
    say: Callable[[str], None]


def default(quantization: Quantization) -> tuple[ov.Model, None]:
    """`nncf.quantize` with its parameters by their NNCF names."""
    calibration, arguments = nncf.Dataset(quantization.calibration), nncf_arguments(quantization.options)
    return nncf.quantize(quantization.model, calibration, **arguments), None


def subset_size(quantization: Quantization) -> int:
    """How many calibration images NNCF uses."""
    return min(int(quantization.options["subset_size"]), len(quantization.calibration))


def nncf_arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """What `farm.catalog.algorithms.Default` says, as keyword arguments of `nncf.quantize`."""
    preset, model_type = options["preset"], options["model_type"]
    patterns, overflow_fix = list(options["ignored_scope"]), options["overflow_fix"]
    alphas = {"matmul": options["smooth_quant_alpha"], "convolution": options["smooth_quant_convolution_alpha"]}
    advanced = nncf.AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix(overflow_fix) if overflow_fix else None,
        disable_bias_correction=options["disable_bias_correction"],
        activations_range_estimator_params=_range_estimator(options["activations_range_estimator"]),
        weights_range_estimator_params=_range_estimator(options["weights_range_estimator"]),
        smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(
            **{op: at for op, at in alphas.items() if at is not None}
        ),
    )
    return {
        "preset": nncf.QuantizationPreset(preset) if preset else None,
        "target_device": nncf.TargetDevice(options["target_device"]),
        "subset_size": options["subset_size"],
        "fast_bias_correction": options["fast_bias_correction"],
        "model_type": nncf.ModelType(model_type) if model_type else None,
        "ignored_scope": nncf.IgnoredScope(patterns=patterns) if patterns else None,
        "advanced_parameters": advanced,
    }


def _range_estimator(name: str | None) -> RangeEstimatorParameters:
    return getattr(RangeEstimatorParametersSet, name.upper()) if name else RangeEstimatorParameters()


def check_ignored_scope(model: ov.Model, patterns: Sequence[str], ir: Path) -> None:
    """Raise DataError for a pattern that no layer's name begins with, telling names that there are."""
    names = [op.get_friendly_name() for op in model.get_ordered_ops() if op.get_type_name() != "Constant"]
    lost = [pattern for pattern in patterns if not any(re.match(pattern, name) for name in names)]
    if not lost:
        return
    plain = [re.sub(r"[^\w/.:]|\.\*", "", pattern) for pattern in lost]
    near = [name for word in plain for name in difflib.get_close_matches(word, names, 2)]
    weighted = [op for op in model.get_ordered_ops() if op.get_type_name() in WEIGHTED]
    shown = [op.get_friendly_name() for op in weighted[:SHOWN_NAMES]]
    more = f" and {len(weighted) - SHOWN_NAMES} more" if len(weighted) > SHOWN_NAMES else ""
    raise DataError(
        f"`ignored_scope`: no layer's name matches {', '.join(map(repr, lost))} from its start on"
        f"{'; near it: ' + ', '.join(near) if near else ''}. "
        f"Layers with weights: {', '.join(shown)}{more}. All names: the `name`s in {ir}"
    )
