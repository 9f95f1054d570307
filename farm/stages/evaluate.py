"""The evaluate stage: what a model says of each test image."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import openvino as ov
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from farm import axes
from farm.catalog.tasks import CLASSIFICATION, TASKS
from farm.data import imageset
from farm.data.datasets import open_dataset
from farm.host.devices import configured
from farm.models.ir import IR
from farm.models.modelfile import name_of
from farm.models.zoo import build
from farm.plan.facts import Evaluated
from farm.plan.parameters import Evaluate
from farm.spec import resolve
from farm.stages.job import Job
from farm.tasks.task import Outputs, named, only

BATCH, LARGE = 100, 256 * 256  # images at once; of larger ones for detectors, as many as have so many pixels


@dataclass(frozen=True, slots=True)
class Model:
    """What runs. predict: prepared images -> its outputs. batched: whether it takes several at once."""

    predict: Callable[[NDArray[Any]], Outputs]
    batched: bool


def run(job: Job[Evaluate]) -> Evaluated:
    """Write what the task keeps of a model's answers, such as ``predictions.parquet``, a row a test image."""
    wanted = job.parameters
    dataset = open_dataset(wanted.dataset, job.files)
    model = _pytorch(job, wanted.model) if wanted.model else _openvino(job)
    task = resolve(TASKS[wanted.task.name if wanted.task else CLASSIFICATION].function)(wanted, dataset)
    parts, step = [], BATCH
    if wanted.task is not None:
        step = _at_once(wanted.preprocessing.size) if model.batched and task.batched else 1
    for start in range(0, len(dataset), step):
        block = dataset.block(start, min(start + step, len(dataset)))
        outputs = model.predict(imageset.prepare(block.images, wanted.preprocessing))
        parts.append(task.rows(outputs, block, start))
    table = pa.concat_tables(parts)
    facts: Evaluated = task.facts(table)
    for name, content in task.tables(table).items():
        pq.write_table(content, job.folder / name, compression="zstd")
    note = "; ".join(filter(None, [dataset.note, facts.note]))
    return replace(facts, note=note or None, converted=dataset.converted or None)


def _at_once(size: tuple[int, int]) -> int:
    """How many images to predict together. size: height, width."""
    return max(1, min(BATCH, BATCH * LARGE // (size[0] * size[1])))


def _openvino(job: Job[Evaluate]) -> Model:
    model, device = ov.Core().read_model(job.inputs["model"] / IR), job.parameters.device
    wanted = {"INFERENCE_PRECISION_HINT": device.precision, "INFERENCE_NUM_THREADS": job.cores}
    compiled = ov.Core().compile_model(model, device.name, configured(device.name, wanted))
    names = [name_of(output) for output in model.outputs]
    dynamic, logits = model.input(0).partial_shape[0].is_dynamic, job.parameters.task is None

    def predict(images: NDArray[Any]) -> Outputs:
        return dict(zip(names, (np.array(one) for one in compiled(images).values()), strict=True))

    def predict_each(images: NDArray[Any]) -> Outputs:
        return {"logits": np.concatenate([only(predict(image)) for image in np.split(images, len(images))])}

    return Model(predict_each if logits and not dynamic else predict, batched=dynamic or logits)


def _pytorch(job: Job[Evaluate], model: axes.Model) -> Model:
    network = build(model, job.files)

    def predict(images: NDArray[np.float32]) -> Outputs:
        with torch.inference_mode():
            answer = network(torch.from_numpy(images))
        if job.parameters.task is None:
            return {"logits": np.asarray(answer.flatten(1).numpy())}
        return named(answer)

    return Model(predict, batched=True)
