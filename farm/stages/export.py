"""The export stage: a model as FP32 OpenVINO IR with one input and one output. Preprocessing stays outside."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import openvino as ov
import torch

from farm.axes import Preprocessing
from farm.errors import DataError
from farm.models import int8, modelfile
from farm.models.ir import IR, size_mib
from farm.models.layer_names import name_after_modules
from farm.models.zoo import build
from farm.plan.facts import Exported
from farm.plan.parameters import Export
from farm.stages.job import Job

PROBE_TOLERANCE = 1e-3  # of the largest logit: float32 sums in another order
MATRIX = 2  # dimensions of a batch of logits


def run(job: Job[Export]) -> Exported:
    """Write ``model.xml`` and ``model.bin``, uncompressed; the batch is dynamic wherever the model allows it."""
    model, difference = (_from_file(job), None) if job.parameters.model.format else _from_torch(job)
    ov.save_model(model, job.folder / IR, compress_to_fp16=False)
    found = int8.of_model(model)
    return Exported(
        size_mib=size_mib(job.folder),
        dynamic_batch=model.input(0).partial_shape[0].is_dynamic,
        classes=int(model.output(0).partial_shape[1].get_length()),
        probe_difference=difference,
        int8_layers=found.layers if found.quantized else None,
        weighted_layers=found.weighted_layers,
        int8_weights_share=found.weights_share if found.quantized else None,
    )


def _from_file(job: Job[Export]) -> ov.Model:
    """An ONNX, TFLite or IR file, checked against what the grid says of it."""
    wanted = job.parameters
    interface = Preprocessing(size=wanted.size, layout=wanted.layout, input=wanted.input)
    return modelfile.read(job.files["model"], interface, wanted.model.options["output"])


def _from_torch(job: Job[Export]) -> tuple[ov.Model, float]:
    """A PyTorch model, converted, and how far it is from PyTorch on a random batch."""
    height, width = job.parameters.size
    network = build(job.parameters.model, job.files)
    probe = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, height, width), dtype=np.float32))
    with torch.inference_mode():
        expected = network(probe)
    if not isinstance(expected, torch.Tensor) or expected.ndim != MATRIX:
        shape = tuple(expected.shape) if isinstance(expected, torch.Tensor) else type(expected).__name__
        raise DataError(f"the model must give logits of shape (batch, classes), not {shape}")
    with modelfile.named_operations(), without_fast_path():
        converted = ov.convert_model(network, example_input=probe, input=[ov.PartialShape([-1, 3, height, width])])
    difference = _difference(converted, probe.numpy(), expected.numpy())
    name_after_modules(converted, network)
    return converted, difference


@contextmanager
def without_fast_path() -> Iterator[None]:
    """As at inference, but that attention does what it is written to do: the converter knows no fused one."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _difference(converted: ov.Model, probe: np.ndarray, expected: np.ndarray) -> float:
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    logits = ov.Core().compile_model(converted, "CPU", config)(probe)[0]
    difference = float(np.abs(logits - expected).max() / max(np.abs(expected).max(), 1e-30))
    if not difference <= PROBE_TOLERANCE:
        raise DataError(f"the converted model differs from PyTorch by {difference:.2g} of its largest logit")
    return difference
