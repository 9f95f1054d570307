"""Cells -> the de-duplicated DAG of stages they need, each with its key. Pure: files are located by the caller.

cell resnet20/fractal/default/CPU

synthesize fractal ──┐
export resnet20 ─────┴─ quantize ─┬─ evaluate
      ├──────────────────────────┬┴─ measure (paired with the FP32 IR)
      └─ evaluate (reference) ───┘
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from farm.grid import Cell, Choice, Grid
from farm.inputs import Input
from farm.spec import Catalog, Preprocessing, Wanted

Locate = Callable[[Wanted, Mapping[str, Any], Mapping[str, str]], Input | None]
VersionOf = Callable[[str], str]

RUNTIME_LIBRARIES = {"openvino": ("openvino",), "pytorch": ("torch",)}
REFERENCE_PRECISION = "f32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One unit of work. parameters, inputs, files' content and libraries make its key; paths do not.

    inputs: role -> uri of another stage. files: role -> located file. label: for people.
    """

    kind: str
    key: str
    label: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    files: Mapping[str, Input]
    libraries: Mapping[str, str]

    @property
    def uri(self) -> str:
        """``kind/key``: the name of its artefact in the store."""
        return f"{self.kind}/{self.key}"

    @property
    def missing(self) -> str:
        """What local input it lacks, in words; empty if none."""
        return "; ".join(found.missing for found in self.files.values() if found.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A cell and its stages: role -> uri. Roles: calibration, export, quantize, reference, evaluate, measure."""

    cell: Cell
    stages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All stages, inputs before what needs them, and all cells in the grid's order."""

    grid: str
    dataset: str
    stages: Mapping[str, Stage]
    cells: tuple[Planned, ...]


def build(grid: Grid, cells: tuple[Cell, ...], catalog: Catalog, locate: Locate, version_of: VersionOf) -> Plan:
    """The plan of a grid's cells. Two cells share every stage that they have in common."""
    builder = _Builder(grid=grid, catalog=catalog, locate=locate, version_of=version_of)
    planned = tuple(Planned(cell=cell, stages=builder.cell(cell)) for cell in cells)
    return Plan(grid=grid.name, dataset=grid.dataset.label, stages=builder.stages, cells=planned)


def key_of(
    kind: str,
    version: int,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, str],
    contents: Mapping[str, str],
    libraries: Mapping[str, str],
) -> str:
    """SHA-256 (hex) of everything that can change what the stage leaves behind."""
    said = {
        "kind": kind,
        "version": version,
        "parameters": parameters,
        "inputs": inputs,
        "contents": contents,
        "libraries": libraries,
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def dependents(plan: Plan, uris: set[str]) -> set[str]:
    """The given stages and all that need them, directly or not."""
    found = set(uris)
    for uri, stage in plan.stages.items():  # inputs come before what needs them
        if found.intersection(stage.inputs.values()):
            found.add(uri)
    return found


def as_json(plan: Plan, source: str) -> dict[str, Any]:
    """The plan as ``plan.json`` holds it: enough to gather records without the grid file, which is `source`."""
    return {
        "schema": 1,
        "grid": plan.grid,
        "source": source,
        "dataset": plan.dataset,
        "cells": [_cell_json(planned) for planned in plan.cells],
        "stages": {uri: _stage_json(stage) for uri, stage in plan.stages.items()},
    }


def _stage_json(stage: Stage) -> dict[str, Any]:
    return {
        "kind": stage.kind,
        "key": stage.key,
        "label": stage.label,
        "parameters": stage.parameters,
        "inputs": stage.inputs,
        "files": {role: asdict(found) for role, found in stage.files.items()},
        "libraries": stage.libraries,
    }


def _cell_json(planned: Planned) -> dict[str, Any]:
    cell = planned.cell
    model, calibration, algorithm, device = cell.labels()
    return {
        "cell": cell.name,
        "model": model,
        "calibration": calibration if cell.calibration else None,
        "algorithm": algorithm,
        "device": device,
        "runtime": _runtime(cell),
        "stages": dict(planned.stages),
    }


def _runtime(cell: Cell) -> str:
    return "pytorch" if cell.calibration is None and cell.algorithm.name == "pytorch" else "openvino"


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
            runtime = _runtime(cell)
            variant = None if runtime == "pytorch" else export
            roles["evaluate"] = self.once(self.evaluate, cell.model, cell.device, None, variant, precision)
        else:
            size = self.preprocessing(cell.model)["size"]
            variant = roles["calibration"] = self.once(self.synthesize, cell.calibration, size)
            variant = roles["quantize"] = self.once(self.quantize, cell.model, cell.algorithm, export, variant)
            roles["evaluate"] = self.once(self.evaluate, cell.model, cell.device, cell, variant, precision)
        roles["measure"] = self.once(self.measure, cell.model, cell.device, cell, variant, export)
        return roles

    def once(self, make: Callable[..., str], *arguments: Any) -> str:
        """`make(*arguments)`, computed once for arguments that mean the same."""
        meant = tuple(a.label if isinstance(a, Choice) else None if isinstance(a, Cell) else a for a in arguments)
        known = self.memo.get((make.__name__, *meant))
        if known is None:
            known = self.memo[make.__name__, *meant] = make(*arguments)
        return str(known)

    def synthesize(self, calibration: Choice, size: tuple[int, int]) -> str:
        parameters = self.plain(calibration)
        if "size" in parameters:
            parameters["size"] = parameters["size"] or size
        return self.add(
            "synthesize",
            calibration.label,
            {"source": calibration.name, **parameters},
            files=self.files(calibration, calibration.name),
            libraries=calibration.spec.libraries,
        )

    def export(self, model: Choice) -> str:
        parameters = {"model": self.identity(model), "size": self.preprocessing(model)["size"]}
        return self.add("export", model.label, parameters, files=self.model_files(model))

    def quantize(self, model: Choice, algorithm: Choice, export: str, calibration: str) -> str:
        parameters = {
            "algorithm": algorithm.name,
            "parameters": self.plain(algorithm),
            "preprocessing": self.preprocessing(model),
        }
        inputs = {"model": export, "calibration": calibration}
        label = f"{model.label} {self.stages[calibration].label} {algorithm.label}"
        return self.add("quantize", label, parameters, inputs=inputs, libraries=algorithm.spec.libraries)

    def evaluate(self, model: Choice, device: Choice, cell: Cell | None, variant: str | None, precision: str) -> str:
        runtime = "pytorch" if variant is None else "openvino"
        parameters = {
            "runtime": runtime,
            "device": device.name if variant else "CPU",
            "precision": precision if variant else REFERENCE_PRECISION,
            "dataset": {"name": self.grid.dataset.name, **self.plain(self.grid.dataset)},
            "preprocessing": self.preprocessing(model),
            **({} if variant else {"model": self.identity(model)}),
        }
        name = f"{cell.model.label} {cell.calibration.label}" if cell and cell.calibration else model.label
        return self.add(
            "evaluate",
            f"{name} {runtime if variant is None or cell is None else cell.algorithm.label} {precision}",
            parameters,
            inputs={"model": variant} if variant else {},
            files={**self.dataset_files(), **({} if variant else self.model_files(model))},
            libraries=(*RUNTIME_LIBRARIES[runtime], *self.grid.dataset.spec.libraries),
        )

    def measure(self, model: Choice, device: Choice, cell: Cell, variant: str | None, export: str) -> str:
        runtime = "pytorch" if variant is None else "openvino"
        parameters = {
            "runtime": runtime,
            "device": {"name": device.name, **self.plain(device)},
            "measure": self.grid.settings.measure.model_dump(),
            "dataset": {"name": self.grid.dataset.name, **self.plain(self.grid.dataset)},
            "preprocessing": self.preprocessing(model),
            **({} if variant else {"model": self.identity(model)}),
        }
        alone = variant == export
        return self.add(
            "measure",
            cell.name,
            parameters,
            inputs={"ir": export} if alone or variant is None else {"ir": export, "model": variant},
            files={**self.dataset_files(), **({} if variant else self.model_files(model))},
            libraries=(*RUNTIME_LIBRARIES["openvino"], *RUNTIME_LIBRARIES[runtime]),
        )

    def add(
        self,
        kind: str,
        label: str,
        parameters: Mapping[str, Any],
        inputs: Mapping[str, str] | None = None,
        files: Mapping[str, Input] | None = None,
        libraries: tuple[str, ...] = (),
    ) -> str:
        inputs, files = inputs or {}, files or {}
        spec = self.catalog.stages[kind]
        versions = {name: self.version_of(name) for name in sorted({*spec.libraries, *libraries})}
        contents = {role: found.sha256 or f"missing: {found.path}" for role, found in files.items()}
        stage = Stage(
            kind=kind,
            key=key_of(kind, spec.version, parameters, inputs, contents, versions),
            label=label,
            parameters=parameters,
            inputs=inputs,
            files=files,
            libraries=versions,
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
