"""The export stage: a model as FP32 OpenVINO IR with one input, and logits or all outputs. Preprocessing stays out."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import openvino as ov
import torch

from farm.axes import Preprocessing
from farm.errors import DataError
from farm.models import int8, modelfile
from farm.models.describe import input_shape
from farm.models.ir import IR, size_mib
from farm.models.layer_names import name_after_modules
from farm.models.zoo import build
from farm.plan.facts import Exported
from farm.plan.parameters import Export
from farm.stages.job import Job
from farm.tasks.task import named

PROBES = 2  # images of the batch
PROBE_TOLERANCE = 1e-3  # of the largest logit: float32 sums in another order


def run(job: Job[Export]) -> Exported:
    """Write ``model.xml`` and ``model.bin``, uncompressed; the batch is dynamic wherever the model allows it."""
    model, difference = (_from_file(job), None) if job.parameters.model.format else _from_torch(job)
    ov.save_model(model, job.folder / IR, compress_to_fp16=False)
    found = int8.of_model(model)
    return Exported(
        size_mib=size_mib(job.folder),
        dynamic_batch=model.input(0).partial_shape[0].is_dynamic,
        classes=None if job.parameters.whole else int(model.output(0).partial_shape[1].get_length()),
        probe_difference=difference,
        int8_layers=found.layers if found.quantized else None,
        weighted_layers=found.weighted_layers,
        int8_weights_share=found.weights_share if found.quantized else None,
    )


def _from_file(job: Job[Export]) -> ov.Model:
    """An ONNX, TFLite or IR file, checked against what the grid says of it."""
    wanted = job.parameters
    constants = wanted.model.options.get("inputs")
    if wanted.whole:
        return modelfile.read_whole(job.files["model"], wanted.interface, constants)
    return modelfile.read(job.files["model"], wanted.interface, wanted.model.options["output"], constants)


def _from_torch(job: Job[Export]) -> tuple[ov.Model, float]:
    """A PyTorch model, converted, and how far it is from PyTorch on a random batch."""
    interface = job.parameters.interface
    network = build(job.parameters.model, job.files)
    shape = input_shape(interface, PROBES)
    probe = torch.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
    expected = _answered(network, probe, interface)
    if not job.parameters.whole and not isinstance(expected, torch.Tensor):
        raise DataError(f"the model must give logits of shape (batch, classes), not a {type(expected).__name__}")
    with modelfile.named_operations(), without_fast_path():
        free = ov.PartialShape(input_shape(interface, -1))
        converted = ov.convert_model(network, example_input=probe, input=[free])
    answers = named(expected)
    if job.parameters.whole:
        for output, name in zip(converted.outputs, answers, strict=True):
            output.set_names({name})
    else:
        converted = modelfile.flat(converted)
        answers = {name: one.reshape(PROBES, -1) for name, one in answers.items()}
    difference = max(_difference(converted, probe.numpy(), one, at) for at, one in enumerate(answers.values()))
    name_after_modules(converted, network)
    return converted, difference


def _answered(network: torch.nn.Module, probe: torch.Tensor, interface: Preprocessing) -> object:
    """What PyTorch says of a random batch. Raises DataError where it takes no images of this size and mode."""
    try:
        with torch.inference_mode():
            return network(probe)
    except RuntimeError as error:
        height, width = interface.size
        kind = f"{height}x{width} (height x width) with {interface.channels} channels"
        reason = str(error).partition("\n")[0]
        raise DataError(f"the model takes no images of {kind} ({reason}): set its `size` or `mode`") from error


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


def _difference(converted: ov.Model, probe: np.ndarray, expected: np.ndarray, output: int = 0) -> float:
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    answer = ov.Core().compile_model(converted, "CPU", config)(probe)[output]
    if answer.shape != expected.shape:
        raise DataError(f"the converted model gives {answer.shape} where PyTorch gives {expected.shape}")
    if not expected.size:
        return 0.0
    difference = float(np.abs(answer - expected).max() / max(np.abs(expected).max(), 1e-30))
    if not difference <= PROBE_TOLERANCE:
        raise DataError(f"the converted model differs from PyTorch by {difference:.2g} of its largest output")
    return difference
