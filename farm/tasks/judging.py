"""What classifiers' answers are worth by the grid's metric. Knows answers, no models."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.stats.judged import LEAST_IMAGES, Judged, Right, Scored
from farm.tasks.metric import BUILT_IN


def judged(metric: str | None, labels: NDArray[Any], predictions: NDArray[Any], scores: NDArray[Any]) -> Judged | None:
    """What a model's answers are worth by a metric; None where they say nothing: scores of few images.

    metric: None of results that are older than metrics, which is top-1. labels, predictions, scores: (n,).
    """
    if not len(labels):
        return None
    if metric in (None, "top1"):
        return Right(predictions == labels)
    if metric in BUILT_IN:
        return Right(scores > 0)
    return Scored(np.asarray(scores, np.float64)) if len(scores) >= LEAST_IMAGES else None
