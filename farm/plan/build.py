"""Cells -> stages, each built once. Pure: files are located by the caller."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from farm.grid import Cell, Choice, Grid
from farm.inputs import Input
from farm.plan.stage import Plan, Planned, Stage, digest, key_with_inputs
from farm.spec import Catalog, Preprocessing, Wanted

Locate = Callable[[Wanted, Mapping[str, Any], Mapping[str, str]], Input | None]
VersionOf = Callable[[str], str]

RUNTIME_LIBRARIES = {"openvino": ("openvino",), "pytorch": ("torch",)}
REFERENCE_PRECISION = "f32"


def build(grid: Grid, cells: tuple[Cell, ...], catalog: Catalog, locate: Locate, version_of: VersionOf) -> Plan:
    """The plan of a grid's cells. Two cells share every stage that they have in common."""
    builder = _Builder(grid=grid, catalog=catalog, locate=locate, version_of=version_of)
    planned = tuple(Planned(cell=cell, stages=builder.cell(cell)) for cell in cells)
    return Plan(grid=grid.name, dataset=grid.dataset.label, stages=builder.stages, cells=planned)


def runtime_of(cell: Cell) -> str:
    """What runs a cell: ``pytorch`` for that baseline, ``openvino`` for all else."""
    return "pytorch" if cell.calibration is None and cell.algorithm.name == "pytorch" else "openvino"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """A stage but for its inputs: the same for all cells of, say, one model and device. digest: for the key."""

    kind: str
    parameters: Mapping[str, Any]
    files: Mapping[str, Input]
    libraries: Mapping[str, str]
    digest: str


