"""What will fail at once, and what must be known beforehand: opens a user's images and models as a stage does."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from farm.catalog import CATALOG
from farm.data.imageset import other_size
from farm.data.sampling import not_in_rgb
from farm.errors import FarmError
from farm.models.describe import describe, misnamed, misshapen
from farm.plan import Plan, Stage, base, dependents, judges
from farm.plan.parameters import Evaluate, Export, Measure, Quantize, Synthesize
from farm.spec import LoadedSpec, resolve
from farm.tasks.classification import apart
from farm.tasks.metric import BUILT_IN

OPENED = ("folder", "parquet", "npz", "shards", "coco", "yolo")  # images that lie in files, and run nobody's code
LOOKED_AT = {"distylegan": "farm.generators.distylegan.files:check"}  # files of what takes longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What opening images and models tells.

    faults: why stages will fail, by uri. notes: what must be known of the other images.
    The stages of one set have one reason, the set's.
    """

    faults: Mapping[str, str]
    notes: tuple[str, ...]


def foreseen(plan: Plan, uris: Collection[str]) -> Foreseen:
    """What the images of these stages tell, each set opened once or a few times."""
    sets: dict[str, dict[str, _Opening]] = {}
    users, faults, notes = _users(plan), dict[str, str](), list[str]()
    unread = {uri: fault for uri in uris if (fault := _unread(plan.stages[uri]))}
    for uri in uris:
        opening = _opening(plan.stages[uri])
        if opening is not None:
            sets.setdefault(opening.images(), {})[uri] = opening
        elif misfit := _misfit(plan, plan.stages[uri], _known(plan.stages[uri]), ""):
            faults[uri] = misfit
    for openings in sets.values():
        looked, shown = _looked(openings), _shown(plan, next(reversed(openings)))
        notes += [f"{shown}: {looked.seen.note}"] if looked.seen.note else []
        faults |= {uri: f"{shown}: {why}" for uri, why in looked.faults.items()}
        if looked.seen.unusable:  # a measurement takes the first images alone
            rest = (uri for uri in openings if not isinstance(plan.stages[uri].parameters, Measure))
            faults |= dict.fromkeys(rest, f"{shown}: {looked.seen.unusable}")
        using = {user: plan.stages[user] for uri in openings for user in users.get(uri, ())}
        misfits = ((user, _misfit(plan, stage, looked.seen, shown)) for user, stage in using.items())
        faults |= {user: misfit for user, misfit in misfits if misfit}
    without = dependents(plan, {*unread})  # which have no reason of their own
    faults = {uri: fault for uri, fault in faults.items() if uri not in without} | unread
    return Foreseen(faults=faults, notes=tuple(dict.fromkeys(notes)))


def doomed(plan: Plan, faults: Collection[str], asked: Collection[str]) -> set[str]:
    """The stages that cannot be done where these will fail, as `farm.drive` decides it; these included.

    asked: the stages that a run would see to, done or not.
    """
    failing, seen = dependents(plan, {*faults}), set(asked)
    refused = {uri for uri, those in judges(plan).items() if (ours := those & seen) and ours <= failing}
    return dependents(plan, failing | refused)


def _users(plan: Plan) -> Mapping[str, Sequence[str]]:
    """The stages that put a set's images into a model: of a dataset these that open it, else those that need it."""
    users: dict[str, list[str]] = {}
    for uri, stage in plan.stages.items():
        if isinstance(stage.parameters, (Evaluate, Measure)):
            users[uri] = [uri]
        elif isinstance(stage.parameters, Quantize):
            for need in stage.inputs.values():
                users.setdefault(need, []).append(uri)
    return users


def _unread(stage: Stage) -> str:
    """Why a model's file cannot be exported, as opening it tells; empty if it can, or is of another stage."""
    file, wanted = stage.files.get("model"), stage.parameters
    if file is None or not isinstance(wanted, Export):
        return ""
    told = describe(stage.label, wanted.model.options, file)
    if not (fault := told.get("fault", "")) and told:
        fault = "" if wanted.whole else misnamed(wanted.model.options["output"], told["named"])
        fault = fault or misshapen(told["shape"], told["sides"], wanted.interface)
    return f"{stage.label}: {file.path}: {fault}" if fault else ""


def _known(stage: Stage) -> "_Seen":
    """What is known of a dataset that is always the same; nothing of other images."""
    wanted = stage.parameters
    if not isinstance(wanted, (Evaluate, Measure)):
        return _Seen()
    spec, names = CATALOG.datasets[wanted.dataset.name], wanted.dataset.options.get("classes")
    classes = len(names) if names else None if "classes" in stage.files else spec.classes
    return _Seen(classes=classes, size=None if wanted.dataset.fit else spec.size)


def _misfit(plan: Plan, stage: Stage, seen: "_Seen", shown: str) -> str:
    """Why a stage will fail because images and model do not go together; empty if it will not. shown: whose images."""
    model, wanted = _exported(plan, stage), stage.parameters
    if not isinstance(wanted, (Evaluate, Measure, Quantize)):
        return ""
    misfit = "" if seen.size is None else other_size(seen.size, wanted.preprocessing)
    if not misfit and isinstance(wanted, Evaluate) and wanted.task is None and plan.metric in BUILT_IN:
        file, of = model.files.get("model"), model.parameters
        options = of.model.options if isinstance(of, Export) else {}
        outputs = describe(model.label, options, file).get("outputs") if file else None
        misfit = apart(outputs, seen.classes, seen.label, seen.names) if outputs else ""
    who = f"{model.label} with {shown}" if isinstance(wanted, Quantize) else model.label
    return f"{who}: {misfit}" if misfit else ""


def _exported(plan: Plan, stage: Stage) -> Stage:
    """What a stage's model was exported by; the stage itself where PyTorch runs the model."""
    while need := stage.inputs.get("model") or stage.inputs.get("ir"):
        stage = plan.stages[need]
    return stage


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
        """What openings of the same images share, whatever their count and seed, and the model that they fit."""
        options = sorted((name, value) for name, value in self.parameters.items() if name not in ("fit", "seed"))
        return repr((self.function, options, "fit" in self.parameters, sorted(self.files.items()), self.count == 0))


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
    """What opening images once tells. fault: why a stage could not use them; empty where it can. unusable: which are.

    size: height and width, where images must have the model's. label: the greatest, where it is known.
    """

    fault: str = ""
    unusable: str = ""
    note: str = ""
    classes: int | None = None
    names: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    label: int | None = None


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
        if not hasattr(images, "pictures"):  # no real images, or nothing but a look at files
            return _Seen(note=getattr(images, "note", ""))
    except (FarmError, OSError) as error:
        return _Seen(fault=str(error))
    try:
        images.look()
    except (FarmError, OSError) as error:
        return _Seen(unusable=str(error))
    note = "; ".join(filter(None, [images.note, not_in_rgb(images.converted)]))
    labels, size = images.pictures.labels, None if images.how else images.size
    return _Seen(
        note=note, classes=images.classes, names=images.names, size=size, label=None if labels is None else labels.max()
    )
