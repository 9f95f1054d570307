"""Cells -> stages, each built once. Pure: files are located, and models described, by the caller."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from farm import axes
from farm.axes import Fit
from farm.catalog.algorithms import AccuracyAware
from farm.catalog.sources import Real, Sharded, Synthetic
from farm.grid.cell import Cell, Grid, matches
from farm.grid.choice import Algorithm, Calibration, Choice, Device, Model
from farm.grid.settings import Claims
from farm.inputs import Input
from farm.plan.choices import Choices, Describe, Locate, images
from farm.plan.held_out import on_train, train_images
from farm.plan.parameters import Evaluate, Export, Measure, Quantize, Rounds, StageParameters, Synthesize
from farm.plan.stage import Effort, Plan, PlannedCell, Stage, digest, key_with_inputs, numbered
from farm.spec import Catalog

VersionOf = Callable[[str], str]

RUNTIME_LIBRARIES = {"openvino": ("openvino",), "pytorch": ("torch",)}
FP32 = "f32"


def _says_nothing(_name: str, _parameters: Mapping[str, Any], _file: Input | None) -> Mapping[str, Any]:
    return {}


def build(
    grid: Grid,
    cells: tuple[Cell, ...],
    catalog: Catalog,
    locate: Locate,
    version_of: VersionOf,
    describe: Describe = _says_nothing,
) -> Plan:
    """The plan of a grid's cells. Two cells share every stage that they have in common.

    describe: what a model from elsewhere, by its name, parameters and file, says of its preprocessing, and
    the `url` of its weights. Raises InputError where a model's words in the grid contradict its file.
    """
    choices = Choices(grid=grid, catalog=catalog, locate=locate, describe=describe)
    builder = _Builder(grid=grid, catalog=catalog, choices=choices, version_of=version_of)
    planned = tuple(_planned(cell, builder.cell(cell)) for cell in cells)
    return Plan(
        grid=grid.name,
        dataset=grid.dataset.label,
        metric=grid.metric,
        effort=Effort(**grid.settings.measure.effort()),
        claims=Claims(reference=grid.reference(), margin=grid.settings.claims.margin),
        grid_file=str(grid.path),
        stages=builder.stages,
        cells=planned,
    )


def _planned(cell: Cell, stages: Mapping[str, str]) -> PlannedCell:
    model, _, algorithm, device = map(str, cell.labels())
    calibration = cell.calibration
    return PlannedCell(
        name=cell.name,
        model=model,
        calibration=str(calibration.label) if calibration else None,
        calibration_source=str(calibration.source) if calibration else None,
        calibration_seed=calibration.seed if calibration else None,
        algorithm=algorithm,
        device=device,
        runtime=cell.algorithm.runtime,
        stages=stages,
    )


def running(model: Model, runtime: str) -> tuple[str, ...]:
    """The libraries that run a model."""
    return (*RUNTIME_LIBRARIES[runtime], *(model.spec.libraries if runtime == "pytorch" else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """A stage but for its inputs: the same for all cells of, say, one model and device. digest: for the key."""

    kind: str
    parameters: StageParameters
    files: Mapping[str, Input]
    libraries: Mapping[str, str]
    digest: str


@dataclass(slots=True, kw_only=True)
class _Builder:
    """Builds each stage once. Memoised by what a stage depends on, so that 100,000 cells plan in seconds."""

    grid: Grid
    catalog: Catalog
    choices: Choices
    version_of: VersionOf
    stages: dict[str, Stage] = field(default_factory=dict)
    memo: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def cell(self, cell: Cell) -> dict[str, str]:
        export = self.once(self.export, cell.model)
        fp32 = self.once(self.evaluate, cell.model, cell.device, None, export, FP32)
        precision = cell.device.parameters.precision
        roles = {"export": export, "fp32": fp32}
        if cell.calibration is None:
            variant = None if cell.algorithm.runtime == "pytorch" else export
            roles["evaluate"] = self.once(self.evaluate, cell.model, cell.device, None, variant, precision)
        else:
            variant = self.once(self.quantize, cell.model, cell.calibration, cell.algorithm, export)
            roles |= {role: uri for role, uri in self.stages[variant].inputs.items() if role != "model"}
            roles["quantize"] = variant
            roles["evaluate"] = self.once(self.evaluate, cell.model, cell.device, cell, variant, precision)
        if not any(matches(cell, pattern) for pattern in self.grid.accuracy_only):
            roles["measure"] = self.once(self.measure, cell.model, cell.device, cell, variant, export)
        return roles

    def once(self, make: Callable[..., Any], *arguments: Any) -> Any:
        """`make(*arguments)`, computed once for arguments that mean the same: a label stands for one choice.

        A `Cell` only gives the stage its label, so it counts for nothing: the first cell's label stays.
        """
        labels = tuple(a.label if isinstance(a, Choice) else None if isinstance(a, Cell) else a for a in arguments)
        key = (make.__name__, *labels)
        if key not in self.memo:
            self.memo[key] = make(*arguments)
        return self.memo[key]

    def calibration(self, source: Calibration, model: Model) -> tuple[str, ...]:
        """The shards of the set that a source gives for a model: at its size, or made to fit it."""
        size = self.choices.preprocessing(model).size
        shards: tuple[str, ...] = self.once(self.synthesize, source, size, self.choices.fit(model))
        return shards

    def synthesize(self, source: Calibration, size: tuple[int, int], fit: Fit | None) -> tuple[str, ...]:
        """A stage a shard. None knows the set's size, on which no image depends: so larger sets share the shards."""
        changes = {"size": source.parameters.size or size} if isinstance(source.parameters, Synthetic) else {}
        chosen = images(source, fit if isinstance(source.parameters, (Real, Sharded)) else None, **changes)
        count, step = source.parameters.count, self.grid.settings.shard_images
        of_any_count = replace(chosen, options={k: value for k, value in chosen.options.items() if k != "count"})
        files = self.choices.files("calibrations", source)
        uris = []
        for start in range(0, count, step):
            stop = min(start + step, count)
            shard = Synthesize(images=of_any_count, start=start, stop=stop)
            label = source.label if count <= step else f"{source.label} images {start} to {stop - 1}"
            recipe = self.recipe("synthesize", shard, files, source.spec.libraries)
            uris.append(self.add(recipe, label, {}, equipped=source.spec.equipped))
        return tuple(uris)

    def export(self, model: Model) -> str:
        how = self.choices.preprocessing(model)
        parameters = Export(model=self.choices.model(model), size=how.size, layout=how.layout, input=how.input)
        recipe = self.recipe("export", parameters, self.choices.model_files(model), model.spec.libraries)
        return self.add(recipe, str(model.label), {})

    def quantize(self, model: Model, source: Calibration, algorithm: Algorithm, export: str) -> str:
        """It depends on all shards, whatever part of them the algorithm takes: that is the algorithm's own affair."""
        calibration = numbered("calibration", self.calibration(source, model))
        held_out = train_images(algorithm, source, self.choices) if on_train(algorithm) else None
        validation = numbered("validation", self.calibration(held_out, model) if held_out else ())
        recipe = self.once(self.quantizing, model, algorithm, on_train(algorithm) and not validation)
        label = f"{model.label} {source.label} {algorithm.label}"
        return self.add(recipe, label, {"model": export, **calibration, **validation})

    def quantizing(self, model: Model, algorithm: Algorithm, unvalidated: bool) -> _Recipe:
        judges = isinstance(algorithm.parameters, AccuracyAware)
        parameters = Quantize(
            algorithm=axes.Algorithm(name=algorithm.name, options=dict(algorithm.parameters)),
            preprocessing=self.choices.preprocessing(model),
            metric=self.grid.metric if judges else None,
        )
        files = self.choices.metric_files() if judges else {}
        if unvalidated:
            text = f"`validate_on: train` needs a dataset with a train split; {self.grid.dataset.label} has none"
            files = {**files, "validation": Input(role="validation", missing=text)}
        return self.recipe("quantize", parameters, files)

    def evaluate(self, model: Model, device: Device, cell: Cell | None, variant: str | None, precision: str) -> str:
        runtime = "pytorch" if variant is None else "openvino"
        recipe = self.once(self.evaluating, model, runtime, device.name, precision, device.parameters.node)
        name, how = str(model.label), runtime
        if cell is not None and cell.calibration is not None:
            name, how = f"{model.label} {cell.calibration.label}", cell.algorithm.label
        return self.add(recipe, f"{name} {how} {precision}", {"model": variant} if variant else {})

    def evaluating(self, model: Model, runtime: str, device: str, precision: str, node: str | None) -> _Recipe:
        """PyTorch evaluates on the CPU in FP32, whatever the cell's device."""
        by_pytorch = runtime == "pytorch"
        parameters = Evaluate(
            device=axes.Device(node=node) if by_pytorch else axes.Device(name=device, precision=precision, node=node),
            metric=self.grid.metric,
            dataset=images(self.grid.dataset, self.choices.fit(model)),
            preprocessing=self.choices.preprocessing(model),
            model=self.choices.model(model) if by_pytorch else None,
        )
        files = self.dataset_files() | self.choices.metric_files()
        files |= self.choices.model_files(model) if by_pytorch else {}
        libraries = (*running(model, runtime), *self.grid.dataset.spec.libraries)
        return self.recipe("evaluate", parameters, files, libraries)

    def measure(self, model: Model, device: Device, cell: Cell, variant: str | None, export: str) -> str:
        recipe = self.once(self.measuring, model, device, "pytorch" if variant is None else "openvino")
        quantized = {} if variant in (None, export) else {"model": variant}
        return self.add(recipe, cell.name, {"ir": export, **quantized})

    def measuring(self, model: Model, device: Device, runtime: str) -> _Recipe:
        by_pytorch = runtime == "pytorch"
        parameters = Measure(
            device=axes.Device(name=device.name, **dict(device.parameters)),
            rounds=Rounds(**self.grid.settings.measure.how()),
            dataset=images(self.grid.dataset, self.choices.fit(model)),
            preprocessing=self.choices.preprocessing(model),
            model=self.choices.model(model) if by_pytorch else None,
        )
        files = self.dataset_files() | (self.choices.model_files(model) if by_pytorch else {})
        libraries = (*RUNTIME_LIBRARIES["openvino"], *running(model, runtime))
        return self.recipe("measure", parameters, files, libraries)

    def dataset_files(self) -> dict[str, Input]:
        return self.choices.files("dataset", self.grid.dataset)

    def recipe(
        self,
        kind: str,
        parameters: StageParameters,
        files: Mapping[str, Input] | None = None,
        libraries: tuple[str, ...] = (),
    ) -> _Recipe:
        spec, files = self.catalog.stages[kind], files or {}
        versions = {name: self.version_of(name) for name in sorted({*spec.libraries, *libraries})}
        contents = {role: file.sha256 or f"missing: {file.path}" for role, file in files.items()}
        recipe = digest([kind, spec.version, parameters, contents, versions])
        return _Recipe(kind=kind, parameters=parameters, files=files, libraries=versions, digest=recipe)

    def add(self, recipe: _Recipe, label: str, inputs: Mapping[str, str], *, equipped: bool = False) -> str:
        stage = Stage(
            kind=recipe.kind,
            key=key_with_inputs(recipe.digest, inputs),
            label=label,
            parameters=recipe.parameters,
            inputs=inputs,
            files=recipe.files,
            libraries=recipe.libraries,
            equipped=equipped,
        )
        self.stages.setdefault(stage.uri, stage)
        return stage.uri
