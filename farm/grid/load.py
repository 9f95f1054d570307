"""From a YAML file to a checked `Grid`. Collects every fault before it speaks; knows no stages.

The only place where pydantic checks: inside farm, types are trusted.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path

from farm.catalog.datasets import DatasetParameters
from farm.errors import Fault, GridError
from farm.grid.axis import MOST_CHOICES, Axis, C, choices, pattern, unshown
from farm.grid.cell import Cell, Exclusion, Grid
from farm.grid.checks import faults_between, metric_fault, name_fault, stage_faults
from farm.grid.choice import Algorithm, Calibration, Choice, Dataset, Device, Model, Task
from farm.grid.faults import check
from farm.grid.label import AXES, Label
from farm.grid.lines import YamlPath, dotted, line_of, read
from farm.grid.settings import Settings
from farm.spec import Catalog, Parameters
from farm.suggest import did_you_mean

KEYS = (
    "name", "dataset", "task", "metric", "models", "calibrations", "algorithms", "devices",
    "baselines", "exclude", "include", "accuracy_only", "settings",
)  # fmt: skip
DEFAULTS = {"calibrations": [], "algorithms": ["default"], "devices": ["CPU"], "baselines": ["pytorch", "ir"]}
SLASHED, LETTERS = re.compile(r"^[a-z]+(?=/)"), re.compile(r"^[A-Za-z]+")


def load(path: Path, catalog: Catalog) -> Grid:
    """Read and check a grid file.

    Raises InputError if the file cannot be read, GridError with every fault it has otherwise.
    """
    document, lines = read(path)
    if not isinstance(document, Mapping):
        text = "a grid is a mapping with `dataset:` and `models:`" if document else "the file is empty"
        raise GridError(str(path), (Fault(line=1, path=dotted(()), text=text),))
    reader = _Reader(path=path, document=document, lines=lines, catalog=catalog, axes=_Axes(catalog))
    grid = reader.grid()
    if reader.faults:
        raise GridError(str(path), tuple(dict.fromkeys(reader.faults)))  # one of each: lists repeat them
    return grid


class _Axes:
    """How each part of a grid is read that names entries of a table."""

    def __init__(self, catalog: Catalog) -> None:
        self.task = Axis(kind=Task, table=catalog.tasks, noun="task")
        self.dataset = Axis(kind=Dataset, table=catalog.datasets, noun="dataset")
        self.models = Axis(kind=Model, table=catalog.models, noun="model", family=SLASHED, members=catalog.members)
        self.calibrations = Axis(kind=Calibration, table=catalog.sources, noun="image source")
        self.algorithms = Axis(kind=Algorithm, table=catalog.algorithms, noun="algorithm")
        self.devices = Axis(kind=Device, table=catalog.devices, noun="device", family=LETTERS)
        self.baselines = Axis(kind=Algorithm, table=catalog.baselines, noun="baseline")


@dataclass(slots=True, kw_only=True)
class _Reader:
    """A grid file half-way: its document, where each value stands, and the faults so far."""

    path: Path
    document: Mapping[object, object]
    lines: dict[YamlPath, int]
    catalog: Catalog
    axes: _Axes
    faults: list[Fault] = field(default_factory=list)
    labelled: dict[tuple[str, Label], Choice] = field(default_factory=dict)

    def fault(self, path: YamlPath, text: str) -> None:
        """Note one fault, with the line it stands on."""
        self.faults.append(Fault(line=line_of(path, self.lines), path=dotted(path), text=text))

    def grid(self) -> Grid:
        """The grid as far as it can be read."""
        for key in self.document:
            if key not in KEYS:
                self.fault((str(key),), f"unknown key{did_you_mean(str(key), KEYS)}")
        models = self.axis("models", self.axes.models)
        calibrations = self.axis("calibrations", self.axes.calibrations)
        algorithms = self.axis("algorithms", self.axes.algorithms)
        devices = self.axis("devices", self.axes.devices)
        baselines = self.axis("baselines", self.axes.baselines)
        there = {
            "model": models, "calibration": calibrations, "algorithm": (*algorithms, *baselines), "device": devices,
        }  # fmt: skip
        dataset = self.dataset()
        task = self.task(dataset)
        grid = Grid(
            name=self.text("name", self.path.stem, name_fault),
            path=self.path,
            dataset=dataset,
            task=task,
            metric=self.text("metric", task.spec.metrics[0], partial(metric_fault, task if dataset.name else None)),
            models=models,
            calibrations=calibrations,
            algorithms=algorithms,
            devices=devices,
            baselines=baselines,
            exclude=tuple(self.exclusions("exclude", there)),
            include=tuple(self.inclusions()),
            accuracy_only=(*self.exclusions("accuracy_only", there), *(({},) if self.measures_nothing else ())),
            settings=self.settings(),
        )
        for path, text in faults_between(grid, self.catalog, sound=not self.faults):
            self.fault(path, text)
        return grid

    def text(self, key: str, default: str, wrong: Callable[[object], str]) -> str:
        """A word of the grid's own, with what is wrong about it noted."""
        value = self.document.get(key, default)
        if text := wrong(value):
            self.fault((key,), text)
        return str(value)

    def dataset(self) -> Dataset:
        """The dataset, or a stand-in beside a fault: a grid that has faults is never returned."""
        if "dataset" in self.document:
            chosen = choices(self.document["dataset"], ("dataset",), self.axes.dataset, self.fault)
        else:
            chosen = []
            self.fault(("dataset",), "missing: the labelled images that accuracy is computed on, such as `digits`")
        if len(chosen) > 1:
            self.fault(("dataset",), "a grid has one dataset; a list here would make several")
        spec = next(iter(self.catalog.datasets.values()))
        return chosen[0] if chosen else Dataset(name="", label=Label(), spec=spec, parameters=DatasetParameters())

    def task(self, dataset: Dataset) -> Task:
        """The task that is named, or that the dataset's targets are for."""
        entry = self.document.get("task", dataset.spec.task)
        chosen = choices(entry, ("task",), self.axes.task, self.fault)
        if len(chosen) > 1:
            self.fault(("task",), "a grid has one task; a list here would make several")
        if chosen and dataset.name and chosen[0].name != dataset.spec.task:
            text = f"the images of {dataset.name} are for {dataset.spec.task}: leave it out, or choose another dataset"
            self.fault(("task",), text)
        spec = self.catalog.tasks[dataset.spec.task]
        name = dataset.spec.task
        return chosen[0] if chosen else Task(name=name, label=Label(name), spec=spec, parameters=Parameters())

    def axis(self, key: str, axis: Axis[C]) -> tuple[C, ...]:
        """The choices of one axis, each label once."""
        entries = self.document.get(key, DEFAULTS.get(key))
        if entries is None:
            self.fault((key,), "missing" if key not in self.document else "empty")
            return ()
        if not isinstance(entries, list):
            self.fault((key,), f"must be a list, such as [{entries}]" if isinstance(entries, str) else "must be a list")
            return ()
        first: dict[Label, YamlPath] = {}
        chosen = []
        for index, entry in enumerate(entries):
            for choice in choices(entry, (key, index), axis, self.fault):
                if choice.label in first:
                    hint = _apart(choice, self.labelled[key, choice.label], axis)
                    where = dotted(first[choice.label])
                    self.fault((key, index), f"{choice.label!r} stands twice, first as {where}{hint}")
                first.setdefault(choice.label, (key, index))
                self.labelled[key, choice.label] = choice
                chosen.append(choice)
        return tuple(chosen)

    def exclusions(self, key: str, there: Mapping[str, tuple[Choice, ...]]) -> Iterator[Exclusion]:
        """What an `exclude` or an `accuracy_only` means of the choices there, by axis."""
        for path, entry in self.entries(key):
            named = {axis: value for axis, value in entry.items() if axis in AXES}
            patterns = {axis: pattern(value, (*path, axis), there[axis], self.fault) for axis, value in named.items()}
            yield {axis: meaning for axis, meaning in patterns.items() if meaning is not None}

    def inclusions(self) -> Iterator[Cell]:
        """The cells that are added."""
        axes = self.axes
        for path, entry in self.entries("include"):
            missing = [axis for axis in AXES if axis not in entry]
            if missing:
                self.fault(path, f"an include names all four axes; {', '.join(missing)} is missing")
                continue
            models = self.included(path, entry, "model", axes.models)
            calibrations = self.included(path, entry, "calibration", axes.calibrations)
            algorithms = self.included(path, entry, "algorithm", axes.algorithms)
            devices = self.included(path, entry, "device", axes.devices)
            count = len(models) * len(calibrations) * len(algorithms) * len(devices)
            if count > MOST_CHOICES:
                self.fault(path, f"it includes {count:,} cells, more than {MOST_CHOICES:,}: name fewer")
                continue
            for model, calibration, algorithm, device in product(models, calibrations, algorithms, devices):
                yield Cell(model=model, calibration=calibration, algorithm=algorithm, device=device)

    def included(self, path: YamlPath, entry: Mapping[str, object], key: str, axis: Axis[C]) -> list[C]:
        """One axis of an include. A label joins runs and shares stages, so it may stand for one thing only."""
        chosen = choices(entry[key], (*path, key), axis, self.fault)
        for choice in chosen:
            other = self.labelled.setdefault((f"{key}s", choice.label), choice)
            if other != choice:
                text = f"{choice.label!r} already stands for something else in this grid"
                self.fault((*path, key), text + (_apart(choice, other, axis) or ": give it a `name`"))
        return chosen

    def entries(self, key: str) -> Iterator[tuple[YamlPath, Mapping[str, object]]]:
        """The mappings of a list-valued key, each with its path. Anything else is a fault, as is an unknown axis."""
        value = self.document.get(key)
        if value is not None and not isinstance(value, list):
            self.fault((key,), "must be a list of mappings")
            return
        for index, entry in enumerate(value or ()):
            if not isinstance(entry, Mapping) or not entry:
                self.fault((key, index), "must be a mapping such as {model: resnet20, algorithm: default}")
                continue
            for axis in entry:
                if axis not in AXES:
                    self.fault((key, index, str(axis)), f"unknown axis{did_you_mean(str(axis), AXES)}")
            yield (key, index), entry

    def settings(self) -> Settings:
        """The settings, or the defaults beside a fault."""
        raw = self.document.get("settings")
        if not isinstance(raw, Mapping):
            if raw is not None:
                self.fault(("settings",), "must be a mapping")
            return Settings()
        for path, text in stage_faults(raw, self.catalog):
            self.fault(path, text)
        given = {key: value for key, value in raw.items() if key != "measure" or isinstance(value, Mapping)}
        if "measure" not in given and "measure" in raw and not self.measures_nothing:
            self.fault(("settings", "measure"), f"must be a mapping, or `none`, not {raw['measure']!r:.60}")
        return check(Settings, given, ("settings",), self.fault) or Settings()

    @property
    def measures_nothing(self) -> bool:
        """Whether the settings say ``measure: none``, which is `accuracy_only` of every cell."""
        raw = self.document.get("settings")
        return isinstance(raw, Mapping) and raw.get("measure") == "none"


def _apart(one: Choice, other: Choice, axis: Axis[C]) -> str:
    """How to give two choices of one label two of them, to stand after what is wrong; empty for the same twice."""
    unlike = [
        key for key in unshown(one.parameters) if getattr(one.parameters, key) != getattr(other.parameters, key, None)
    ]
    if unlike:
        return f": only `{unlike[0]}` differs, which no name shows: give one another `seed`"
    return ": give one a `name`" if axis.custom_by(type(one.parameters).model_fields) else ""
