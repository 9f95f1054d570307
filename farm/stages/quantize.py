"""The quantize stage: an FP32 IR and a calibration set to an int8 IR, by the algorithm that is asked for."""

from typing import Any

import openvino as ov

from farm.catalog.algorithms import ALGORITHMS
from farm.data import imageset
from farm.data.prepared import PreparedImages
from farm.models.ir import IR, size_mib
from farm.plan.stage import in_order
from farm.quantization.default import Quantization, check_ignored_scope, layer_counts
from farm.spec import Preprocessing, resolve
from farm.stages.job import Job
from farm.stages.synthesize import SHARD
from farm.tasks.metric import scorer


def run(job: Job) -> dict[str, Any]:
    """Write ``model.xml`` and ``model.bin``, and what else the algorithm leaves."""
    ir = job.inputs["model"] / IR
    parameters = job.parameters["parameters"]
    calibration = _prepared(job, "calibration")
    task = Quantization(
        model=ov.Core().read_model(ir),
        calibration=calibration,
        validation=_prepared(job, "validation") if parameters.get("validate_on") == "train" else calibration,
        parameters=parameters,
        score=scorer(job.parameters.get("metric", "top1")),
        folder=job.folder,
        cores=job.cores,
        say=job.say,
    )
    check_ignored_scope(task.model, parameters.get("ignored_scope", ()), ir)
    quantized, facts = resolve(ALGORITHMS[job.parameters["algorithm"]].function)(task)
    ov.save_model(quantized, job.folder / IR, compress_to_fp16=False)
    int8, weighted = layer_counts(quantized)
    return {"int8_layers": int8, "weighted_layers": weighted, "size_mib": size_mib(job.folder), **facts}


def _prepared(job: Job, role: str) -> PreparedImages:
    """An input's images, of all its shards. A wrong size speaks here, before NNCF does."""
    shards = in_order(role, job.inputs)
    images = imageset.joined([folder / SHARD for folder in shards])
    prepared = PreparedImages(images=images, preprocessing=Preprocessing(**job.parameters["preprocessing"]))
    prepared[0]
    return prepared
