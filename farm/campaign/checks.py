"""What will fail at once, and what must be known beforehand: opens images of the user's own as a stage does."""

from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from farm.catalog import CATALOG
from farm.errors import FarmError
from farm.models.describe import describe
from farm.plan import Plan, Stage, base
from farm.plan.parameters import Evaluate, Measure, Synthesize
from farm.spec import LoadedSpec, resolve
from farm.tasks.classification import apart
from farm.tasks.metric import BUILT_IN

OPENED = ("folder", "parquet", "npz", "shards")  # images that lie in files, and run nobody's code
LOOKED_AT = {"distylegan": "farm.generators.distylegan.files:check"}  # files of what takes longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What opening images tells. faults: why stages will fail, by uri. notes: what must be known of the other images.

    The stages of one set have one reason, the set's.
    """

    faults: Mapping[str, str]
    notes: tuple[str, ...]


def foreseen(plan: Plan, uris: Collection[str]) -> Foreseen:
    """What the images of these stages tell, each set opened once or a few times."""
    sets: dict[str, dict[str, _Opening]] = {}
    for uri in uris:
        opening = _opening(plan.stages[uri])
        if opening is not None:
            sets.setdefault(opening.images(), {})[uri] = opening
    looked = {next(reversed(openings)): _looked(openings) for openings in sets.values()}
    notes = (f"{_shown(plan, uri)}: {one.seen.note}" for uri, one in looked.items() if one.seen.note)
    faults = {uri: reason for one in looked.values() for uri, reason in one.faults.items()}
    for openings, one in zip(sets.values(), looked.values(), strict=True):
        faults |= {uri: misfit for uri in openings if (misfit := _misfit(plan, plan.stages[uri], one.seen))}
    return Foreseen(faults=faults, notes=tuple(dict.fromkeys(notes)))


def _misfit(plan: Plan, stage: Stage, seen: "_Seen") -> str:
    """Why an evaluation will fail because its model tells other classes apart than there are; empty if it will not."""
    if seen.classes is None or plan.metric not in BUILT_IN or not isinstance(stage.parameters, Evaluate):
        return ""
    made = stage
    while "model" in made.inputs:
        made = plan.stages[made.inputs["model"]]
    file = made.files.get("model")
    outputs = describe(made.label, {}, file).get("outputs") if file else None
    misfit = apart(outputs, seen.classes, seen.names) if outputs else ""
    return f"{made.label}: {misfit}" if misfit else ""


def _shown(plan: Plan, uri: str) -> str:
    """Whose images a stage opens, in the words of what is said under a table."""
    if not isinstance(plan.stages[uri].parameters, Synthesize):
        return "test images"
    whose = (cell.calibration_source for cell in plan.cells for role, one in cell.stages.items()
             if one == uri and base(role) == "calibration")  # fmt: skip
    return next(filter(None, whose), plan.stages[uri].label)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """Images as a stage opens them, and how many of them: 0 for all."""

    function: str
    parameters: Mapping[str, Any]
    files: Mapping[str, Path]
    count: int

    def images(self) -> str:
        """What openings of the same images share, whatever their count and the model that they fit."""
        options = sorted((name, value) for name, value in self.parameters.items() if name != "fit")
        return repr((self.function, options, sorted(self.files.items()), self.count == 0))


def _opening(stage: Stage) -> _Opening | None:
    """The images that a stage opens, where they are the user's own; None of any other stage."""
    wanted = stage.parameters
    table: Mapping[str, LoadedSpec]
    if isinstance(wanted, Synthesize):
        images, table, count = wanted.images, CATALOG.sources, wanted.stop
    elif isinstance(wanted, (Evaluate, Measure)):
        images, table, count = wanted.dataset, CATALOG.datasets, wanted.dataset.options["count"] or 0
    else:
        return None
    name = images.name
    function = table[name].function if name in OPENED else LOOKED_AT.get(name)
    if function is None:
        return None
    files = {spec.role: Path(stage.files[spec.role].path) for spec in table[name].inputs if spec.role in stage.files}
    if not all(path.exists() for path in files.values()):
        return None
    return _Opening(function=function, parameters=images.arguments(), files=files, count=count)


class _Seen(NamedTuple):
    """What opening images once tells. fault: why a stage could not use them; empty where it can."""

    fault: str = ""
    note: str = ""
    classes: int | None = None
    names: tuple[str, ...] = ()


class _Looked(NamedTuple):
    """What one set tells: why, by uri, stages cannot use it, and what those see that can."""

    faults: Mapping[str, str]
    seen: _Seen


def _looked(openings: Mapping[str, _Opening]) -> _Looked:
    """One set is opened with its largest count; if that is too large, so is every larger one than the least: bisect."""
    by_count = {opening.count: opening for opening in openings.values()}
    counts = sorted(by_count)

    @cache
    def opened(count: int) -> _Seen:
        return _opened(by_count[count])

    def fails(count: int) -> bool:
        return bool(opened(count).fault)

    if not fails(counts[-1]):
        return _Looked({}, opened(counts[-1]))
    least = 0 if fails(counts[0]) else bisect_left(counts, True, 1, len(counts) - 1, key=fails)
    faults = {uri: opened(counts[-1]).fault for uri, opening in openings.items() if opening.count >= counts[least]}
    return _Looked(faults, _Seen())


def _opened(opening: _Opening) -> _Seen:
    """What a stage would see of these images: of those that lie in files of their own, the headers."""
    try:
        images = resolve(opening.function)({**opening.parameters, "count": opening.count or None}, opening.files)
        if not hasattr(images, "look"):
            return _Seen(note=getattr(images, "note", ""))
        images.look()
    except (FarmError, OSError) as error:
        return _Seen(fault=str(error))
    return _Seen(note=images.note, classes=images.classes, names=images.names)
