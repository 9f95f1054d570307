"""The evaluate stage: what a model says of each test image."""

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from farm.errors import DataError
from farm.images import DATASETS, imageset
from farm.spec import Preprocessing, resolve
from farm.stages.export import IR
from farm.stages.job import Job
from farm.stages.network import build

PREDICTIONS = "predictions.parquet"
BATCH = 100

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def run(job: Job) -> dict[str, Any]:
    """Write ``predictions.parquet``: index, label, prediction, score (1 if right), gap (top-2, of logits)."""
    dataset = open_dataset(job)
    preprocessing = Preprocessing(**job.parameters["preprocessing"])
    predict = _openvino(job) if job.parameters["runtime"] == "openvino" else _pytorch(job)
    parts = []
    for start in range(0, len(dataset), BATCH):
        block = dataset.block(start, min(start + BATCH, len(dataset)))
        logits = predict(imageset.prepare(block.images, preprocessing))
        parts.append(_judged(logits, block.labels, dataset.classes, start))
    table = pa.concat_tables(parts)
    pq.write_table(table, job.folder / PREDICTIONS, compression="zstd")
    score = table["score"].to_numpy()
    return {"n_images": len(score), "top1": float(score.mean(dtype=np.float64)), "classes": dataset.classes}


def open_dataset(job: Job) -> imageset.ImageSet:
    """The labelled test images that a job's parameters name."""
    parameters = dict(job.parameters["dataset"])
    images: imageset.ImageSet = resolve(DATASETS[parameters.pop("name")].function)(parameters, job.files)
    return images


def _openvino(job: Job) -> Predict:
    config = {"INFERENCE_PRECISION_HINT": job.parameters["precision"], "INFERENCE_NUM_THREADS": job.cores}
    device = job.parameters["device"]
    model = ov.Core().read_model(job.inputs["model"] / IR)
    compiled = ov.Core().compile_model(model, device, config if device == "CPU" else {})
    return lambda images: np.asarray(compiled(images)[0])


def _pytorch(job: Job) -> Predict:
    network = build(job.parameters["model"], job.files)

    def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(images)).numpy())

    return predict


def _judged(logits: NDArray[np.float32], labels: NDArray[np.int64], classes: int | None, start: int) -> pa.Table:
    """One batch's rows. Raises DataError where the model and the dataset do not go together."""
    said = logits.shape[1]
    if (classes is not None and classes != said) or labels.max() >= said:
        there = classes if classes is not None else int(labels.max()) + 1
        raise DataError(f"the model tells {said} classes apart, the dataset has {there}: use weights trained on it")
    if not np.isfinite(logits).all():
        raise DataError(f"the model gives NaN or infinite logits in images {start} to {start + len(logits) - 1}")
    top = np.sort(logits, axis=1)[:, -2:]
    prediction = logits.argmax(axis=1)
    return pa.table(
        {
            "index": np.arange(start, start + len(labels), dtype=np.int32),
            "label": labels.astype(np.int32),
            "prediction": prediction.astype(np.int32),
            "score": (prediction == labels).astype(np.float32),
            "gap": (top[:, -1] - top[:, 0]).astype(np.float32) if said > 1 else np.zeros(len(labels), np.float32),
        }
    )
