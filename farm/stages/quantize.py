"""The quantize stage: an FP32 IR and a calibration set to an int8 IR, by NNCF."""

from collections.abc import Iterator, Mapping
from typing import Any

import nncf
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from farm.images import imageset
from farm.spec import Preprocessing, resolve
from farm.stages import ALGORITHMS
from farm.stages.export import IR, size_mib
from farm.stages.job import Job
from farm.stages.synthesize import SHARD

WEIGHTED = ("Convolution", "GroupConvolution", "MatMul")


class CalibrationSet:
    """Calibration images as NNCF wants them: one float32 input of shape (1, 3, H, W) an item, in order."""

    def __init__(self, images: imageset.ImageSet, preprocessing: Preprocessing) -> None:
        """Nothing is read before it is asked for."""
        self.images = images
        self.preprocessing = preprocessing

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.images)

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """One image, prepared for the model."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return imageset.prepare(self.images.block(index, index + 1).images, self.preprocessing)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """All images in order."""
        return (self[index] for index in range(len(self)))


def run(job: Job) -> dict[str, Any]:
    """Write ``model.xml`` and ``model.bin``."""
    model = ov.Core().read_model(job.inputs["model"] / IR)
    preprocessing = Preprocessing(**job.parameters["preprocessing"])
    images = CalibrationSet(imageset.read(job.inputs["calibration"] / SHARD), preprocessing)
    imageset.prepare(images.images.block(0, 1).images, preprocessing)  # a wrong size speaks before NNCF does
    algorithm = resolve(ALGORITHMS[job.parameters["algorithm"]].function)
    quantized, facts = algorithm(model, images, job.parameters["parameters"])
    ov.save_model(quantized, job.folder / IR, compress_to_fp16=False)
    int8, weighted = layer_counts(quantized)
    return {"int8_layers": int8, "weighted_layers": weighted, "size_mib": size_mib(job.folder), **facts}


def default(model: ov.Model, images: CalibrationSet, parameters: Mapping[str, Any]) -> tuple[ov.Model, dict[str, Any]]:
    """`nncf.quantize` with its parameters by their NNCF names."""
    preset, model_type = parameters["preset"], parameters["model_type"]
    patterns = list(parameters["ignored_scope"])
    quantized = nncf.quantize(
        model,
        nncf.Dataset(images),
        preset=nncf.QuantizationPreset(preset) if preset else None,
        target_device=nncf.TargetDevice(parameters["target_device"]),
        subset_size=parameters["subset_size"],
        fast_bias_correction=parameters["fast_bias_correction"],
        model_type=nncf.ModelType(model_type) if model_type else None,
        ignored_scope=nncf.IgnoredScope(patterns=patterns) if patterns else None,
    )
    return quantized, {"subset_size": min(parameters["subset_size"], len(images))}


def layer_counts(model: ov.Model) -> tuple[int, int]:
    """How many convolutions and matrix products have int8 weights, and how many there are."""
    weighted = [op for op in model.get_ops() if op.get_type_name() in WEIGHTED]
    return sum(any(_is_int8(value) for value in op.input_values()) for op in weighted), len(weighted)


def _is_int8(value: ov.Output) -> bool:
    """Whether a value is a constant kept in int8: Constant i8/u8 -> Convert (-> Subtract) -> Multiply (-> Reshape)."""
    node = value.get_node()
    while node.get_type_name() in ("Reshape", "Multiply", "Subtract", "Convert", "Transpose"):
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant" and node.get_element_type() in (ov.Type.i8, ov.Type.u8))
