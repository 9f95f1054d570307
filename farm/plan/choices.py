"""What a grid's choices mean to a plan: their files, and of a model its identity and preprocessing. Pure.

Files are located, and models from elsewhere described, by the caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from farm.catalog.datasets import DatasetFrom
from farm.catalog.models import Factory, File
from farm.errors import InputError
from farm.grid import Choice, Grid, Model
from farm.grid.choice import Loaded
from farm.inputs import Input
from farm.spec import Catalog, InputSpec, Preprocessing

Locate = Callable[[InputSpec, Mapping[str, Any], Mapping[str, str]], Input | None]
Describe = Callable[[str, Mapping[str, Any], Input | None], Mapping[str, Any]]

PREPROCESSING = tuple(Preprocessing.__dataclass_fields__)
NORMALISATION = ("mean", "std", "scale")
RAW_PIXELS = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "scale": 1.0}
UNKNOWN = Preprocessing(size=(32, 32))  # of a dataset that is in no table: pixels in [0, 1]


def plain(choice: Loaded) -> dict[str, Any]:
    """A choice's parameters without those that only say where a file lies: its content is in the key."""
    located = {spec.parameter for spec in choice.spec.inputs if not spec.code} | {"sha256"}
    return {key: value for key, value in choice.parameters if key not in located}


@dataclass(slots=True, kw_only=True)
class Subjects:
    """Everything asked once for each choice: a label stands for one choice."""

    grid: Grid
    catalog: Catalog
    locate: Locate
    describe: Describe
    memo: dict[tuple[str, str], Any] = field(default_factory=dict)

    def files(self, axis: str, choice: Loaded) -> dict[str, Input]:
        """Located files by role, of a calibration set or a dataset."""
        found: dict[str, Input] = self._once(axis, choice, lambda: self._located(choice, dict(choice.parameters)))
        return found

    @property
    def dataset(self) -> str:
        """The dataset's name in the tables; empty of a user's own, whose name means nothing."""
        return "" if isinstance(self.grid.dataset.parameters, DatasetFrom) else self.grid.dataset.name

    def model_files(self, model: Model) -> dict[str, Input]:
        """Located files by role; torchvision's weights by the address that their name stands for."""
        url = self._described(model).get("url")
        parameters = dict(model.parameters) | ({"weights": url} if url else {})
        found: dict[str, Input] = self._once("model files", model, lambda: self._located(model, parameters))
        return found

    def metric_files(self) -> dict[str, Input]:
        """The user's own metric; nothing for a built-in one."""
        if ":" not in self.grid.metric:
            return {}
        found = self.locate(InputSpec(role="metric", parameter="metric", code=True), {"metric": self.grid.metric}, {})
        return {"metric": found} if found else {}

    def identity(self, model: Model) -> dict[str, Any]:
        """What builds the network: a name of the zoo or of torchvision, a user's factory, or a file's format."""
        said = {key: value for key, value in plain(model).items() if key not in PREPROCESSING}
        if isinstance(model.parameters, File):
            return {"format": model.parameters.path.rpartition(".")[2].lower(), **said}
        return said if isinstance(model.parameters, Factory) else {"name": model.name, **said}

    def preprocessing(self, model: Model) -> dict[str, Any]:
        """The user's own words first, then what the model says, then what its dataset is known by."""
        found: dict[str, Any] = self._once("preprocessing", model, lambda: self._prepared(model))
        return found

    def fit(self, model: Model) -> dict[str, Any] | None:
        """How real images of any size are made to fit the model; None if they must have its size."""
        how = self.preprocessing(model)
        return {key: how[key] for key in ("resize", "size", "interpolation")} if how["resize"] else None

    def _prepared(self, model: Model) -> dict[str, Any]:
        said = {key: value for key, value in model.parameters if key in PREPROCESSING and value is not None}
        words = self._described(model).items()
        described = {k: tuple(v) if isinstance(v, list) else v for k, v in words if k in PREPROCESSING}
        known = asdict(self.catalog.preprocessing.get(self.dataset, UNKNOWN))
        if described.get("input") == "u8":
            contradicted = [key for key in NORMALISATION if key in said]
            if contradicted:
                text = f"takes raw uint8 pixels, so its preprocessing is inside: leave out {', '.join(contradicted)}"
                raise InputError(f"model {model.label}: {text}")
            known |= RAW_PIXELS
        if "size" in said and "resize" not in said:
            described.pop("resize", None)
        return {**known, **described, **said}

    def _described(self, model: Model) -> Mapping[str, Any]:
        def ask() -> Mapping[str, Any]:
            parameters = dict(model.parameters)
            found = self._located(model, parameters).get("model") if isinstance(model.parameters, File) else None
            return self.describe(model.name, parameters, found)

        said: Mapping[str, Any] = self._once("described", model, ask)
        return said

    def _located(self, choice: Loaded, parameters: Mapping[str, Any]) -> dict[str, Input]:
        names = {"name": choice.name, "dataset": self.dataset}
        found = (self.locate(spec, parameters, names) for spec in choice.spec.inputs)
        return {each.role: each for each in found if each is not None}

    def _once(self, what: str, choice: Choice, make: Callable[[], Any]) -> Any:
        key = (what, choice.label)
        if key not in self.memo:
            self.memo[key] = make()
        return self.memo[key]
