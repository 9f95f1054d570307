"""What is implausible of an FP32 model's answers, or of what goes into it: told beside its row. Pure."""

import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from farm.axes import Preprocessing

LIKELY = 0.05  # that guessing is as often right: then a model is no better
LEAST_IMAGES = 30  # fewer tell too little

Doubts = Mapping[str, float | tuple[float, float]]


def doubts(how: Preprocessing, prediction: NDArray[np.int32], label: NDArray[np.int32], *, classes: bool) -> Doubts:
    """What is odd, by its name, each with a figure.

    how: the model's preprocessing. prediction, label: classes of the test images, (n,). classes: whether these are what
    predictions are right about; a metric of the user's own may mean something else.

    - ``input_range``: the least and the greatest input that pixels of 0 and 255 become.
    - ``one_class``: which one is predicted of all images, though they have several.
    - ``at_chance``: of how many classes guessing is right as often (one-sided binomial test at 5 %).
    """
    from scipy.special import bdtr  # noqa: PLC0415 - 0.2 s that planning need not pay

    found: dict[str, float | tuple[float, float]] = {}
    if how.is_odd:
        found["input_range"] = how.input_range
    there = len(np.unique(label))
    if not classes or there < 2:  # noqa: PLR2004 - what one class says of a model is nothing
        return found
    right, count = int((prediction == label).sum()), len(label)
    if len(np.unique(prediction)) == 1:
        found["one_class"] = int(prediction[0])
    elif count >= LEAST_IMAGES and (right == 0 or 1 - bdtr(right - 1, count, 1 / there) > LIKELY):
        found["at_chance"] = there
    return found


def of_detector(how: Preprocessing, *, nothing: bool) -> Doubts:
    """The same of a detector. nothing: whether it finds nothing in any image, which is the doubt ``nothing_found``.

    Its input may be raw pixels, which many detectors are trained on.
    """
    found: dict[str, float | tuple[float, float]] = {"input_range": how.input_range} if how.is_odd else {}
    return {**found, "nothing_found": 0.0} if nothing else found


def written(found: Doubts) -> str | None:
    """As a column keeps them: JSON; None if there are none."""
    return json.dumps(found, sort_keys=True) if found else None
