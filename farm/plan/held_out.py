"""The images that an algorithm is validated on, where they are not the calibration's. Pure."""

from collections.abc import Mapping
from typing import Any

from farm.grid import Choice
from farm.plan.choices import Subjects

TRAIN = "train"
COUNT = 1000  # images, where the algorithm does not say how many


def on_train(algorithm: Choice) -> bool:
    """Whether an algorithm is to be validated on the dataset's train split."""
    return algorithm.parameters.get("validate_on") == TRAIN


def train_images(algorithm: Choice, calibration: Choice, subjects: Subjects) -> Choice | None:
    """Images of the dataset's train split that are not the calibration's; None if it has no such split.

    A calibration set drawn from the same split, by its name or by a file of the same content, is the start of
    one drawing that this set goes on with.
    """
    train = subjects.catalog.sources.get(subjects.dataset)
    if train is None or any(each.is_required() for each in train.parameters.model_fields.values()):
        return None
    name = subjects.dataset
    whole = Choice(name=name, label=name, spec=train, parameters=train.parameters().model_dump())
    own: Mapping[str, Any] = calibration.parameters if _same_images(calibration, whole, subjects) else {}
    count = algorithm.parameters.get("validate_count") or COUNT
    skip = own["skip"] + own["count"] if own else 0
    seed = own.get("seed", whole.parameters["seed"])
    label = f"{name} to validate on: validate_count {count}, after {skip} to calibrate on, seed {seed}"
    parameters = {**whole.parameters, "count": count, "skip": skip, "seed": seed}
    return Choice(name=name, label=label, spec=train, parameters=parameters)


def _same_images(calibration: Choice, whole: Choice, subjects: Subjects) -> bool:
    if calibration.spec is whole.spec:
        return True
    ours, theirs = (subjects.files("calibrations", each).get("images") for each in (calibration, whole))
    return bool(ours and theirs and ours.sha256 and ours.sha256 == theirs.sha256)
