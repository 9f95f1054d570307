"""From a YAML file to a checked `Grid`. Collects every fault before it speaks; knows no cells.

The only place where pydantic validates: inside farm, types are trusted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from farm.errors import Fault, GridError
from farm.grid.cell import AXES, Cell, Choice, Exclusion, Grid, Settings
from farm.grid.choice import Axis, choices, pattern
from farm.grid.expand import expand
from farm.grid.faults import validate
from farm.grid.lines import YamlPath, dotted, line_of, read
from farm.spec import MODEL_FILES, Catalog
from farm.suggest import did_you_mean

KEYS = (
    "name", "dataset", "metric", "models", "calibrations", "algorithms", "devices",
    "baselines", "exclude", "include", "accuracy_only", "settings",
)  # fmt: skip
DEFAULTS: Mapping[str, Any] = {
    "calibrations": [],
    "algorithms": ["default"],
    "devices": ["CPU"],
    "baselines": ["pytorch", "ir"],
}
METRICS = ("top1", "top5")
METRIC = re.compile(r"[\w.]+:\w+")
RESERVED = ("store", "reference")
GENERATING = "synthesize"
FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def load(path: Path, catalog: Catalog) -> Grid:
    """Read and check a grid file.

    Raises InputError if the file cannot be read, GridError with every fault it has otherwise.
    """
    document, lines = read(path)
    reader = _Reader(path=path, document=document, lines=lines, axes=_axes(catalog))
    grid = reader.grid(catalog)
    if grid is not None and not reader.faults and not expand(grid):
        reader.fault(("exclude",), "the grid is empty: this excludes every cell")
    if reader.faults or grid is None:
        raise GridError(str(path), tuple(reader.faults))
    return grid


def _axes(catalog: Catalog) -> dict[str, Axis]:
    return {
        "datasets": Axis(table=catalog.datasets, noun="dataset", own=("factory",)),
        "models": Axis(
            table=catalog.models,
            noun="model",
            own=("factory", "path"),
            family=re.compile(r"^[a-z]+(?=/)"),
            members=catalog.members,
            files=MODEL_FILES,
        ),
        "calibrations": Axis(table=catalog.sources, noun="image source", own=("factory",)),
        "algorithms": Axis(table=catalog.algorithms, noun="algorithm"),
        "devices": Axis(table=catalog.devices, noun="device", family=re.compile(r"^[A-Za-z]+")),
        "baselines": Axis(table=catalog.baselines, noun="baseline"),
    }


@dataclass(slots=True, kw_only=True)
class _Reader:
    """A grid file half-way: its document, where each value stands, and the faults found so far."""

    path: Path
    document: Any
    lines: dict[YamlPath, int]
    axes: dict[str, Axis]
    faults: list[Fault] = field(default_factory=list)
    said: dict[tuple[str, str], Choice] = field(default_factory=dict)  # (axis, label) -> what it stands for

    def fault(self, path: YamlPath, text: str) -> None:
        self.faults.append(Fault(line=line_of(path, self.lines), path=dotted(path), text=text))

    def grid(self, catalog: Catalog) -> Grid | None:
        """The grid, as far as it can be read; None if the document is no mapping at all."""
        if not isinstance(self.document, Mapping):
            self.fault(
                (), "a grid is a mapping with `dataset:` and `models:`" if self.document else "the file is empty"
            )
            return None
        for key in self.document:
            if key not in KEYS:
                self.fault((str(key),), f"unknown key{did_you_mean(str(key), KEYS)}")
        parts = {axis: self.axis(axis) for axis in ("models", "calibrations", "algorithms", "devices", "baselines")}
        grid = Grid(
            name=self.name(),
            path=self.path,
            dataset=self.dataset(),
            metric=self.metric(),
            exclude=self.exclusions("exclude", parts),
            include=self.inclusions(),
            accuracy_only=self.exclusions("accuracy_only", parts),
            settings=self.settings(catalog),
            **parts,
        )
        self.emptiness(grid)
        self.budgets(grid, catalog)
        self.reference(grid)
        return grid

    def name(self) -> str:
        name = self.document.get("name", self.path.stem)
        if not isinstance(name, str) or not FOLDER_NAME.fullmatch(name):
            self.fault(("name",), f"{name!r} names a folder under results/: use letters, digits, '.', '_' and '-'")
        elif name in RESERVED:
            self.fault(("name",), f"{name!r} is a folder of farm's own under results/: choose another name")
        return str(name)

    def dataset(self) -> Choice:
        if "dataset" not in self.document:
            self.fault(("dataset",), "missing: the labelled images that accuracy is computed on, such as `digits`")
            return _nothing(self.axes["datasets"])
        found = choices(self.document["dataset"], ("dataset",), self.axes["datasets"], self.fault)
        if len(found) > 1:
            self.fault(("dataset",), "a grid has one dataset; a list here would make several")
        return found[0] if found else _nothing(self.axes["datasets"])

    def metric(self) -> str:
        said = self.document.get("metric", METRICS[0])
        if said not in METRICS and not METRIC.fullmatch(str(said)):
            own = "or your own, package.module:function"
            self.fault(("metric",), f"no metric {said!r}{did_you_mean(str(said), METRICS)} {own}")
        return str(said)

    def axis(self, key: str) -> tuple[Choice, ...]:
        entries = self.document.get(key, DEFAULTS.get(key))
        if entries is None:
            self.fault((key,), "missing" if key not in self.document else "empty")
            return ()
        if not isinstance(entries, list):
            self.fault((key,), f"must be a list, such as [{entries}]" if isinstance(entries, str) else "must be a list")
            return ()
        seen: dict[str, YamlPath] = {}
        found = []
        for index, entry in enumerate(entries):
            for choice in choices(entry, (key, index), self.axes[key], self.fault):
                if choice.label in seen:
                    own = ": give one a `name`" if any(part in choice.parameters for part in self.axes[key].own) else ""
                    first = dotted(seen[choice.label])
                    self.fault((key, index), f"{choice.label!r} stands twice, first as {first}{own}")
                seen.setdefault(choice.label, (key, index))
                self.said[key, choice.label] = choice
                found.append(choice)
        return tuple(found)

    def exclusions(self, key: str, parts: Mapping[str, tuple[Choice, ...]]) -> tuple[Exclusion, ...]:
        found = []
        for path, entry in self.entries(key):
            exclusion = {}
            for axis, value in entry.items():
                if axis not in AXES:
                    self.fault((*path, str(axis)), f"unknown axis{did_you_mean(str(axis), AXES)}")
                    continue
                known = parts[f"{axis}s"] + (parts["baselines"] if axis == "algorithm" else ())
                meant = pattern(value, (*path, axis), known, self.fault)
                if meant is not None:
                    exclusion[axis] = meant
            found.append(exclusion)
        return tuple(found)

    def inclusions(self) -> tuple[Cell, ...]:
        found: list[Cell] = []
        for path, entry in self.entries("include"):
            for axis in entry:
                if axis not in AXES:
                    self.fault((*path, str(axis)), f"unknown axis{did_you_mean(str(axis), AXES)}")
            missing = [axis for axis in AXES if axis not in entry]
            if missing:
                self.fault(path, f"an include names all four axes; {', '.join(missing)} is missing")
                continue
            axes = [choices(entry[axis], (*path, axis), self.axes[f"{axis}s"], self.fault) for axis in AXES]
            for axis, chosen in zip(AXES, axes, strict=True):
                self.one_meaning((*path, axis), f"{axis}s", chosen)
            found.extend(Cell(model=m, calibration=c, algorithm=a, device=d) for m, c, a, d in product(*axes))
        return tuple(found)

    def one_meaning(self, path: YamlPath, key: str, chosen: list[Choice]) -> None:
        """A label joins runs and shares stages, so it may stand for one thing only."""
        for choice in chosen:
            known = self.said.setdefault((key, choice.label), choice)
            if (known.spec, known.parameters) != (choice.spec, choice.parameters):
                self.fault(path, f"{choice.label!r} already stands for something else in this grid: give it a name")

    def entries(self, key: str) -> list[tuple[YamlPath, Mapping[Any, Any]]]:
        """The mappings of a list-valued key, each with its path; anything else is a fault."""
        value = self.document.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.fault((key,), "must be a list of mappings")
            return []
        found: list[tuple[YamlPath, Mapping[Any, Any]]] = []
        for index, entry in enumerate(value):
            if isinstance(entry, Mapping) and entry:
                found.append(((key, index), entry))
            else:
                self.fault((key, index), "must be a mapping such as {model: resnet20, algorithm: default}")
        return found

    def settings(self, catalog: Catalog) -> Settings:
        raw = self.document.get("settings")
        if raw is None:
            return Settings()
        if not isinstance(raw, Mapping):
            self.fault(("settings",), "must be a mapping")
            return Settings()
        for limit in ("timeout_s", "memory_gib", "cores", "gpus"):
            by_kind = raw.get(limit)
            for kind in by_kind if isinstance(by_kind, Mapping) else ():
                if text := _limit_fault(limit, kind, catalog):
                    self.fault(("settings", limit, str(kind)), text)
        checked = validate(Settings, raw, ("settings",), self.fault)
        return checked if checked is not None else Settings()

    def budgets(self, grid: Grid, catalog: Catalog) -> None:
        """A budget that outlasts the stage's time limit would lose what it should have kept."""
        limits = {kind: grid.settings.timeout_s.get(kind, spec.timeout_s) for kind, spec in catalog.stages.items()}
        text = "must be less than settings.timeout_s.{} ({:g}), which ends the whole stage"
        if grid.settings.measure.budget_s >= limits["measure"]:
            budget = f"{grid.settings.measure.budget_s:g} {text.format('measure', limits['measure'])}"
            self.fault(("settings", "measure", "budget_s"), budget)
        chosen = (*grid.algorithms, *(cell.algorithm for cell in grid.include))
        for choice in {each.label: each for each in chosen}.values():
            if choice.parameters.get("budget_s", 0) >= limits["quantize"]:
                self.fault(("algorithms",), f"{choice.label}: budget_s {text.format('quantize', limits['quantize'])}")

    def reference(self, grid: Grid) -> None:
        """The set that others are held against must be one of the grid's."""
        named = grid.settings.claims.reference
        if named is not None and named not in grid.sources:
            text = f"no calibration {named!r}{did_you_mean(named, grid.sources)}"
            self.fault(("settings", "claims", "reference"), text)

    def emptiness(self, grid: Grid) -> None:
        if self.faults:
            return
        if not grid.models:
            self.fault(("models",), "the grid is empty: it names no model")
        elif not grid.calibrations and not grid.baselines and not grid.include:
            self.fault(("calibrations",), "the grid is empty: no calibration set and no baseline")
        elif not grid.devices or not (grid.algorithms or grid.baselines):
            empty = "devices" if not grid.devices else "algorithms"
            self.fault((empty,), "the grid is empty: this axis has no entry")


def _limit_fault(limit: str, kind: Any, catalog: Catalog) -> str:
    """What is wrong with a limit of a stage kind; empty if nothing is."""
    if kind not in catalog.stages:
        return f"no stage of this kind{did_you_mean(str(kind), tuple(catalog.stages))}"
    if limit == "cores" and catalog.stages[kind].exclusive:
        return "a device's `threads` says how many cores are measured"
    if limit == "gpus" and kind != GENERATING:
        return f"only `{GENERATING}` computes on torch's GPUs"
    return ""


def _nothing(axis: Axis) -> Choice:
    """A stand-in while faults are collected; a grid that holds one is never returned."""
    return Choice(name="", label="", spec=next(iter(axis.table.values())), parameters={})
