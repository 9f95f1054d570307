"""The evaluate stage: what a model says of each test image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from farm.errors import DataError
from farm.images import DATASETS, imageset
from farm.models.network import build
from farm.spec import Preprocessing, resolve
from farm.stages.device import configured
from farm.stages.export import IR
from farm.stages.job import Job
from farm.stages.metric import BUILT_IN, Scorer, check_finite, scorer

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


def open_dataset(parameters: Mapping[str, Any], files: Mapping[str, Path]) -> imageset.ImageSet:
    """The labelled test images that a plan's ``parameters["dataset"]`` names, their files among `files`."""
    rest = dict(parameters)
    images: imageset.ImageSet = resolve(DATASETS[rest.pop("name")].function)(rest, files)
    return images


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Turns logits into rows. classes: of the dataset, where they are known."""

    metric: str
    score: Scorer
    classes: int | None

    def table(self, logits: NDArray[np.float32], labels: NDArray[np.int64], start: int) -> pa.Table:
        """One batch's rows. Raises DataError where the model and the dataset do not go together."""
        said = logits.shape[1]
        if self.metric in BUILT_IN:
            self.check_classes(said, labels)
        if not np.isfinite(logits).all():
            where = f"images {start} to {start + len(logits) - 1}"
            raise DataError(f"the model gives NaN or infinite logits in {where}")
        scores = self.score(logits, labels)
        check_finite(scores, range(start, start + len(labels)))
        top = np.sort(logits, axis=1)[:, -2:]
        return pa.table(
            {
                "index": np.arange(start, start + len(labels), dtype=np.int32),
                "label": labels.astype(np.int32),
                "prediction": logits.argmax(axis=1).astype(np.int32),
                "score": scores,
                "gap": (top[:, -1] - top[:, 0]).astype(np.float32) if said > 1 else np.zeros(len(labels), np.float32),
            }
        )

    def check_classes(self, said: int, labels: NDArray[np.int64]) -> None:
        """A metric of the user's own may mean something else by an output."""
        if labels.min() < 0:
            raise DataError(f"a test image's label is {labels.min()}: number the classes from 0 up")
        if (self.classes is not None and self.classes != said) or labels.max() >= said:
            there = self.classes if self.classes is not None else int(labels.max()) + 1
            raise DataError(f"the model tells {said} classes apart, the dataset has {there}: use weights trained on it")
