"""How right a model is about the validation images, while it is being quantized. Knows OpenVINO, not NNCF."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from farm.data.datasets import PreparedImages
from farm.data.imageset import UNLABELLED
from farm.errors import DataError
from farm.quantization.default import Quantization
from farm.tasks.metric import BUILT_IN, Labels, Logits, Scorer, check_finite

BATCH = 100
GIVEN, MODEL = "given", "model"

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The validation images of a quantization, what is right about them, and how right the FP32 model is.

    labels: int64 (n,), of the first n images. labels_from: ``given``, or ``model`` where the FP32 model's own
    greatest logit counts as right. fp32: the FP32 model's score of each image, float64 (n,).
    """

    quantization: Quantization
    labels: Labels
    labels_from: str
    batch: int
    fp32: Scores

    def scores(
        self, compiled: ov.CompiledModel, indices: Sequence[int] | None, before_batch: Callable[[], None]
    ) -> Scores:
        """A model's score of each image, float64; of all of them for None. before_batch: may raise to end it."""
        parts = []
        for chunk in _chunks(range(len(self.labels)) if indices is None else indices, self.batch):
            before_batch()
            logits = _logits(compiled, self.quantization.validation, chunk)
            parts.append(_scores(self.quantization.score, logits, self.labels[chunk], chunk))
        return np.concatenate(parts).astype(np.float64)


def validation(quantization: Quantization) -> Validation:
    """Judge the FP32 model. Raises DataError where labels and model do not go together, or the metric fails."""
    images, options = quantization.validation, quantization.options
    count = min(options["validate_count"] or sys.maxsize, len(images))
    batch = BATCH if quantization.model.input(0).partial_shape[0].is_dynamic else 1
    compiled = compiled_in_f32(quantization.model, quantization.cores)
    labels = images.labels(count)
    labels_from = _labels_from(labels, wanted=options["labels"])
    scores = []
    for chunk in _chunks(range(count), batch):
        logits = _logits(compiled, images, chunk)
        if labels_from == MODEL:
            labels[chunk] = logits.argmax(axis=1)
        _check(logits, labels[chunk], quantization.score)
        scores.append(_scores(quantization.score, logits, labels[chunk], chunk))
    fp32 = np.concatenate(scores).astype(np.float64)
    return Validation(quantization=quantization, labels=labels, labels_from=labels_from, batch=batch, fp32=fp32)


def compiled_in_f32(model: ov.Model, cores: int) -> ov.CompiledModel:
    """A model for the CPU. In FP32 wherever it is not quantized: some CPUs' default is bf16."""
    return ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": cores})


def _chunks(indices: Sequence[int], size: int) -> list[NDArray[np.int64]]:
    return [np.asarray(indices[at : at + size], np.int64) for at in range(0, len(indices), size)]


def _logits(compiled: ov.CompiledModel, images: PreparedImages, indices: NDArray[np.int64]) -> Logits:
    return np.asarray(compiled(images.take(indices))[0], np.float32)


def _scores(score: Scorer, logits: Logits, labels: Labels, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    scores = score(logits, labels)
    check_finite(scores, indices)
    return scores


def _labels_from(given: Labels, *, wanted: str) -> str:
    """Where labels come from: as asked, but from the model where the images have none at all."""
    missing = int((given == UNLABELLED).sum())
    if wanted == MODEL or missing == len(given):
        return MODEL
    if missing:
        text = f"{missing} of the {len(given)} validation images have no label: use `labels: model`, or label them all"
        raise DataError(text)
    return GIVEN


def _check(logits: Logits, labels: Labels, score: Scorer) -> None:
    """A metric of the user's own may mean something else by a label."""
    if not np.isfinite(logits).all():
        raise DataError("the FP32 model gives NaN or infinite logits of the validation images")
    if score in BUILT_IN.values() and labels.max() >= logits.shape[1]:
        raise DataError(
            f"the model tells {logits.shape[1]} classes apart, a validation image has the label {labels.max()}: "
            "use `labels: model`, or images of the model's own classes"
        )
