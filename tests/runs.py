"""Runs by hand: cells of one model, with what they predicted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from farm.grid.settings import Claims
from farm.record import Record
from farm.results.folder import Folder
from farm.results.reading import Predicted, Run

N, CLASSES = 1000, 10
LABELS = np.arange(N) % CLASSES


def record(calibration: str | None = None, *, seed: int = 0, model: str = "resnet20", **changes: Any) -> Record:
    """An int8 cell of this calibration source, or the FP32 IR; with whatever else is told."""
    label = f"{calibration}{{seed={seed}}}" if seed else calibration
    algorithm = changes.pop("algorithm", "default" if calibration else "ir")
    device = changes.pop("device", "CPU")
    said = {
        "grid": "small", "cell": f"{model}/{label or '-'}/{algorithm}/{device}", "model": model, "calibration": label,
        "calibration_source": calibration, "calibration_seed": seed if calibration else None, "algorithm": algorithm,
        "device": device, "runtime": "openvino", "outcome": "ok", "metric": "top1", "top1": 0.9, "score": 0.9,
    }  # fmt: skip
    return Record(**said | changes)


def predicted(wrong: Sequence[int] = ()) -> Predicted:
    """What a variant said of 1,000 images of 10 classes: all right but for these."""
    prediction = LABELS.copy()
    prediction[list(wrong)] = (LABELS[list(wrong)] + 1) % CLASSES
    return Predicted(label=LABELS, prediction=prediction, score=(prediction == LABELS).astype(np.float32))


def run(wrong: Mapping[Record, Sequence[int]], *, reference: str | None = "real", margin: float = 0.005) -> Run:
    """A run of these cells, each with the images that it gets wrong, and the top-1 that follows."""
    found = {cell: predicted(images) for cell, images in wrong.items()}
    fp32 = {cell.model: len(images) / N for cell, images in wrong.items() if cell.algorithm == "ir"}
    records = [told(cell, 1 - len(images) / N, fp32.get(cell.model)) for cell, images in wrong.items()]
    return Run(
        name="small",
        folder=Folder("memory://small"),
        records=tuple(records),
        claims=Claims(reference=reference, margin=margin),
        predictions={cell.cell: said for cell, said in found.items()},
    )


def by(found: Run, metric: str) -> Run:
    """The same run, had its grid this metric: of the user's own, the score of an image is whether it is right."""
    top1 = {"top1": None, "top1_drop": None} if ":" in metric else {}
    return replace(found, records=tuple(replace(each, metric=metric, **top1) for each in found.records))


def told(cell: Record, top1: float, fp32_wrong: float | None) -> Record:
    """A record that knows its accuracy."""
    drop = None if fp32_wrong is None else 1 - fp32_wrong - top1
    return replace(cell, top1=top1, score=top1, top1_drop=drop, score_drop=drop, n_images=N)
