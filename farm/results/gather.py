"""From plan.json and the store to ``results/<grid>/*.parquet``. Can always be done again."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from farm.measuring.round import rounds_of
from farm.plan import Effort, Plan, PlannedCell, base
from farm.plan.state import State, state_of
from farm.record import SCHEMA_VERSION, Outcome, Record
from farm.results import migrate, tables
from farm.results.folder import Folder
from farm.results.speed import with_pytorch_speedup, with_speed
from farm.store import Store

ROLES = ("calibration", "validation", "export", "quantize", "fp32", "evaluate", "measure")
QUANTIZED = (
    "int8_layers", "subset_size", "control_drop", "control_images", "control_labels",
    "validate_on", "stopped_by", "reached", "iterations", "reverted_layers",
)  # fmt: skip
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
    _copy_by_cell(folder, tables.PREDICTIONS, plan, store, role="evaluate", file="predictions.parquet")
    _copy_by_cell(folder, tables.LATENCIES, plan, store, role="measure", file="rounds.parquet")
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
    manifests: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    tries: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    predictions: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)  # of FP32 IRs only

    def manifest(self, uri: str) -> dict[str, Any] | None:
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
        found = {role: manifest for role, uri in stages.items() if (manifest := self.manifest(uri)) is not None}
        every = [outcome for uri in dict.fromkeys(stages.values()) for outcome in self.attempts(uri)]
        record = Record(
            grid=self.plan.grid,
            cell=cell.name,
            model=cell.model,
            calibration=cell.calibration,
            calibration_source=cell.calibration_source,  # plans of an older farm have none
            calibration_seed=cell.calibration_seed,
            algorithm=cell.algorithm,
            device=cell.device,
            runtime=cell.runtime,
            calibration_note=found.get("calibration", {"facts": {}})["facts"].get("note"),
            **self.ending(stages, found),
            attempts=len(every),
            **self.accuracy(stages, found),
            **_sizes(stages, found),
            **_times(found),
            started_at=min((outcome.started_at for outcome in every if outcome.started_at), default=None),
            finished_at=max((outcome.finished_at for outcome in every if outcome.finished_at), default=None),
        )
        return self.with_speed(record, stages, found)

    def ending(self, stages: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, Any]:
        """ok, failed (with the first stage that failed, and why) or pending."""
        missing = [role for role in stages if role not in found]
        if not missing:
            return {"outcome": "ok"}
        for role in missing:
            stage, last = self.plan.stages[stages[role]], next(reversed(self.attempts(stages[role])), None)
            state = state_of(done=False, missing=stage.missing, failed=last is not None and not last.ok)
            if state is State.MISSING_INPUT:
                error = {"error_class": "missing_input", "error_type": "MissingInput", "error_message": stage.missing}
                return {"outcome": "failed", **error}
            if state is State.FAILED and last is not None:
                text = f"{stage.kind} {stage.label}: {last.error_message}"
                error = {"error_class": str(last.error_class), "error_type": last.error_type, "error_message": text}
                return {"outcome": "failed", **error, "log": last.log or None}
        return {"outcome": "pending"}

    def accuracy(self, stages: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, Any]:
        if "evaluate" not in found:
            return {}
        facts = found["evaluate"]["facts"]
        said = {key: facts.get(key) for key in ("metric", "score", "top1", "n_images")}
        if "fp32" not in found:
            return said
        if stages["fp32"] not in self.predictions:
            self.predictions[stages["fp32"]] = self.prediction(stages["fp32"])
        ours, theirs = self.prediction(stages["evaluate"]), self.predictions[stages["fp32"]]
        whole = found["fp32"]["facts"]
        drops = {f"{key}_drop": whole[key] - facts[key] for key in ("score", "top1") if key in facts}
        return {**said, **drops, "agreement": float(np.mean(ours == theirs))}

    def prediction(self, uri: str) -> np.ndarray[Any, Any]:
        table = pq.read_table(self.store.open(uri) / "predictions.parquet", columns=["prediction"])
        return np.asarray(table["prediction"].to_numpy())

    def with_speed(self, record: Record, stages: Mapping[str, str], found: Mapping[str, Any]) -> Record:
        facts = found.get("measure", {"facts": {}})["facts"]
        if "ended" not in facts:  # also of a farm that judged nothing yet
            return record
        rounds = rounds_of(migrate.artefact(pq.read_table(self.store.open(stages["measure"]) / "rounds.parquet")))
        how = self.plan.stages[stages["measure"]].parameters["measure"]
        played = {name: how[name] for name in ("per_node", "preprocess")}
        return with_speed(record, rounds, self.plan.effort or Effort(), facts["ended"], **played)


def _sizes(stages: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, Any]:
    variant = found.get("quantize" if "quantize" in stages else "export")
    if variant is None:
        return {}
    facts = variant["facts"]
    return {"size_mib": facts["size_mib"], **{key: facts[key] for key in QUANTIZED if key in facts}}


def _times(found: Mapping[str, Any]) -> dict[str, Any]:
    """Wall times, host facts and versions. The host is where speed was measured, else where accuracy was."""
    said: dict[str, Any] = {f"{role}_s": found[role]["wall_s"] for role in TIMED if role in found}
    if not found:
        return said
    peaks = [each["peak_rss_mib"] for each in found.values() if each["peak_rss_mib"] is not None]
    said["peak_rss_mib"] = max(peaks, default=None)
    host = (found.get("measure") or found.get("evaluate") or next(iter(found.values())))["host"]
    versions = {name: version for each in found.values() for name, version in each["versions"].items()}
    said["versions"] = json.dumps(versions, sort_keys=True)
    return said | {key: host[key] for key in ("host", "cpu_model", "isa", "cores")}


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
        digest = hashlib.sha256(f"{SCHEMA_VERSION}\0{cell.name}\0{uri}\0{manifest['copy']}".encode()).hexdigest()
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
