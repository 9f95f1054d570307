"""The evaluate stage: what a model says of each test image."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import openvino as ov
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from farm.axes import Model
from farm.data import imageset
from farm.data.datasets import open_dataset
from farm.host.devices import configured
from farm.models.ir import IR
from farm.models.zoo import build
from farm.plan.facts import Evaluated
from farm.plan.parameters import Evaluate
from farm.stages.job import Job
from farm.tasks.classification import PREDICTIONS, Classification

BATCH = 100

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


def run(job: Job[Evaluate]) -> Evaluated:
    """Write ``predictions.parquet``, a row a test image, as `farm.tasks.classification` keeps it."""
    wanted = job.parameters
    dataset = open_dataset(wanted.dataset, job.files)
    predict = _pytorch(job, wanted.model) if wanted.model else _openvino(job)
    task = Classification(metric=wanted.metric, classes=dataset.classes, names=dataset.names)
    parts = []
    for start in range(0, len(dataset), BATCH):
        block = dataset.block(start, min(start + BATCH, len(dataset)))
        logits = predict(imageset.prepare(block.images, wanted.preprocessing))
        parts.append(task.rows(logits, block.labels, start))
    table = pa.concat_tables(parts)
    pq.write_table(table, job.folder / PREDICTIONS, compression="zstd")
    return replace(task.facts(table), note=dataset.note or None, converted=dataset.converted or None)


def _openvino(job: Job[Evaluate]) -> Predict:
    model, device = ov.Core().read_model(job.inputs["model"] / IR), job.parameters.device
    wanted = {"INFERENCE_PRECISION_HINT": device.precision, "INFERENCE_NUM_THREADS": job.cores}
    compiled = ov.Core().compile_model(model, device.name, configured(device.name, wanted))
    dynamic = model.input(0).partial_shape[0].is_dynamic

    def predict(images: NDArray[Any]) -> NDArray[np.float32]:
        batches = [images] if dynamic else np.split(images, len(images))
        return np.concatenate([np.array(compiled(batch)[0], np.float32) for batch in batches])

    return predict


def _pytorch(job: Job[Evaluate], model: Model) -> Predict:
    network = build(model, job.files)

    def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(images)).flatten(1).numpy())

    return predict
