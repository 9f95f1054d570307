"""What a model finds in an image, and how that stands against what is there. Knows no models and no rules."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 100  # detections of an image that count by COCO's rules, those with the greatest scores
OVERLAPS = np.linspace(0.5, 0.95, 10)  # intersection over union, from which on a detection is of an object
AREAS = ("all", "small", "medium", "large")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a model found in an image. corners: float64 (k, 4), in the image's pixels. classes: int64 (k,).

    scores: float64 (k,), from 0 to 1.
    """

    corners: NDArray[np.float64]
    classes: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """How what was found in an image (k detections) stands against what is there (g objects).

    matched, ignored: uint16 (4, k), by `AREAS`; bit t: whether a detection is of an object, or counts neither as right
    nor as wrong, at ``OVERLAPS[t]``. counted: bool (4, g): which objects are to be found.
    """

    matched: NDArray[np.uint16]
    ignored: NDArray[np.uint16]
    counted: NDArray[np.bool_]
