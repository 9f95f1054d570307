"""What no entry of a grid tells by itself: names, limits of stages, and what must hold between its parts. Pure."""

import re
from collections.abc import Iterator, Mapping

from farm.axes import LETTERBOX
from farm.catalog.algorithms import AccuracyAware
from farm.catalog.models import File, ModelParameters
from farm.catalog.sources import Real
from farm.catalog.tasks import CLASSIFICATION, DECODES, DETECTION
from farm.grid.cell import Grid, expand
from farm.grid.choice import Algorithm, Task
from farm.grid.label import Label
from farm.grid.lines import YamlPath
from farm.spec import Catalog, Parameters
from farm.suggest import did_you_mean

FUNCTION = re.compile(r"[\w.]+:\w+")
RESERVED = ("store", "reference")
GENERATING = "synthesize"
MOST_CELLS, MOST_SHARDS = 1_000_000, 100_000
FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def name_fault(name: object) -> str:
    """What is wrong with a grid's name; empty if nothing is."""
    if not isinstance(name, str) or not FOLDER_NAME.fullmatch(name):
        return f"{name!r} names a folder under results/: use letters, digits, '.', '_' and '-'"
    return f"{name!r} is a folder of farm's own under results/: choose another name" if name in RESERVED else ""


def metric_fault(task: Task | None, metric: object) -> str:
    """What is wrong with a grid's metric; empty if nothing is, or the task is not known."""
    if task is None:
        return ""
    known = task.spec.metrics
    if metric in known or (FUNCTION.fullmatch(str(metric)) and task.name == CLASSIFICATION):
        return ""
    own = " or your own, package.module:function" if task.name == CLASSIFICATION else ""
    return f"no metric {metric!r}{did_you_mean(str(metric), known)}{own}"


def stage_faults(settings: Mapping[str, object], catalog: Catalog) -> Iterator[tuple[YamlPath, str]]:
    """Limits of stage kinds that there are not, or that have no such limit."""
    for limit in ("timeout_s", "memory_gib", "cores", "gpus"):
        by_kind = settings.get(limit)
        for kind in by_kind if isinstance(by_kind, Mapping) else ():
            if text := _limit_fault(limit, kind, catalog):
                yield ("settings", limit, str(kind)), text


def _limit_fault(limit: str, kind: object, catalog: Catalog) -> str:
    spec = catalog.stages.get(str(kind))
    if spec is None:
        return f"no stage of this kind{did_you_mean(str(kind), tuple(catalog.stages))}"
    if limit == "cores" and spec.exclusive:
        return "a device's `threads` says how many cores are measured"
    if limit == "gpus" and kind != GENERATING:
        return f"only `{GENERATING}` computes on torch's GPUs"
    return ""


def faults_between(grid: Grid, catalog: Catalog, *, sound: bool) -> Iterator[tuple[YamlPath, str]]:
    """What is wrong between the parts of a grid. sound: each part is without fault, so that an empty one is empty."""
    if too_many := _too_many(grid):
        yield (), f"the grid has {too_many}: name fewer"
        return
    yield from _empty(grid) if sound else ()
    yield from _budgets(grid, catalog)
    yield from _numbering(grid)
    yield from _shares(grid) if grid.metric in grid.task.spec.metrics else ()
    yield from _of_task(grid)
    reference = grid.settings.claims.reference
    if reference is not None and reference not in grid.sources:
        text = f"no calibration {reference!r}{did_you_mean(reference, grid.sources)}"
        yield ("settings", "claims", "reference"), text


def _of_task(grid: Grid) -> Iterator[tuple[YamlPath, str]]:
    """What models and algorithms must say, or must not, for the grid's task; nothing where the dataset is at fault."""
    if not grid.dataset.name:
        return
    included = [("include", cell.model) for cell in grid.include]
    for key, model in dict.fromkeys([*(("models", model) for model in grid.models), *included]):
        yield from (((key,), f"{model.label}: {text}") for text in _model_faults(grid, model.parameters))
    for label, parameters in _algorithms(grid).items():
        if grid.task.name == DETECTION and isinstance(parameters, AccuracyAware):
            yield ("algorithms",), f"{label}: judges classifiers only so far; leave it out"


def _model_faults(grid: Grid, said: ModelParameters) -> Iterator[str]:
    """What a model says that is of another task, or of no use beside what else it says."""
    detects, decode = grid.task.name == DETECTION, said.decode
    if detects and decode is None:
        yield "`decode` says how its outputs are boxes, such as yolox or yolov8"
    elif detects and (text := _decode_fault(str(decode))):
        yield text
    if detects and isinstance(said, File) and said.output is not None:
        yield "`output` is of classifiers: `decode` takes all of a detector's outputs"
    if not detects and (decode is not None or said.label_offset is not None):
        word = "decode" if decode is not None else "label_offset"
        yield f"`{word}` is for detection, of which {grid.dataset.label} has no boxes"
    if said.resize != LETTERBOX and (said.pad is not None or said.position is not None):
        yield f"`{'pad' if said.pad is not None else 'position'}` goes with `resize: letterbox` alone"


