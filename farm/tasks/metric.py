"""Scores: how right a model is about each image. Knows logits and labels, not models."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from farm.errors import DataError
from farm.spec import resolve

TOP5 = 5

Logits = NDArray[np.float32]  # (n, classes)
Labels = NDArray[np.int64]  # (n,)
Scores = NDArray[np.float32]  # (n,)
Scorer = Callable[[Logits, Labels], Scores]


def scorer(metric: str) -> Scorer:
    """A metric by its name: ``top1``, ``top5``, or ``package.module:function`` of the user's own.

    A scorer gives a score for each image; the metric of a set is their mean. Raises InputError if there is no such
    function. The scorer raises DataError where the metric gives no numbers or another number of them, and what the
    metric raises; see `check_finite` for NaN.
    """
    if metric in BUILT_IN:
        return BUILT_IN[metric]
    function = resolve(metric)

    def score(logits: Logits, labels: Labels) -> Scores:
        returned = function(logits, labels)
        try:
            scores = np.asarray(returned, np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(f"the metric {metric!r} must give numbers, one for each image ({error})") from error
        if scores.shape != (len(labels),):
            text = f"must give one score for each image, so {(len(labels),)} of them, not {scores.shape}"
            raise DataError(f"the metric {metric!r} {text}")
        return scores

    return score


def top1(logits: Logits, labels: Labels) -> Scores:
    """1 where the greatest logit is the label's, else 0."""
    return (logits.argmax(axis=1) == labels).astype(np.float32)


def top5(logits: Logits, labels: Labels) -> Scores:
    """1 where the label is among the five greatest logits, else 0. Raises DataError for five classes or fewer."""
    if logits.shape[1] <= TOP5:
        raise DataError(f"top5 of {logits.shape[1]} classes is always right: use `metric: top1`")
    best = np.argpartition(logits, -TOP5, axis=1)[:, -TOP5:]
    return (best == labels[:, None]).any(axis=1).astype(np.float32)


BUILT_IN: Mapping[str, Scorer] = {"top1": top1, "top5": top5}


def is_share(metric: str | None) -> bool:
    """Whether a metric is the share of images that are right. None is top-1, of results older than metrics."""
    return metric is None or metric in BUILT_IN


def check_finite(scores: Scores, indices: Sequence[int] | NDArray[np.int64]) -> None:
    """Raise DataError, naming the image, where a score is NaN or infinite. indices: the images' own, (n,)."""
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise DataError(f"the metric gives {scores[bad[0]]} for image {indices[int(bad[0])]}")
