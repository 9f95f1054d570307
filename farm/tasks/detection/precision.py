"""Average precision from matches, of all images or of many samples of them at once. Pure.

As COCO's reference implementation accumulates it: precision made monotone, read off at 101 recalls, the mean over
overlaps and over the classes of which there are objects. An image that a sample has twice counts twice; which of its
detections comes first makes no difference, for precision is read off where recall has been reached.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RECALLS = np.linspace(0.0, 1.0, 101)
AT_ONCE = 1 << 22  # numbers held together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matches:
    """The detections and objects of n images, of one range of areas.

    image, category, score: (d,), of each detection. matched, ignored: uint16 (d,), as of
    `farm.tasks.detection.matching.Judgement`. truth_image, truth_category: (g,), of each object that is to be found.
    """

    n: int
    image: NDArray[np.int64]
    category: NDArray[np.int64]
    score: NDArray[np.float64]
    matched: NDArray[np.uint16]
    ignored: NDArray[np.uint16]
    truth_image: NDArray[np.int64]
    truth_category: NDArray[np.int64]

    @property
    def categories(self) -> NDArray[np.int64]:
        """The classes of which there are objects, in order: (c,)."""
        return np.unique(self.truth_category)


def average_precision(matches: Matches, overlaps: int, weights: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Of each class of `Matches.categories` at each of the first `overlaps` overlaps: float64 (b, c, overlaps).

    weights: int64 (b, n), how often each of b samples has an image; None for all images once, b of 1. NaN of a class of
    which a sample has no object.
    """
    weights = np.ones((1, matches.n), np.int64) if weights is None else weights
    found = np.empty((len(weights), len(matches.categories), overlaps))
    for place, category in enumerate(matches.categories.tolist()):
        of_class = np.flatnonzero(matches.category == category)
        order = of_class[np.argsort(-matches.score[of_class], kind="stable")]
        objects = matches.truth_image[matches.truth_category == category]
        for start, stop in _parts(len(weights), max(1, len(order))):
            sampled = weights[start:stop].astype(np.int32)
            there, counted = sampled[:, objects].sum(axis=1), sampled[:, matches.image[order]]
            for overlap in range(overlaps):
                bit = np.uint16(1 << overlap)
                matched, ignored = (flags[order] & bit > 0 for flags in (matches.matched, matches.ignored))
                right, wrong = counted * (matched & ~ignored), counted * (~matched & ~ignored)
                found[start:stop, place, overlap] = _areas(right, wrong, there)
    return found


def mean_over_classes(precisions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over overlaps and classes of (b, c, overlaps): (b,); NaN of a sample without any object."""
    there = ~np.isnan(precisions)
    sums, counts = np.where(there, precisions, 0.0).sum(axis=(1, 2)), there.sum(axis=(1, 2))
    return np.divide(sums, counts, out=np.full(len(precisions), np.nan), where=counts > 0)


def _areas(right: NDArray[np.int32], wrong: NDArray[np.int32], there: NDArray[np.int64]) -> NDArray[np.float64]:
    """The average precision of each sample, (b,). right, wrong: (b, d), best first. there: (b,), objects."""
    if not right.shape[1]:
        return np.where(there > 0, 0.0, np.nan)
    rights, wrongs = right.cumsum(axis=1, dtype=np.int32), wrong.cumsum(axis=1, dtype=np.int32)
    precision = rights / (rights + wrongs + np.spacing(1))
    best_after = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = rights / np.maximum(there, 1)[:, None]
    reached = np.searchsorted(RECALLS, recall, side="right")  # how many of the recalls are read off there, or before
    new = np.diff(reached, axis=1, prepend=0)
    areas = (new * best_after).sum(axis=1) / len(RECALLS)
    return np.where(there > 0, areas, np.nan)


def _parts(samples: int, detections: int) -> Iterator[tuple[int, int]]:
    step = max(1, AT_ONCE // detections)
    for start in range(0, samples, step):
        yield start, min(start + step, samples)
