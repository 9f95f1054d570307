"""The quantize stage: an FP32 IR and a calibration set to an int8 IR, by the algorithm that is asked for."""

import openvino as ov

from farm.catalog.algorithms import ALGORITHMS
from farm.data import imageset
from farm.data.datasets import PreparedImages
from farm.errors import DataError
from farm.models import int8
from farm.models.ir import IR, size_mib
from farm.plan.facts import Quantized
from farm.plan.parameters import Quantize
from farm.plan.stage import in_order
from farm.quantization.default import Quantization, check_ignored_scope, subset_size
from farm.spec import resolve
from farm.stages.job import Job
from farm.stages.synthesize import SHARD
from farm.tasks.metric import scorer


def run(job: Job[Quantize]) -> Quantized:
    """Write ``model.xml`` and ``model.bin``, and what else the algorithm leaves."""
    ir = job.inputs["model"] / IR
    algorithm = job.parameters.algorithm
    calibration = _prepared(job, "calibration")
    quantization = Quantization(
        model=ov.Core().read_model(ir),
        calibration=calibration,
        validation=_prepared(job, "validation") if algorithm.options.get("validate_on") == "train" else calibration,
        options=algorithm.options,
        score=scorer(job.parameters.metric or "top1"),
        folder=job.folder,
        cores=job.cores,
        say=job.say,
    )
    if int8.of_model(quantization.model).quantized:
        raise DataError(
            "the model is quantized as it comes: judge it by the baseline `ir`, and leave its other cells out"
        )
    check_ignored_scope(quantization.model, algorithm.options.get("ignored_scope", ()), ir)
    quantized, control = resolve(ALGORITHMS[algorithm.name].function)(quantization)
    ov.save_model(quantized, job.folder / IR, compress_to_fp16=False)
    found = int8.of_model(quantized)
    if not found.quantized and control is None:
        raise DataError(f"nothing became int8 of {found.weighted_layers} layers with weights: {_why_nothing(job)}")
    return Quantized(
        int8_layers=found.layers,
        weighted_layers=found.weighted_layers,
        int8_weights_share=found.weights_share,
        size_mib=size_mib(job.folder),
        subset_size=subset_size(quantization),
        control=control,
    )


def _why_nothing(job: Job[Quantize]) -> str:
    if job.parameters.algorithm.options.get("ignored_scope"):
        return "`ignored_scope` leaves them all in FP32: name fewer of them"
    return "NNCF quantizes none of its operations: leave the model's int8 cells out"


def _prepared(job: Job[Quantize], role: str) -> PreparedImages:
    """An input's images, of all its shards. A wrong size speaks here, before NNCF does."""
    shards = in_order(role, job.inputs)
    images = imageset.read(*(folder / SHARD for folder in shards))
    prepared = PreparedImages(images=images, preprocessing=job.parameters.preprocessing)
    prepared[0]
    return prepared