@dataclass(slots=True, kw_only=True)
class _Builder:
    """Builds each stage once. Memoised by what a stage depends on, so that 100,000 cells plan in seconds."""

    grid: Grid
    catalog: Catalog
    locate: Locate
    version_of: VersionOf
    stages: dict[str, Stage] = field(default_factory=dict)
    memo: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def cell(self, cell: Cell) -> dict[str, str]:
        export = self.once(self.export, cell.model)
        reference = self.once(self.evaluate, cell.model, cell.device, None, export, REFERENCE_PRECISION)
        precision = cell.device.parameters["precision"]
        roles = {"export": export, "reference": reference}
        if cell.calibration is None:
            runtime = runtime_of(cell)
            variant = None if runtime == "pytorch" else export
            roles["evaluate"] = self.once(self.evaluate, cell.model, cell.device, None, variant, precision)
        else:
            size = self.preprocessing(cell.model)["size"]
            variant = roles["calibration"] = self.once(self.synthesize, cell.calibration, size)
            variant = roles["quantize"] = self.once(self.quantize, cell.model, cell.algorithm, export, variant)
            roles["evaluate"] = self.once(self.evaluate, cell.model, cell.device, cell, variant, precision)
        roles["measure"] = self.once(self.measure, cell.model, cell.device, cell, variant, export)
        return roles

    def once(self, make: Callable[..., Any], *arguments: Any) -> Any:
        """`make(*arguments)`, computed once for arguments that mean the same: a label stands for one choice."""
        meant = tuple(a.label if isinstance(a, Choice) else None if isinstance(a, Cell) else a for a in arguments)
        known = self.memo.get((make.__name__, *meant))
        if known is None:
            known = self.memo[make.__name__, *meant] = make(*arguments)
        return known

    def synthesize(self, calibration: Choice, size: tuple[int, int]) -> str:
        parameters = self.plain(calibration)
        if "size" in parameters:
            parameters["size"] = parameters["size"] or size
        parameters = {"source": calibration.name, **parameters}
        files = self.files(calibration, calibration.name)
        recipe = self.recipe("synthesize", parameters, files, calibration.spec.libraries)
        return self.add(recipe, calibration.label, {})

    def export(self, model: Choice) -> str:
        parameters = {"model": self.identity(model), "size": self.preprocessing(model)["size"]}
        return self.add(self.recipe("export", parameters, self.model_files(model)), model.label, {})

    def quantize(self, model: Choice, algorithm: Choice, export: str, calibration: str) -> str:
        recipe = self.once(self.quantizing, model, algorithm)
        label = f"{model.label} {self.stages[calibration].label} {algorithm.label}"
        return self.add(recipe, label, {"model": export, "calibration": calibration})

    def quantizing(self, model: Choice, algorithm: Choice) -> _Recipe:
        parameters = {
            "algorithm": algorithm.name,
            "parameters": self.plain(algorithm),
            "preprocessing": self.preprocessing(model),
        }
        return self.recipe("quantize", parameters, libraries=algorithm.spec.libraries)

    def evaluate(self, model: Choice, device: Choice, cell: Cell | None, variant: str | None, precision: str) -> str:
        runtime = "pytorch" if variant is None else "openvino"
        recipe = self.once(self.evaluating, model, runtime, device.name, precision, device.parameters["node"])
        name, how = model.label, runtime
        if cell is not None and cell.calibration is not None:
            name, how = f"{model.label} {cell.calibration.label}", cell.algorithm.label
        return self.add(recipe, f"{name} {how} {precision}", {"model": variant} if variant else {})

    def evaluating(self, model: Choice, runtime: str, device: str, precision: str, node: str | None) -> _Recipe:
        by_pytorch = runtime == "pytorch"  # on the CPU in FP32, whatever the cell's device
        parameters = {
            "runtime": runtime,
            "device": "CPU" if by_pytorch else device,
            "precision": REFERENCE_PRECISION if by_pytorch else precision,
            **self.judged_on(model),
            **({"model": self.identity(model)} if by_pytorch else {}),
            **({"node": node} if node else {}),
        }
        files = self.dataset_files() | (self.model_files(model) if by_pytorch else {})
        libraries = (*RUNTIME_LIBRARIES[runtime], *self.grid.dataset.spec.libraries)
        return self.recipe("evaluate", parameters, files, libraries)

    def measure(self, model: Choice, device: Choice, cell: Cell, variant: str | None, export: str) -> str:
        recipe = self.once(self.measuring, model, device, "pytorch" if variant is None else "openvino")
        own = {} if variant in (None, export) else {"model": variant}
        return self.add(recipe, cell.name, {"ir": export, **own})

    def measuring(self, model: Choice, device: Choice, runtime: str) -> _Recipe:
        by_pytorch = runtime == "pytorch"
        parameters = {
            "runtime": runtime,
            "device": {"name": device.name, **self.plain(device)},
            "measure": self.grid.settings.measure.model_dump(),
            **self.judged_on(model),
            **({"model": self.identity(model)} if by_pytorch else {}),
        }
        files = self.dataset_files() | (self.model_files(model) if by_pytorch else {})
        return self.recipe("measure", parameters, files, (*RUNTIME_LIBRARIES["openvino"], *RUNTIME_LIBRARIES[runtime]))

    def judged_on(self, model: Choice) -> dict[str, Any]:
        """The test images, and how they become the model's input."""
        dataset = self.grid.dataset
        return {"dataset": {"name": dataset.name, **self.plain(dataset)}, "preprocessing": self.preprocessing(model)}

    def recipe(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        files: Mapping[str, Input] | None = None,
        libraries: tuple[str, ...] = (),
    ) -> _Recipe:
        spec, files = self.catalog.stages[kind], files or {}
        versions = {name: self.version_of(name) for name in sorted({*spec.libraries, *libraries})}
        contents = {role: found.sha256 or f"missing: {found.path}" for role, found in files.items()}
        found = digest([kind, spec.version, parameters, contents, versions])
        return _Recipe(kind=kind, parameters=parameters, files=files, libraries=versions, digest=found)

    def add(self, recipe: _Recipe, label: str, inputs: Mapping[str, str]) -> str:
        stage = Stage(
            kind=recipe.kind,
            key=key_with_inputs(recipe.digest, inputs),
            label=label,
            parameters=recipe.parameters,
            inputs=inputs,
            files=recipe.files,
            libraries=recipe.libraries,
        )
        self.stages.setdefault(stage.uri, stage)
        return stage.uri

    def plain(self, choice: Choice) -> dict[str, Any]:
        """A choice's parameters without those that only say where a file lies: its content is in the key."""
        located = {wanted.parameter for wanted in choice.spec.wanted if not wanted.code}
        return {key: value for key, value in choice.parameters.items() if key not in located}

    def identity(self, model: Choice) -> dict[str, Any]:
        """What builds the network: a name of the zoo, or the user's factory."""
        factory = model.parameters.get("factory")
        return {"factory": factory} if factory else {"name": model.name}

    def files(self, choice: Choice, name: str) -> dict[str, Input]:
        names = {"name": name, "dataset": self.grid.dataset.name}
        found = (self.locate(wanted, choice.parameters, names) for wanted in choice.spec.wanted)
        return {each.role: each for each in found if each is not None}

    def model_files(self, model: Choice) -> dict[str, Input]:
        return self.located("model", model)

    def dataset_files(self) -> dict[str, Input]:
        return self.located("dataset", self.grid.dataset)

    def located(self, what: str, choice: Choice) -> dict[str, Input]:
        known: dict[str, Input] | None = self.memo.get((what, choice.label))
        if known is None:
            known = self.memo[what, choice.label] = self.files(choice, choice.name)
        return known

    def preprocessing(self, model: Choice) -> dict[str, Any]:
        """The model's own words first, then what its dataset is known by, then plain [0, 1] at 32x32."""
        found: dict[str, Any] | None = self.memo.get(("preprocessing", model.label))
        if found is None:
            known = self.catalog.preprocessing.get(self.grid.dataset.name, Preprocessing(size=(32, 32)))
            said = {key: model.parameters.get(key) for key in ("size", "mean", "std", "scale")}
            found = {**asdict(known), **{key: value for key, value in said.items() if value is not None}}
            self.memo["preprocessing", model.label] = found
        return found
