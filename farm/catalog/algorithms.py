"""Algorithms by name, and the baselines that stand beside them on the axis."""

import re
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from farm.spec import AlgorithmSpec, Parameters, fault

ActivationsRange = Literal[
    "minmax", "mean_minmax", "median_minmax", "mean_no_outliers_minmax", "mean_quantile", "histogram"
]


class Default(Parameters):
    """The parameters of `nncf.quantize`, by their NNCF names; null leaves one to NNCF."""

    preset: Literal["performance", "mixed"] | None = Field(None, description="NNCF's preset; its own default if null")
    target_device: Literal["ANY", "CPU", "GPU", "NPU", "CPU_SPR"] = Field("CPU", description="hardware to quantize for")
    subset_size: int = Field(300, ge=1, description="calibration images used, from the first on")
    fast_bias_correction: bool = Field(True, description="false is slower and may be more accurate")
    disable_bias_correction: bool = Field(False, description="leave biases as they are")
    overflow_fix: Literal["disable", "enable", "first_layer_only"] | None = Field(
        None, description="which weights use half the int8 range, against saturation on CPUs without VNNI"
    )
    activations_range_estimator: ActivationsRange | None = Field(
        None, description="how the range of activations follows from the calibration images"
    )
    weights_range_estimator: Literal["minmax", "mean_quantile"] | None = Field(
        None, description="how the range of weights follows from them; NNCF's others are the same for constants"
    )
    model_type: Literal["transformer"] | None = Field(None, description="extra patterns for transformers")
    smooth_quant_alpha: float | None = Field(
        None, description="SmoothQuant of matrix products, 0 to 1, or -1: off; needs model_type: transformer"
    )
    smooth_quant_convolution_alpha: float | None = Field(
        None, description="SmoothQuant of convolutions, 0 to 1, or -1: off; needs model_type: transformer"
    )
    ignored_scope: tuple[str, ...] = Field(
        (), description="regular expressions, from a name's start on, of IR layer names kept in FP32"
    )

    @field_validator("ignored_scope")
    @classmethod
    def _are_regular_expressions(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise fault(f"{pattern!r} is no regular expression ({error})") from error
        return patterns

    @field_validator("smooth_quant_alpha", "smooth_quant_convolution_alpha")
    @classmethod
    def _is_an_alpha(cls, alpha: float | None, others: ValidationInfo) -> float | None:
        if alpha is None:
            return None
        if alpha != -1 and not 0 <= alpha <= 1:
            raise fault("must be from 0 to 1, or -1 for off")
        if others.data.get("model_type") != "transformer":
            raise fault("needs `model_type: transformer`, without which NNCF does not smooth")
        return alpha


class AccuracyAware(Default):
    """NNCF's accuracy control: layers go back to FP32, worst first, until the accuracy drop is small enough."""

    max_drop: float = Field(0.02, gt=0, description="drop of the metric to reach, absolute, on the validation images")
    labels: Literal["given", "model"] = Field(
        "given", description="what is right: the images' labels, or (also where there are none) the FP32 model's answer"
    )
    validate_on: Literal["calibration", "train"] = Field(
        "calibration",
        description="images that the drop is measured on; train: the dataset's, without those calibrated on",
    )
    validate_count: int | None = Field(None, ge=1, description="validation images used, from the first on; all if null")
    max_iterations: int | None = Field(
        None, ge=0, description="times a group of layers may be reverted; no limit if null"
    )
    budget_s: float = Field(1800, gt=0, description="seconds for the control; then the best so far is kept")
    ranking_subset_size: int | None = Field(
        300, ge=1, description="validation images that layers are ranked on, those with the greatest loss; all if null"
    )


ALGORITHMS = {
    "default": AlgorithmSpec(
        function="farm.quantization.default:default",
        parameters=Default,
        doc="nncf.quantize: post-training quantization without an accuracy target",
    ),
    "accuracy-aware": AlgorithmSpec(
        function="farm.quantization.accuracy_aware:accuracy_aware",
        parameters=AccuracyAware,
        doc="nncf.quantize, then the worst layers back to FP32 until the accuracy drop is small enough",
    ),
}

BASELINES = {
    "pytorch": AlgorithmSpec(parameters=Parameters, doc="the PyTorch model, not converted", runtime="pytorch"),
    "ir": AlgorithmSpec(parameters=Parameters, doc="the FP32 OpenVINO IR, not quantized"),
}
