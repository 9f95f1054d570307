"""Stores that are as if a grid had been run: real artefacts of one cell, under the names of those of many."""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from cells import GRID

from farm.campaign.run import RunOptions, run
from farm.catalog import CATALOG
from farm.codec import encode, members
from farm.grid.load import load
from farm.plan import Plan, Stage
from farm.record import Outcome
from farm.results.location import Location
from farm.store import Store, names
from farm.store.manifest import Manifest

SUBSETS = 10  # quantizations of a set, which differ in how many images they take
IMAGES = 50
LINKS = 30_000  # names of one file; file systems have a limit
MEASURE: Mapping[str, Any] = {"pairs": [2, 2], "min_seconds": 0.02, "warmup_seconds": 0.02, "budget_s": 30}


def grid_of(cells: int, folder: Path, name: str = "scale") -> Path:
    """The file of a grid of so many cells: calibration sets of one source, each quantized in ten ways."""
    seeds = [{"name": "noise", "count": IMAGES, "seed": seed} for seed in range(-(-cells // SUBSETS))]
    algorithms = [{"name": "default", "subset_size": size} for size in range(1, min(cells, SUBSETS) + 1)]
    grid = {**GRID, "name": name, "calibrations": seeds, "algorithms": algorithms, "baselines": []}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**grid, "settings": {"measure": dict(MEASURE)}}), encoding="utf-8")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What one stage left. folder: its files. outcome: its attempt."""

    folder: Path
    manifest: Manifest
    outcome: Outcome


def made_by_kind(folder: Path) -> dict[str, Made]:
    """What a real run of one such cell leaves, by the kind of stage."""
    place = Location.of(folder / "one")
    grid = load(grid_of(1, folder, "one"), CATALOG)
    run(grid, place, RunOptions(engine="inline"))
    store, made = place.store, {}
    for uri, stage in place.folder("one").read_plan().stages.items():
        manifest = store.manifest(uri)
        if manifest is None:
            raise SystemExit(f"{uri} failed: {store.attempts.of(uri)[-1].error_message}")
        made[stage.kind] = Made(folder=store.open(uri), manifest=manifest, outcome=store.attempts.of(uri)[-1])
    return made


def fill(store: Store, plan: Plan, made: Mapping[str, Made]) -> None:
    """Have the store hold an artefact and an attempt of each stage.

    A local one gets them without waiting for the disk, their files as further names of the same content.
    """
    if store.files.local:
        linked = {kind: _names(one.folder) for kind, one in made.items()}
        for number, stage in enumerate(plan.stages.values()):
            if number % LINKS == LINKS - 1:
                linked = {kind: _names(_copied(one.folder)) for kind, one in made.items()}
            _put(store, stage, made[stage.kind], linked[stage.kind])
        return
    store.files.each(lambda stage: _sent(store, stage, made[stage.kind]), plan.stages.values())


def _names(folder: Path) -> list[tuple[str, str]]:
    return [(path.name, str(path)) for path in folder.iterdir()]


def _copied(folder: Path) -> Path:
    """The same files, of a content of their own."""
    target = folder.with_name(uuid.uuid4().hex)
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def _put(store: Store, stage: Stage, made: Made, files: list[tuple[str, str]]) -> None:
    folder, tried = (store.files.path(each) for each in (names.artefact(stage.uri), names.attempts(stage.uri)))
    manifest = replace(made.manifest, uri=stage.uri, label=stage.label)
    for each in (f"{folder}/{manifest.copy}", tried):
        Path(each).mkdir(parents=True)
    for name, path in files:
        os.link(path, f"{folder}/{manifest.copy}/{name}")
    Path(folder, names.MANIFEST).write_text(encode(manifest), encoding="utf-8")
    outcome = {**members(replace(made.outcome, uri=stage.uri, label=stage.label, log="")), "written": uuid.uuid4().hex}
    Path(tried, "1.json").write_text(encode(outcome), encoding="utf-8")


def _sent(store: Store, stage: Stage, made: Made) -> None:
    store.commit(stage.uri, made.folder, replace(made.manifest, label=stage.label))
    store.attempts.add(stage.uri, replace(made.outcome, uri=stage.uri, label=stage.label, log=""))
