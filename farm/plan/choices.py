"""What a grid's choices mean to a plan: their files, and of a model what builds it and its preprocessing. Pure.

Files are located, and models from elsewhere described, by the caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TypeVar, TypeVarTuple, cast

from farm import axes
from farm.axes import GREY, Fit, Preprocessing
from farm.catalog.algorithms import AccuracyAware
from farm.catalog.datasets import RULE, DatasetFrom
from farm.catalog.models import Factory, File
from farm.catalog.sources import Real, RealFrom
from farm.catalog.tasks import CLASSIFICATION
from farm.codec import decode
from farm.errors import InputError
from farm.grid.cell import Grid
from farm.grid.choice import Calibration, Dataset, Loaded, Model
from farm.grid.label import Label
from farm.inputs import Input
from farm.spec import Catalog, InputSpec

Locate = Callable[[InputSpec, Mapping[str, object], Mapping[str, str]], Input | None]
Describe = Callable[[str, Mapping[str, object], Input | None], Mapping[str, object]]
Ts = TypeVarTuple("Ts")
R = TypeVar("R")

RGB = "rgb"  # as a grid says it
PREPROCESSING = tuple(Preprocessing.__dataclass_fields__)
RAW_PIXELS = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "scale": 1.0}
OPENVINO = {"mean_values": "mean", "scale_values": "std"}  # what its tools call them, of pixels from 0 to 255
NOT_BUILT = (*PREPROCESSING, *OPENVINO, "position", "decode", "label_offset")  # what a model says beside its network
UNKNOWN = Preprocessing(size=(32, 32))  # of a dataset that is in no table: pixels in [0, 1]
LATER = ("classes", "labels", "split", "inputs")  # parameters that an older farm had not: unsaid they change no key
HELD_OUT = 1000  # images to validate on, where the algorithm does not say how many


def options(choice: Loaded) -> dict[str, object]:
    """A choice's parameters without those that only say where a file lies: its content is in the key."""
    located = {spec.parameter for spec in choice.spec.inputs if not spec.code} | {"sha256"}
    said = ((name, value) for name, value in choice.parameters if value is not None or name not in LATER)
    return {name: value for name, value in said if name not in located or isinstance(value, tuple)}


def images(choice: Dataset | Calibration, fit: Fit | None, **changes: object) -> axes.Images:
    """A dataset or a source with its options, some of them changed."""
    name = "factory" if isinstance(choice.parameters, (DatasetFrom, RealFrom)) else choice.name
    return axes.Images(name=name, options=options(choice) | changes, fit=fit)


