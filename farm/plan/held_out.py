"""The images that an algorithm is validated on, where they are not the calibration's. Pure."""

from farm.catalog.algorithms import AccuracyAware
from farm.catalog.sources import Real
from farm.grid.choice import Algorithm, Calibration
from farm.grid.label import Label
from farm.plan.choices import Choices

TRAIN = "train"
COUNT = 1000  # images, where the algorithm does not say how many


def on_train(algorithm: Algorithm) -> bool:
    """Whether an algorithm is to be validated on the dataset's train split."""
    return isinstance(algorithm.parameters, AccuracyAware) and algorithm.parameters.validate_on == TRAIN


def train_images(algorithm: Algorithm, calibration: Calibration, choices: Choices) -> Calibration | None:
    """Images of the dataset's train split that are not the calibration's; None if it has no such split.

    A calibration set sampled from the same split, by its name or by a file of the same content, is the start of
    one sample that this set goes on with.
    """
    name = choices.dataset
    train = choices.catalog.sources.get(name)
    if train is None or any(field.is_required() for field in train.parameters.model_fields.values()):
        return None
    whole = Calibration(name=name, label=Label(name), spec=train, parameters=Real())
    start = _start(calibration, whole, choices)
    wanted = algorithm.parameters.validate_count if isinstance(algorithm.parameters, AccuracyAware) else None
    count, skip = wanted or COUNT, start.skip + start.count if start else 0
    parameters = Real(count=count, skip=skip, seed=start.seed if start else Real().seed)
    label = f"{name} to validate on: validate_count {count}, after {skip} to calibrate on, seed {parameters.seed}"
    return Calibration(name=name, label=Label(label), spec=train, parameters=parameters)


def _start(calibration: Calibration, whole: Calibration, choices: Choices) -> Real | None:
    """What the calibration takes of the same images; None if it takes others."""
    if not isinstance(calibration.parameters, Real):
        return None
    ours, theirs = (choices.files("calibrations", choice).get("images") for choice in (calibration, whole))
    one_file = bool(ours and theirs and ours.sha256 and ours.sha256 == theirs.sha256)
    return calibration.parameters if one_file or calibration.spec is whole.spec else None
