"""The quantize stage: an FP32 IR and a calibration set to an int8 IR, by the algorithm that is asked for."""

import openvino as ov

from farm.catalog.algorithms import ALGORITHMS
from farm.data import imageset
from farm.data.datasets import PreparedImages
from farm.models.ir import IR, size_mib
from farm.plan.facts import Quantized
from farm.plan.parameters import Quantize
from farm.plan.stage import in_order
from farm.quantization.default import Quantization, check_ignored_scope, layer_counts, subset_size
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
    check_ignored_scope(quantization.model, algorithm.options.get("ignored_scope", ()), ir)
    quantized, control = resolve(ALGORITHMS[algorithm.name].function)(quantization)
    ov.save_model(quantized, job.folder / IR, compress_to_fp16=False)
    int8, weighted = layer_counts(quantized)
    return Quantized(
        int8_layers=int8,
        weighted_layers=weighted,
        size_mib=size_mib(job.folder),
        subset_size=subset_size(quantization),
        control=control,
    )


def _prepared(job: Job[Quantize], role: str) -> PreparedImages:
    """An input's images, of all its shards. A wrong size speaks here, before NNCF does."""
    shards = in_order(role, job.inputs)
    images = imageset.read(*(folder / SHARD for folder in shards))
    prepared = PreparedImages(images=images, preprocessing=job.parameters.preprocessing)
    prepared[0]
    return prepared
