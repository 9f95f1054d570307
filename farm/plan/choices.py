"""What a grid's choices mean to a plan: their files, and of a model what builds it and its preprocessing. Pure.

Files are located, and models from elsewhere described, by the caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from farm import axes
from farm.axes import Fit, Preprocessing
from farm.catalog.datasets import DatasetFrom
from farm.catalog.models import Factory, File
from farm.catalog.sources import RealFrom
from farm.errors import InputError
from farm.grid.cell import Grid
from farm.grid.choice import Calibration, Choice, Dataset, Loaded, Model
from farm.inputs import Input
from farm.spec import Catalog, InputSpec

Locate = Callable[[InputSpec, Mapping[str, Any], Mapping[str, str]], Input | None]
Describe = Callable[[str, Mapping[str, Any], Input | None], Mapping[str, Any]]

PREPROCESSING = tuple(Preprocessing.__dataclass_fields__)
NORMALISATION = ("mean", "std", "scale")
RAW_PIXELS = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "scale": 1.0}
UNKNOWN = Preprocessing(size=(32, 32))  # of a dataset that is in no table: pixels in [0, 1]


def options(choice: Loaded) -> dict[str, Any]:
    """A choice's parameters without those that only say where a file lies: its content is in the key."""
    located = {spec.parameter for spec in choice.spec.inputs if not spec.code} | {"sha256"}
    return {name: value for name, value in choice.parameters if name not in located}


def images(choice: Dataset | Calibration, fit: Fit | None, **changes: Any) -> axes.Images:
    """A dataset or a source with its options, some of them changed."""
    name = "factory" if isinstance(choice.parameters, (DatasetFrom, RealFrom)) else choice.name
    return axes.Images(name=name, options=options(choice) | changes, fit=fit)


@dataclass(slots=True, kw_only=True)
class Choices:
    """A grid's choices, each looked up once: a label stands for one choice."""

    grid: Grid
    catalog: Catalog
    locate: Locate
    describe: Describe
    memo: dict[tuple[str, str], Any] = field(default_factory=dict)

    def files(self, axis: str, choice: Loaded) -> dict[str, Input]:
        """Located files by role, of a calibration set or a dataset."""
        files: dict[str, Input] = self._once(axis, choice, lambda: self._located(choice, dict(choice.parameters)))
        return files

    @property
    def dataset(self) -> str:
        """The dataset's name in the tables; empty of a user's own, whose name means nothing."""
        return "" if isinstance(self.grid.dataset.parameters, DatasetFrom) else self.grid.dataset.name

    def model_files(self, model: Model) -> dict[str, Input]:
        """Located files by role; torchvision's weights by the address that their name stands for."""
        url = self._described(model).get("url")
        parameters = dict(model.parameters) | ({"weights": url} if url else {})
        files: dict[str, Input] = self._once("model files", model, lambda: self._located(model, parameters))
        return files

    def metric_files(self) -> dict[str, Input]:
        """The user's own metric; nothing for a built-in one."""
        if ":" not in self.grid.metric:
            return {}
        code = self.locate(InputSpec(role="metric", parameter="metric", code=True), {"metric": self.grid.metric}, {})
        return {"metric": code} if code else {}

    def model(self, choice: Model) -> axes.Model:
        """What builds the network."""
        rest = {name: value for name, value in options(choice).items() if name not in PREPROCESSING}
        if isinstance(choice.parameters, File):
            return axes.Model(format=choice.parameters.path.rpartition(".")[2].lower(), options=rest)
        if isinstance(choice.parameters, Factory):
            return axes.Model(factory=rest.pop("factory"), options=rest)
        return axes.Model(name=choice.name, options=rest)

    def preprocessing(self, model: Model) -> Preprocessing:
        """The user's own words first, then what the model says, then what its dataset is known by."""
        preprocessing: Preprocessing = self._once("preprocessing", model, lambda: self._prepared(model))
        return preprocessing

    def fit(self, model: Model) -> Fit | None:
        """How real images of any size are made to fit the model; None if they must have its size."""
        how = self.preprocessing(model)
        return Fit(resize=how.resize, size=how.size, interpolation=how.interpolation) if how.resize else None

    def _prepared(self, model: Model) -> Preprocessing:
        given = {name: value for name, value in model.parameters if name in PREPROCESSING and value is not None}
        words = self._described(model).items()
        described = {k: tuple(v) if isinstance(v, list) else v for k, v in words if k in PREPROCESSING}
        usual = asdict(self.catalog.preprocessing.get(self.dataset, UNKNOWN))
        if described.get("input") == "u8":
            contradicted = [name for name in NORMALISATION if name in given]
            if contradicted:
                text = f"takes raw uint8 pixels, so its preprocessing is inside: leave out {', '.join(contradicted)}"
                raise InputError(f"model {model.label}: {text}")
            usual |= RAW_PIXELS
        if "size" in given and "resize" not in given:
            described.pop("resize", None)
        return Preprocessing(**{**usual, **described, **given})

    def _described(self, model: Model) -> Mapping[str, Any]:
        def ask() -> Mapping[str, Any]:
            parameters = dict(model.parameters)
            file = self._located(model, parameters).get("model") if isinstance(model.parameters, File) else None
            return self.describe(model.name, parameters, file)

        description: Mapping[str, Any] = self._once("described", model, ask)
        return description

    def _located(self, choice: Loaded, parameters: Mapping[str, Any]) -> dict[str, Input]:
        names = {"name": choice.name, "dataset": self.dataset}
        inputs = (self.locate(spec, parameters, names) for spec in choice.spec.inputs)
        return {file.role: file for file in inputs if file is not None}

    def _once(self, what: str, choice: Choice, make: Callable[[], Any]) -> Any:
        key = (what, choice.label)
        if key not in self.memo:
            self.memo[key] = make()
        return self.memo[key]