def _decode_fault(decode: str) -> str:
    """What is wrong with how a model's outputs are boxes; empty if nothing is."""
    if decode in DECODES or FUNCTION.fullmatch(decode):
        return ""
    return f"no such head {decode!r}{did_you_mean(decode, DECODES)} or your own, package.module:function"


def _shares(grid: Grid) -> Iterator[tuple[YamlPath, str]]:
    """A loss of all that a share of images can lose, which is no limit."""
    text = f"of {grid.metric} is all there is: half a point is 0.005"
    if grid.settings.claims.margin >= 1:
        yield ("settings", "claims", "margin"), f"{grid.settings.claims.margin:g} {text}"
    for label, parameters in _algorithms(grid).items():
        if isinstance(parameters, AccuracyAware) and parameters.max_drop > 1:
            yield ("algorithms",), f"{label}: max_drop {parameters.max_drop:g} {text}"


def _algorithms(grid: Grid) -> Mapping[Label, Parameters]:
    """By label, includes too."""
    algorithms = (*grid.algorithms, *(cell.algorithm for cell in grid.include))
    return {choice.label: choice.parameters for choice in algorithms}


def _too_many(grid: Grid) -> str:
    """What there is more of than farm can plan; empty if there is not. Counted before any of it is made."""
    cells = len(grid.models) * len(grid.devices) * (
        len(grid.baselines) + len(grid.calibrations) * len(grid.algorithms)
    )  # fmt: skip
    if cells > MOST_CELLS:
        return f"{cells:,} cells, more than {MOST_CELLS:,}"
    sources = (*grid.calibrations, *(cell.calibration for cell in grid.include if cell.calibration is not None))
    shards = sum(-(-source.parameters.count // grid.settings.shard_images) for source in sources)
    return f"{shards:,} shards of calibration sets, more than {MOST_SHARDS:,}" if shards > MOST_SHARDS else ""


def _empty(grid: Grid) -> Iterator[tuple[YamlPath, str]]:
    if not grid.models:
        yield ("models",), "the grid is empty: it names no model"
    elif not grid.calibrations and not grid.baselines and not grid.include:
        yield ("calibrations",), "the grid is empty: no calibration set and no baseline"
    elif not grid.devices or not (grid.algorithms or grid.baselines):
        yield ("devices" if not grid.devices else "algorithms",), "the grid is empty: this axis has no entry"
    elif not expand(grid):
        yield ("exclude",), "the grid is empty: this excludes every cell"


def _numbering(grid: Grid) -> Iterator[tuple[YamlPath, str]]:
    """Accuracy control would judge by labels of another numbering than the dataset's."""
    wanted = grid.dataset.parameters.classes
    text = "needs `classes` as the dataset has: accuracy control judges by the labels of these images"
    if wanted is None:
        return
    if any(map(_judges_by_labels, grid.algorithms)):
        for number, source in enumerate(grid.calibrations):
            if isinstance(source.parameters, Real) and source.parameters.classes != wanted:
                yield ("calibrations", number), text
    for cell in grid.include:
        parameters = cell.calibration.parameters if cell.calibration else None
        if isinstance(parameters, Real) and parameters.classes != wanted and _judges_by_labels(cell.algorithm):
            yield ("include",), text


def _judges_by_labels(choice: Algorithm) -> bool:
    one = choice.parameters
    return isinstance(one, AccuracyAware) and (one.labels, one.validate_on) == ("given", "calibration")


def _budgets(grid: Grid, catalog: Catalog) -> Iterator[tuple[YamlPath, str]]:
    """A budget that outlasts the stage's time limit would lose what it should have kept."""
    limits = {kind: grid.settings.timeout_s.get(kind, spec.timeout_s) for kind, spec in catalog.stages.items()}
    text = "must be less than settings.timeout_s.{} ({:g}), which ends the whole stage"
    if grid.settings.measure.budget_s >= limits["measure"]:
        budget = f"{grid.settings.measure.budget_s:g} {text.format('measure', limits['measure'])}"
        yield ("settings", "measure", "budget_s"), budget
    for label, parameters in _algorithms(grid).items():
        if isinstance(parameters, AccuracyAware) and parameters.budget_s >= limits["quantize"]:
            yield ("algorithms",), f"{label}: budget_s {text.format('quantize', limits['quantize'])}"