@dataclass(slots=True, kw_only=True)
class Choices:
    """A grid's choices, and what was made of them, each once."""

    grid: Grid
    catalog: Catalog
    locate: Locate
    describe: Describe
    memo: dict[tuple[object, ...], object] = field(default_factory=dict)

    def once(self, make: Callable[[*Ts], R], *arguments: *Ts) -> R:
        """`make(*arguments)`, made once for the same maker and arguments, so that 100,000 cells plan in seconds."""
        call = (make, *arguments)
        if call not in self.memo:
            self.memo[call] = make(*arguments)
        return cast("R", self.memo[call])

    @property
    def dataset(self) -> str:
        """The dataset's name in the tables; empty of a user's own, whose name means nothing."""
        return "" if isinstance(self.grid.dataset.parameters, DatasetFrom) else self.grid.dataset.name

    def files(self, choice: Loaded) -> dict[str, Input]:
        """Located files by role."""
        return self.once(self._located, choice, "")

    def model_files(self, model: Model) -> dict[str, Input]:
        """Located files by role; torchvision's weights by the address that their name stands for."""
        url = self.once(self._described, model).get("url")
        return self.once(self._located, model, str(url)) if url else self.files(model)

    def test_images(self, model: Model) -> axes.Images:
        """The dataset, made to fit the model."""
        chosen, part = images(self.grid.dataset, self.fit(model)), self.grid.dataset.parameters.count is not None
        return replace(chosen, rule=RULE if part else None)

    def metric_files(self) -> dict[str, Input]:
        """The user's own metric; nothing for a built-in one."""
        return self._code("metric", self.grid.metric)

    def _code(self, role: str, name: str) -> dict[str, Input]:
        if ":" not in name:
            return {}
        code = self.locate(InputSpec(role=role, parameter=role, code=True), {role: name}, {})
        return {role: code} if code else {}

    def model(self, choice: Model) -> axes.Model:
        """What builds the network."""
        rest = {name: value for name, value in options(choice).items() if name not in NOT_BUILT}
        if isinstance(choice.parameters, File):
            return axes.Model(format=choice.parameters.path.rpartition(".")[2].lower(), options=rest)
        if isinstance(choice.parameters, Factory):
            return axes.Model(factory=str(rest.pop("factory")), options=rest)
        return axes.Model(name=choice.name, options=rest)

    def preprocessing(self, model: Model) -> Preprocessing:
        """The user's own words first, then what the model says, then what its dataset is known by."""
        return self.once(self._prepared, model)

    def is_quantized(self, model: Model) -> bool:
        """Whether a model file is quantized as it comes."""
        return bool(self.once(self._described, model).get("quantized"))

    def fit(self, model: Model) -> Fit | None:
        """How real images of any size are made to fit the model; None if they must have its size."""
        how = self.preprocessing(model)
        if how.resize is None and how.whole is None:
            return None
        return Fit(
            resize=how.resize, size=how.size, interpolation=how.interpolation, whole=how.whole, pad=how.pad,
            corner=how.corner,
        )  # fmt: skip

    def task(self, model: Model) -> axes.Task | None:
        """What the model is for, with what it says of its outputs; None for classification."""
        task = self.grid.task
        if task.name == CLASSIFICATION:
            return None
        said = {"decode": model.parameters.decode, "label_offset": model.parameters.label_offset}
        return axes.Task(name=task.name, options={**dict(task.parameters), **said})

    def decode_files(self, model: Model) -> dict[str, Input]:
        """The user's own function that makes boxes of its outputs; nothing for a head that farm knows."""
        return self._code("decode", model.parameters.decode or "")

    def held_out(self, algorithm: AccuracyAware, calibration: Calibration) -> Calibration | None:
        """Images of the dataset's train split that are not the calibration's; None if it has no such split.

        A calibration set sampled from the same split, by its name or by a file of the same content, is the start of
        one sample that this set goes on with.
        """
        name = self.dataset
        train = self.catalog.sources.get(name)
        if train is None or any(field.is_required() for field in train.parameters.model_fields.values()):
            return None
        whole = Calibration(name=name, label=Label(name), spec=train, parameters=Real())
        start, skip, seed = calibration.parameters, 0, Real().seed
        if isinstance(start, Real) and self._is_of(calibration, whole):
            skip, seed = start.skip + start.count, start.seed
        count = algorithm.validate_count or HELD_OUT
        label = f"{name} to validate on: validate_count {count}, after {skip} to calibrate on, seed {seed}"
        parameters = Real(count=count, skip=skip, seed=seed, classes=self.grid.dataset.parameters.classes)
        return Calibration(name=name, label=Label(label), spec=train, parameters=parameters)

    def _is_of(self, calibration: Calibration, whole: Calibration) -> bool:
        ours, theirs = (self.files(choice).get("images") for choice in (calibration, whole))
        one_file = bool(ours and theirs and ours.sha256 and ours.sha256 == theirs.sha256)
        return one_file or calibration.spec is whole.spec

    def _prepared(self, model: Model) -> Preprocessing:
        given = _fitted({name: value for name, value in model.parameters if value is not None})
        described = {name: value for name, value in self.once(self._described, model).items() if name in PREPROCESSING}
        usual = asdict(self.catalog.preprocessing.get(self.dataset, UNKNOWN))
        if described.get("input") == "u8":
            contradicted = [name for name in (*RAW_PIXELS, *OPENVINO) if name in given]
            if contradicted:
                text = f"takes raw uint8 pixels, so its preprocessing is inside: leave out {', '.join(contradicted)}"
                raise InputError(f"model {model.label}: {text}")
            usual |= RAW_PIXELS
        if "whole" in given or ("size" in given and "resize" not in given):
            described.pop("resize", None)
        if mixed := _mixed(given):
            raise InputError(f"model {model.label}: {mixed}")
        how = decode(Preprocessing, {**usual, **described, **_of_pixels(given)})
        if how.resize is not None and how.resize < min(how.size):
            height, width = how.size
            text = f"`resize: {how.resize}` is less than `size` ({height}x{width}), which would add a black border"
            raise InputError(f"model {model.label}: {text}")
        return _in_mode(how, model, given)

    def _described(self, model: Model) -> Mapping[str, object]:
        file = self.files(model).get("model") if isinstance(model.parameters, File) else None
        return self.describe(model.name, dict(model.parameters), file)

    def _located(self, choice: Loaded, weights: str) -> dict[str, Input]:
        """weights: an address instead of what the parameter says; empty for none."""
        parameters = dict(choice.parameters) | ({"weights": weights} if weights else {})
        names = {"name": choice.name, "dataset": self.dataset}
        inputs = (self.locate(spec, parameters, names) for spec in choice.spec.inputs)
        return {file.role: file for file in inputs if file is not None}


def _fitted(given: dict[str, object]) -> dict[str, object]:
    """The grid's `resize` and `position` as preprocessing has them."""
    if isinstance(given.get("resize"), str):
        given["whole"] = given.pop("resize")
    if "position" in given:
        given["corner"] = given.pop("position") == "corner"
    return given


def _in_mode(how: Preprocessing, model: Model, given: Mapping[str, object]) -> Preprocessing:
    """With RGB as no mode; of a grey model without what is known of colours. Raises InputError where that is given."""
    if how.mode != GREY:
        return replace(how, mode=None) if how.mode == RGB else how
    coloured = {name for name in ("mean", "std") if len(set(getattr(how, name))) > 1}
    if wrong := [name for name in given if OPENVINO.get(name, name) in coloured]:
        raise InputError(f"model {model.label}: a grey image has one channel: give one number as its `{wrong[0]}`")
    return replace(how, mean=UNKNOWN.mean, std=UNKNOWN.std) if coloured else how


def _mixed(given: Mapping[str, object]) -> str:
    """Why mean and deviation cannot be of the same pixels; empty if they can."""
    means, deviations = (cast("tuple[float, ...]", given.get(name, ())) for name in ("mean", "std"))
    if "scale" in given or not any(means) or not deviations or set(deviations) == {1.0}:
        return ""
    if any(mean > 1 for mean in means) == any(deviation > 1 for deviation in deviations):
        return ""
    return "`mean` and `std` are of other pixels, one from 0 to 1, one from 0 to 255: say both alike, or `scale` too"


def _of_pixels(given: Mapping[str, object]) -> dict[str, object]:
    """The grid's words as mean, std and scale.

    OpenVINO's tools say them of pixels from 0 to 255, as does who gives means or deviations above 1 and no scale: then
    one that is not given changes nothing, whatever the dataset is known by.
    """
    words = {OPENVINO.get(name, name): value for name, value in given.items()}
    values = [value for name in ("mean", "std") for value in cast("tuple[float, ...]", words.get(name, ()))]
    of_255 = given.keys() & OPENVINO.keys() or ("scale" not in given and any(value > 1 for value in values))
    return {**RAW_PIXELS, **words} if of_255 else words
