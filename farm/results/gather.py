"""From plan.json and the store to ``results/<grid>/*.parquet``. Can always be done again."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from farm.measuring.round import ROUNDS, rounds_of
from farm.plan import Effort, Plan, PlannedCell, base
from farm.plan.facts import Evaluated, Exported, Measured, Synthesized, quantized
from farm.plan.parameters import Measure
from farm.plan.state import State, state_of
from farm.record import SCHEMA_VERSION, Outcome, Record
from farm.results import migrate, tables
from farm.results.folder import Folder
from farm.results.speed import with_pytorch_speedup, with_speed
from farm.store import Store
from farm.store.manifest import Manifest
from farm.tasks.classification import PREDICTIONS, agreement, predictions

ROLES = ("calibration", "validation", "export", "quantize", "fp32", "evaluate", "measure")
LABELS = ("model", "calibration", "calibration_source", "calibration_seed", "algorithm", "device", "runtime")
HOST = ("host", "cpu_model", "isa", "cores")
TIMED = ("export", "quantize", "evaluate", "measure")
SAMPLES = 64


def gather(folder: Folder, store: Store) -> list[Record]:
    """Write records, attempts, predictions, latencies and samples; returns the records, in the grid's order."""
    plan = folder.read_plan()
    reader = _Reader(plan=plan, store=store)
    records = reader.records()
    folder.write(tables.RECORDS, tables.records(records, plan.claims.model_dump(), plan.command))
    folder.write(tables.ATTEMPTS, tables.attempts(reader.all_attempts()))
    folder.write(tables.SAMPLES, tables.samples(_samples(plan, store)))
    _copy_by_cell(folder, tables.PREDICTIONS, plan, store, role="evaluate", file=PREDICTIONS)
    _copy_by_cell(folder, tables.LATENCIES, plan, store, role="measure", file=ROUNDS)
    return records


def records_of(plan: Plan, store: Store, present: Collection[str]) -> list[Record]:
    """The records as `gather` would write them now, in the grid's order. Writes nothing.

    present: the uris of which the store has an artefact; it is not asked for others.
    """
    return _Reader(plan=plan, store=store, present=present).records()


@dataclass(slots=True, kw_only=True)
class _Reader:
    """The store as a plan sees it, each manifest and attempt read once. present: as in `records_of`; None: ask it."""

    plan: Plan
    store: Store
    present: Collection[str] | None = None
    manifests: dict[str, Manifest | None] = field(default_factory=dict)
    tries: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    predictions: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)  # of FP32 IRs only

    def manifest(self, uri: str) -> Manifest | None:
        if uri not in self.manifests:
            there = self.present is None or uri in self.present
            self.manifests[uri] = self.store.manifest(uri) if there else None
        return self.manifests[uri]

    def attempts(self, uri: str) -> tuple[Outcome, ...]:
        if uri not in self.tries:
            self.tries[uri] = self.store.attempts(uri)
        return self.tries[uri]

    def all_attempts(self) -> list[Outcome]:
        return [outcome for uri in self.plan.stages for outcome in self.attempts(uri)]

    def records(self) -> list[Record]:
        return with_pytorch_speedup([self.record(cell) for cell in self.plan.cells])

    def record(self, cell: PlannedCell) -> Record:
        roles = sorted(cell.stages, key=lambda role: ROLES.index(base(role)))
        stages = {role: cell.stages[role] for role in roles}
        manifests = {role: manifest for role, uri in stages.items() if (manifest := self.manifest(uri)) is not None}
        attempts = [outcome for uri in dict.fromkeys(stages.values()) for outcome in self.attempts(uri)]
        shard = manifests.get("calibration")
        record = Record(
            grid=self.plan.grid,
            cell=cell.name,
            **{name: getattr(cell, name) for name in LABELS},
            calibration_note=shard.facts_as(Synthesized).note if shard else None,
            **self.ending(stages, manifests),
            attempts=len(attempts),
            **self.accuracy(stages, manifests),
            **_sizes(stages, manifests),
            **_times(manifests),
            started_at=min((outcome.started_at for outcome in attempts if outcome.started_at), default=None),
            finished_at=max((outcome.finished_at for outcome in attempts if outcome.finished_at), default=None),
        )
        return self.with_speed(record, stages, manifests)

    def ending(self, stages: Mapping[str, str], manifests: Mapping[str, Manifest]) -> dict[str, Any]:
        """ok, failed (with the first stage that failed, and why) or pending."""
        missing = [self.plan.stages[uri] for role, uri in stages.items() if role not in manifests]
        for stage in missing:
            last = next(reversed(self.attempts(stage.uri)), None)
            state = state_of(done=False, missing=stage.missing, failed=last is not None and not last.ok)
            if state is State.MISSING_INPUT:
                return _failed("missing_input", "MissingInput", stage.missing)
            if state is State.FAILED and last is not None:
                text = f"{stage.kind} {stage.label}: {last.error_message}"
                return {**_failed(str(last.error_class), last.error_type, text), "log": last.log or None}
        return {"outcome": "pending" if missing else "ok"}

    def accuracy(self, stages: Mapping[str, str], manifests: Mapping[str, Manifest]) -> dict[str, Any]:
        if "evaluate" not in manifests:
            return {}
        facts = manifests["evaluate"].facts_as(Evaluated)
        columns = {name: getattr(facts, name) for name in ("metric", "score", "top1", "n_images")}
        if "fp32" not in manifests:
            return columns
        fp32 = manifests["fp32"].facts_as(Evaluated)
        if stages["fp32"] not in self.predictions:
            self.predictions[stages["fp32"]] = predictions(self.store.open(stages["fp32"]))
        ours, theirs = predictions(self.store.open(stages["evaluate"])), self.predictions[stages["fp32"]]
        drops = {"score_drop": _drop(fp32.score, facts.score), "top1_drop": _drop(fp32.top1, facts.top1)}
        return {**columns, **drops, "agreement": agreement(ours, theirs)}

    def with_speed(self, record: Record, stages: Mapping[str, str], manifests: Mapping[str, Manifest]) -> Record:
        facts = manifests["measure"].facts_as(Measured) if "measure" in manifests else Measured()
        if facts.ended is None:  # also of a farm that judged nothing yet
            return record
        rounds = rounds_of(migrate.artefact(pq.read_table(self.store.open(stages["measure"]) / ROUNDS)))
        how = self.plan.stages[stages["measure"]].parameters_as(Measure).rounds
        effort = self.plan.effort or Effort()
        return with_speed(record, rounds, effort, facts.ended, per_node=how.per_node, preprocess=how.preprocess)


