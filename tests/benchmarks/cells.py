"""What the scripts measure: cells of a small grid, whose IRs are made as `farm run` makes them."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from processes import leased_core, say

from farm.campaign.execute import execute
from farm.campaign.resolve import resolve
from farm.catalog import CATALOG
from farm.grid.load import load
from farm.inputs import default_search, fetch
from farm.measuring.round import Round
from farm.record import Ended, Record
from farm.results.location import Location
from farm.results.speed import with_speed
from farm.stages.job import Job

STUDY = (
    "resnet20",
    "vgg16_bn",
    "mobilenetv2_x1_4",
    "shufflenetv2_x2_0",
    "repvgg_a2",
)  # the networks of jobs/table1.yaml
SPLITS = ("cifar10/test.parquet", "cifar10/train.parquet")
GRID: Mapping[str, Any] = {  # the packaged digits ResNet20 on one thread
    "name": "digits",
    "dataset": {"name": "digits", "count": 64},
    "models": ["resnet20"],
    "baselines": ["pytorch", "ir"],
    "devices": [{"name": "CPU", "threads": 1}],
}
IMAGES = 300
BEFORE_MEASURING = ("synthesize", "export", "quantize")

Cells = dict[tuple[str, str], Job]  # by model, and algorithm or baseline


class Study(NamedTuple):
    """models: the study's networks with weights; none without CIFAR-10. absent: what is not there, in words."""

    models: tuple[str, ...]
    absent: str


def study() -> Study:
    """What of the study FARM_DATA has."""
    folders = default_search(Path()).data
    lacking = [split for split in SPLITS if not any((folder / split).exists() for folder in folders)]
    models = [name for name in STUDY if any(list(folder.glob(f"weights/cifar10_{name}.*")) for folder in folders)]
    absent = [*lacking, *(f"weights of {name}" for name in STUDY if name not in models)]
    text = f"Left out, not in FARM_DATA: {', '.join(absent)}." if absent else ""
    return Study(() if lacking else tuple(models), text)


def study_cells(available: Study, folder: Path, *, quick: bool, baselines: Sequence[str] = ("ir",)) -> Cells:
    """The measurements of the study's networks, int8 and baselines, calibrated with images of what they are tested on.

    Of the packaged digits' network where there are no others; quick: of one network.
    """
    models, dataset = available.models or ("resnet20",), "cifar10" if available.models else "digits"
    asked = {
        **GRID,
        "name": dataset,
        "dataset": {"name": dataset, "count": IMAGES},
        "models": list(models[:1] if quick else models),
        "calibrations": [{"name": dataset, "count": IMAGES}],
        "baselines": list(baselines),
    }
    return jobs(asked, folder)


@contextmanager
def leased_cells(available: Study, *, quick: bool, baselines: Sequence[str] = ("ir",)) -> Iterator[Cells]:
    """The same, made in a folder of their own, on one core that is leased meanwhile."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        say("exporting and quantizing")
        made = study_cells(available, Path(folder), quick=quick, baselines=baselines)
        with leased_core() as cpus:
            yield {cell: replace(job, cpus=cpus) for cell, job in made.items()}


def digits(folder: Path, measure: Mapping[str, Any], baseline: str = "ir") -> Job:
    """The measurement of the packaged digits ResNet20. measure: the grid's settings."""
    return jobs({**GRID, "settings": {"measure": dict(measure)}}, folder)["resnet20", baseline]


def jobs(grid: Mapping[str, Any], folder: Path) -> Cells:
    """The measurement of each cell but for its cores: by model, and algorithm or baseline. Measures nothing."""
    folder.mkdir(exist_ok=True)
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(dict(grid)), encoding="utf-8")
    checked = load(path, CATALOG)
    plan, store = resolve(checked), Location.of(folder).store
    wanted = {uri for uri, stage in plan.stages.items() if stage.kind in BEFORE_MEASURING}
    execute(plan, wanted, store, CATALOG.stages, checked.settings)
    if failed := wanted - store.present(wanted):
        last = [attempt.error_message for uri in failed for attempt in store.attempts.of(uri)[-1:]]
        sys.exit(f"of {grid['name']}, {len(failed)} stages before the measurements failed: {'; '.join(last)}")
    found = {}
    for planned in plan.cells:
        stage = plan.stages[planned.stages["measure"]]
        found[planned.model, planned.algorithm] = Job(
            parameters=stage.parameters,
            effort=plan.effort,
            inputs={role: store.open(uri) for role, uri in stage.inputs.items()},
            files={role: fetch(file) for role, file in stage.files.items()},
            folder=folder,
            cpus=(),
            cores=1,
        )
    return found


def speed_of(job: Job, rounds: Sequence[Round], ended: Ended) -> Record:
    """What the record of a measurement would say of its speed."""
    nobody = dict.fromkeys(("grid", "cell", "model", "algorithm", "device", "runtime", "outcome"), "")
    how = job.parameters.rounds
    return with_speed(Record(**nobody), rounds, job.effort, ended, per_node=how.per_node, preprocess=how.preprocess)


def bare_round(meanwhile: Mapping[str, Any], **values: Any) -> Round:
    """A round of one synchronous inference at a time, of which only these are known."""
    unknown = dict.fromkeys(("runtime", "precision", "asked", "properties"), "")
    counts = {"warmup_inferences": 0, "steady": True, "threads": 1, "streams": 1, "stray_cpus": ()}
    given = {"batch": 1, "synchronous": True, "request_p50_ns": None, **unknown, **counts, **meanwhile}
    return Round(**given | values)
