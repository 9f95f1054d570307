"""The evaluate stage: what a model says of each test image."""

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from farm.data import imageset
from farm.data.datasets import open_dataset
from farm.host.devices import configured
from farm.models.ir import IR
from farm.models.network import build
from farm.spec import Preprocessing
from farm.stages.job import Job
from farm.tasks.classification import Judge
from farm.tasks.metric import BUILT_IN, scorer

PREDICTIONS = "predictions.parquet"
BATCH = 100

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


def run(job: Job) -> dict[str, Any]:
    """Write ``predictions.parquet``: index, label, prediction, score (of the metric), gap (top-2, of logits)."""
    dataset = open_dataset(job.parameters["dataset"], job.files)
    preprocessing = Preprocessing(**job.parameters["preprocessing"])
    predict = _openvino(job) if job.parameters["runtime"] == "openvino" else _pytorch(job)
    metric = job.parameters["metric"]
    judge = Judge(metric=metric, score=scorer(metric), classes=dataset.classes)
    parts = []
    for start in range(0, len(dataset), BATCH):
        block = dataset.block(start, min(start + BATCH, len(dataset)))
        logits = predict(imageset.prepare(block.images, preprocessing))
        parts.append(judge.table(logits, block.labels, start))
    table = pa.concat_tables(parts)
    pq.write_table(table, job.folder / PREDICTIONS, compression="zstd")
    facts = {"n_images": len(table), "metric": metric, "score": _mean(table["score"]), "classes": dataset.classes}
    if metric in BUILT_IN:
        facts["top1"] = _mean(pc.equal(table["prediction"], table["label"]).cast(pa.float64()))
    return facts


def _mean(column: pa.ChunkedArray) -> float:
    return float(column.to_numpy().mean(dtype=np.float64))


def _openvino(job: Job) -> Predict:
    model = ov.Core().read_model(job.inputs["model"] / IR)
    asked = {"INFERENCE_PRECISION_HINT": job.parameters["precision"], "INFERENCE_NUM_THREADS": job.cores}
    compiled = ov.Core().compile_model(model, job.parameters["device"], configured(job.parameters["device"], asked))
    if model.input(0).partial_shape[0].is_dynamic:
        return lambda images: np.asarray(compiled(images)[0], np.float32)

    def one_by_one(images: NDArray[Any]) -> NDArray[np.float32]:
        return np.concatenate([np.array(compiled(image[None])[0], np.float32) for image in images])

    return one_by_one


def _pytorch(job: Job) -> Predict:
    network = build(job.parameters["model"], job.files)

    def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(images)).numpy())

    return predict