def _failed(error_class: str, error_type: str, message: str) -> dict[str, Any]:
    return {"outcome": "failed", "error_class": error_class, "error_type": error_type, "error_message": message}


def _drop(fp32: float | None, variant: float | None) -> float | None:
    return None if fp32 is None or variant is None else fp32 - variant


def _sizes(stages: Mapping[str, str], manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    if "quantize" not in stages:
        return {"size_mib": manifests["export"].facts_as(Exported).size_mib} if "export" in manifests else {}
    if "quantize" not in manifests:
        return {}
    facts = quantized(manifests["quantize"].facts)
    columns = {"size_mib": facts.size_mib, "int8_layers": facts.int8_layers, "subset_size": facts.subset_size}
    return columns | (asdict(facts.control) if facts.control else {})


def _times(manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    """Wall times, host facts and versions. The host is where speed was measured, else where accuracy was."""
    columns: dict[str, Any] = {f"{role}_s": manifests[role].wall_s for role in TIMED if role in manifests}
    if not manifests:
        return columns
    peaks = [manifest.peak_rss_mib for manifest in manifests.values() if manifest.peak_rss_mib is not None]
    host = (manifests.get("measure") or manifests.get("evaluate") or next(iter(manifests.values()))).host
    versions = {name: version for manifest in manifests.values() for name, version in manifest.versions.items()}
    columns |= {"peak_rss_mib": max(peaks, default=None), "versions": json.dumps(versions, sort_keys=True)}
    return columns | ({name: getattr(host, name) for name in HOST} if host else {})


def _samples(plan: Plan, store: Store) -> list[dict[str, Any]]:
    """The first 64 images of each calibration set, as PNG bytes. Its first shard has them; sets may share it."""
    found = []
    calibrating = {(cell.calibration, cell.stages.get("calibration")): None for cell in plan.cells}
    for name, uri in calibrating:
        if uri and store.has(uri):
            for index, (png, label) in enumerate(tables.first_images(store.open(uri) / "images.parquet", SAMPLES)):
                found.append({"calibration": name, "index": index, "label": label, "png": png})
    return found


def _copy_by_cell(folder: Folder, name: str, plan: Plan, store: Store, *, role: str, file: str) -> None:
    """One file a cell, with whose it is before each row, written only where it is new; others are removed."""
    wanted = set()
    for cell in plan.cells:
        uri = cell.stages.get(role)
        manifest = store.manifest(uri) if uri else None
        if uri is None or manifest is None:
            continue
        digest = hashlib.sha256(f"{SCHEMA_VERSION}\0{cell.name}\0{uri}\0{manifest.copy}".encode()).hexdigest()
        target = f"{name}/{digest[:24]}.parquet"
        wanted.add(target)
        if not folder.has(target):
            table = migrate.artefact(pq.read_table(store.open(uri) / file))
            counter = "position" if name == tables.PREDICTIONS else None
            folder.write(target, tables.of_cell(name, table, _whose(cell)), counter)
    folder.keep_only(name, wanted)


def _whose(cell: PlannedCell) -> tables.Whose:
    return tables.Whose(
        cell=cell.name,
        model=cell.model,
        calibration=cell.calibration,
        algorithm=cell.algorithm,
        device=cell.device,
        baseline=cell.calibration is None,
    )
