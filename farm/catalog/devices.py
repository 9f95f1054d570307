"""Devices by the letters that an OpenVINO device string starts with."""

from typing import Literal

from pydantic import Field

from farm.spec import Parameters, Spec


class DeviceParameters(Parameters):
    """How OpenVINO runs a model."""

    threads: int | None = Field(None, ge=1, description="inference threads; all leasable cores if null")
    hint: Literal["latency", "throughput"] = Field("latency", description="PERFORMANCE_HINT")
    precision: Literal["f32", "f16", "bf16"] = Field("f32", description="INFERENCE_PRECISION_HINT")
    batch: int = Field(1, ge=1, description="images an inference")
    node: str | None = Field(None, description="only hosts that carry this label (a Ray resource)")


_DEVICE_DOCS = {
    "CPU": "the host's processor; tested",
    "GPU": "an Intel GPU, GPU.0 and so on; passed to OpenVINO as it is, not tested",
    "NPU": "an Intel NPU; passed to OpenVINO as it is, not tested",
    "AUTO": "OpenVINO's choice, AUTO:GPU,CPU and so on; tested with the CPU",
    "HETERO": "several devices for one model, HETERO:GPU,CPU; tested with the CPU",
    "MULTI": "several devices in parallel, MULTI:GPU,CPU; tested with the CPU",
}
DEVICES = {name: Spec(parameters=DeviceParameters, doc=doc) for name, doc in _DEVICE_DOCS.items()}
