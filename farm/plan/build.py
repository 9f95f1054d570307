"""Cells -> stages, each built once. Pure: files are located, and models described, by the caller."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from farm import axes
from farm.axes import Fit
from farm.catalog.algorithms import BASELINES, AccuracyAware
from farm.catalog.sources import Real, Sharded, Synthetic
from farm.codec import decode
from farm.grid.cell import Cell, Grid, matches
from farm.grid.choice import Algorithm, Calibration, Device, Model
from farm.grid.label import Label
from farm.grid.settings import Claims
from farm.inputs import Input
from farm.plan.choices import Choices, Describe, Locate, images
from farm.plan.parameters import Evaluate, Export, Measure, Quantize, Rounds, StageParameters, Synthesize
from farm.plan.stage import Effort, Plan, PlannedCell, Stage, numbered, recipe
from farm.spec import Catalog, Parameters

VersionOf = Callable[[str], str]

RUNTIME_LIBRARIES = {"openvino": ("openvino",), "pytorch": ("torch",)}
FP32 = "f32"
GIVEN = "ir"  # the baseline that is a model as it comes


def build(
    grid: Grid,
    cells: tuple[Cell, ...],
    catalog: Catalog,
    locate: Locate,
    version_of: VersionOf,
    describe: Describe = lambda *_: {},
) -> Plan:
    """The plan of a grid's cells. Two cells share every stage that they have in common.

    A model that is quantized as it comes is not quantized again: of its cells there is the baseline ``ir`` alone.

    describe: what a model from elsewhere, by its name, parameters and file, says of its preprocessing, and
    the `url` of its weights. Raises InputError where a model's words in the grid contradict its file.
    """
    choices = Choices(grid=grid, catalog=catalog, locate=locate, describe=describe)
    builder = _Builder(grid=grid, catalog=catalog, choices=choices, version_of=version_of)
    named = {cell.name: cell for cell in map(builder.as_given, cells)}
    planned = tuple(_planned(cell, builder.cell(cell)) for cell in named.values())
    return Plan(
        grid=grid.name,
        dataset=grid.dataset.label,
        metric=grid.metric,
        effort=decode(Effort, grid.settings.measure.model_dump()),
        claims=Claims(reference=grid.reference(), margin=grid.settings.claims.margin),
        grid_file=str(grid.path),
        stages=builder.stages,
        cells=planned,
    )


def baseline_of(cell: Cell) -> Cell:
    """The cell of the same model and device that is not quantized: the baseline ``ir``."""
    algorithm = Algorithm(name=GIVEN, label=Label(GIVEN), spec=BASELINES[GIVEN], parameters=Parameters())
    return replace(cell, calibration=None, algorithm=algorithm)


def _planned(cell: Cell, stages: Mapping[str, str]) -> PlannedCell:
    calibration = cell.calibration
    return PlannedCell(
        name=cell.name,
        model=cell.model.label,
        calibration=calibration.label if calibration else None,
        calibration_source=calibration.source if calibration else None,
        calibration_seed=calibration.seed if calibration else None,
        algorithm=cell.algorithm.label,
        device=cell.device.label,
        runtime=cell.algorithm.spec.runtime,
        stages=stages,
    )


def running(model: Model, runtime: str) -> tuple[str, ...]:
    """The libraries that run a model."""
    return (*RUNTIME_LIBRARIES[runtime], *(model.spec.libraries if runtime == "pytorch" else ()))


@dataclass(slots=True, kw_only=True)
class _Builder:
    """Builds each stage once."""

    grid: Grid
    catalog: Catalog
    choices: Choices
    version_of: VersionOf
    stages: dict[str, Stage] = field(default_factory=dict)

    def as_given(self, cell: Cell) -> Cell:
        """The cell, or its baseline where the model is quantized as it comes."""
        quantized = cell.calibration is not None and self.choices.is_quantized(cell.model)
        return baseline_of(cell) if quantized else cell

    def cell(self, cell: Cell) -> dict[str, str]:
        once, model, device, runtime = self.choices.once, cell.model, cell.device, cell.algorithm.spec.runtime
        export = once(self.export, model)
        fp32 = once(self.evaluate, model, device, export, FP32, f"{model.label} openvino")
        roles = {"export": export, "fp32": fp32}
        if cell.calibration is None:
            variant = None if runtime == "pytorch" else export
            label = f"{model.label} {runtime}"
        else:
            variant = once(self.quantize, model, cell.calibration, cell.algorithm, export)
            roles |= {role: uri for role, uri in self.stages[variant].inputs.items() if role != "model"}
            roles["quantize"] = variant
            label = f"{model.label} {cell.calibration.label} {cell.algorithm.label}"
        roles["evaluate"] = once(self.evaluate, model, device, variant, device.parameters.precision, label)
        if not any(matches(cell, pattern) for pattern in self.grid.accuracy_only):
            measurement = once(self.measuring, model, device, runtime)
            inputs = {} if variant in (None, export) else {"model": variant}
            roles["measure"] = self.add(measurement, cell.name, {"ir": export, **inputs})
        return roles

    def calibration(self, source: Calibration, model: Model) -> tuple[str, ...]:
        """The shards of the set that a source gives for a model: at its size, or made to fit it."""
        size, fit = self.choices.preprocessing(model).size, self.choices.fit(model)
        return self.choices.once(self.synthesize, source, size, fit)

    def synthesize(self, source: Calibration, size: tuple[int, int], fit: Fit | None) -> tuple[str, ...]:
        """A stage a shard. None knows the set's size, on which no image depends: so larger sets share the shards."""
        changes = {"size": source.parameters.size or size} if isinstance(source.parameters, Synthetic) else {}
        chosen = images(source, fit if isinstance(source.parameters, (Real, Sharded)) else None, **changes)
        count, step = source.parameters.count, self.grid.settings.shard_images
        of_any_count = replace(chosen, options={k: value for k, value in chosen.options.items() if k != "count"})
        files = self.choices.files(source)
        uris = []
        for start in range(0, count, step):
            stop = min(start + step, count)
            shard = Synthesize(images=of_any_count, start=start, stop=stop)
            label = source.label if count <= step else f"{source.label} images {start} to {stop - 1}"
            incomplete = self.recipe("synthesize", shard, files, source.spec.libraries)
            uris.append(self.add(incomplete, label, {}, equipped=source.spec.equipped))
        return tuple(uris)

    def export(self, model: Model) -> str:
        how = self.choices.preprocessing(model)
        parameters = Export(
            model=self.choices.model(model), size=how.size, layout=how.layout, input=how.input, mode=how.mode,
            whole=None if self.choices.task(model) is None else True,
        )  # fmt: skip
        files = self.choices.model_files(model)
        return self.add(self.recipe("export", parameters, files, model.spec.libraries), model.label, {})

    def quantize(self, model: Model, source: Calibration, algorithm: Algorithm, export: str) -> str:
        """It depends on all shards, whatever part of them the algorithm takes: that is the algorithm's own affair."""
        aware = algorithm.parameters if isinstance(algorithm.parameters, AccuracyAware) else None
        on_train = aware is not None and aware.validate_on == "train"
        held_out = self.choices.held_out(aware, source) if aware and on_train else None
        inputs = {
            "model": export,
            **numbered("calibration", self.calibration(source, model)),
            **numbered("validation", self.calibration(held_out, model) if held_out else ()),
        }
        quantization = self.choices.once(self.quantizing, model, algorithm, on_train and held_out is None)
        return self.add(quantization, f"{model.label} {source.label} {algorithm.label}", inputs)

    def quantizing(self, model: Model, algorithm: Algorithm, unvalidated: bool) -> Stage:
        judges = isinstance(algorithm.parameters, AccuracyAware)
        parameters = Quantize(
            algorithm=axes.Algorithm(name=algorithm.name, options=dict(algorithm.parameters)),
            preprocessing=self.choices.preprocessing(model),
            metric=self.grid.metric if judges else None,
        )
        files = self.choices.metric_files() if judges else {}
        if unvalidated:
            text = f"`validate_on: train` needs a dataset with a train split; {self.grid.dataset.label} has none"
            files["validation"] = Input(role="validation", missing=text)
        return self.recipe("quantize", parameters, files)

    def evaluate(self, model: Model, device: Device, variant: str | None, precision: str, label: str) -> str:
        """variant: of the model as an IR; None where PyTorch runs it."""
        name = device.name if variant else ""
        evaluation = self.choices.once(self.evaluating, model, name, precision, device.parameters.node)
        return self.add(evaluation, f"{label} {precision}", {"model": variant} if variant else {})

    def evaluating(self, model: Model, device: str, precision: str, node: str | None) -> Stage:
        """device: none for PyTorch, which evaluates on the CPU in FP32, whatever the cell's device."""
        parameters = Evaluate(
            device=axes.Device(name=device, precision=precision, node=node) if device else axes.Device(node=node),
            metric=self.grid.metric,
            dataset=self.choices.test_images(model),
            preprocessing=self.choices.preprocessing(model),
            model=None if device else self.choices.model(model),
            task=self.choices.task(model),
        )
        runtime = "openvino" if device else "pytorch"
        libraries = (*running(model, runtime), *self.grid.dataset.spec.libraries, *self.grid.task.spec.libraries)
        code = self.choices.metric_files() | self.choices.decode_files(model)
        return self.recipe("evaluate", parameters, self.run_files(model, runtime) | code, libraries)

    def measuring(self, model: Model, device: Device, runtime: str) -> Stage:
        parameters = Measure(
            device=axes.Device(name=device.name, **dict(device.parameters)),
            rounds=decode(Rounds, self.grid.settings.measure.model_dump()),
            dataset=self.choices.test_images(model),
            preprocessing=self.choices.preprocessing(model),
            model=self.choices.model(model) if runtime == "pytorch" else None,
        )
        libraries = (*RUNTIME_LIBRARIES["openvino"], *running(model, runtime))
        return self.recipe("measure", parameters, self.run_files(model, runtime), libraries)

    def run_files(self, model: Model, runtime: str) -> dict[str, Input]:
        """Of the dataset, and of the model where it is no artefact."""
        files = self.choices.files(self.grid.dataset)
        return files | (self.choices.model_files(model) if runtime == "pytorch" else {})

    def recipe(
        self, kind: str, parameters: StageParameters, files: Mapping[str, Input], libraries: tuple[str, ...] = ()
    ) -> Stage:
        spec = self.catalog.stages[kind]
        versions = {name: self.version_of(name) for name in sorted({*spec.libraries, *libraries})}
        return recipe(kind, spec.version, parameters, files, versions)

    def add(self, incomplete: Stage, label: str, inputs: Mapping[str, str], *, equipped: bool = False) -> str:
        stage = incomplete.completed(label, inputs, equipped=equipped)
        return self.stages.setdefault(stage.uri, stage).uri
