"""Stages, algorithms, baselines and devices by name. Knows no engine.

A stage function takes a `job.Job` and leaves its files in the job's folder; what it returns are the
facts for the manifest.
"""

from typing import Annotated, Literal

from pydantic import Field

from farm.spec import Parameters, Spec, StageSpec

STAGES = {
    "synthesize": StageSpec(
        function="farm.stages.synthesize:run",
        version=1,
        doc="calibration images as a shard of uint8 images",
        typical_s=2,
    ),
    "export": StageSpec(
        function="farm.stages.export:run",
        version=1,
        doc="PyTorch model to FP32 OpenVINO IR, dynamic batch",
        libraries=("openvino", "torch"),
        typical_s=4,
    ),
    "quantize": StageSpec(
        function="farm.stages.quantize:run",
        version=1,
        doc="FP32 IR and calibration set to int8 IR",
        libraries=("openvino", "nncf"),
        timeout_s=3600,
        typical_s=10,
    ),
    "evaluate": StageSpec(
        function="farm.stages.evaluate:run",
        version=1,
        doc="prediction, score and top-2 gap of each test image",
        timeout_s=3600,
        typical_s=20,
    ),
    "measure": StageSpec(
        function="farm.stages.measure:run",
        version=1,
        doc="latencies in paired rounds, with the node to itself",
        exclusive=True,
        typical_s=30,
    ),
}


class Nothing(Parameters):
    """No parameters."""


class Default(Parameters):
    """The parameters of `nncf.quantize`, by their NNCF names."""

    preset: Literal["performance", "mixed"] | None = Field(None, description="NNCF's preset; its own default if null")
    target_device: Literal["ANY", "CPU", "GPU", "NPU", "CPU_SPR"] = Field("CPU", description="hardware to quantize for")
    subset_size: int = Field(300, ge=1, description="calibration images used, from the first on")
    fast_bias_correction: bool = Field(True, description="false is slower and may be more accurate")
    model_type: Literal["transformer"] | None = Field(None, description="extra patterns for transformers")
    ignored_scope: Annotated[
        tuple[str, ...], Field(description="regular expressions of IR layer names kept in FP32")
    ] = ()


class Device(Parameters):
    """How OpenVINO runs a model."""

    threads: int | None = Field(None, ge=1, description="inference threads; all leasable cores if null")
    hint: Literal["latency", "throughput"] = Field("latency", description="PERFORMANCE_HINT")
    precision: Literal["f32", "f16", "bf16"] = Field("f32", description="INFERENCE_PRECISION_HINT")
    batch: int = Field(1, ge=1, description="images an inference")
    node: str | None = Field(None, description="only hosts that carry this label (a Ray resource)")


ALGORITHMS = {
    "default": Spec(
        function="farm.stages.quantize:default",
        parameters=Default,
        doc="nncf.quantize: post-training quantization without an accuracy target",
    ),
}

BASELINES = {
    "pytorch": Spec(function="", parameters=Nothing, doc="the PyTorch model, not converted"),
    "ir": Spec(function="", parameters=Nothing, doc="the FP32 OpenVINO IR, not quantized"),
}

_DEVICE_DOCS = {
    "CPU": "the host's processor; the one that farm's own tests run",
    "GPU": "an Intel GPU, GPU.0 and so on; passed to OpenVINO as it is",
    "NPU": "an Intel NPU; passed to OpenVINO as it is",
    "AUTO": "OpenVINO's choice, AUTO:GPU,CPU and so on; passed as it is",
    "HETERO": "several devices for one model; passed as it is",
    "MULTI": "several devices in parallel; passed as it is",
}

DEVICES = {name: Spec(function="", parameters=Device, doc=doc) for name, doc in _DEVICE_DOCS.items()}
