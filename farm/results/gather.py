"""From plan.json and the store to ``results/<grid>/*.parquet``. Can always be done again."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.damage import reading
from farm.data.sampling import not_in_rgb
from farm.errors import DamageError
from farm.measuring.round import TURNS, rounds_of
from farm.plan import Effort, Plan, PlannedCell, base
from farm.plan.facts import Evaluated, Exported, Measured, Quantized, Synthesized
from farm.plan.parameters import Evaluate, Measure
from farm.plan.stage import in_order
from farm.plan.state import State, state_of
from farm.record import SCHEMA_VERSION, Outcome, Record
from farm.results import migrate, parquet, tables
from farm.results.doubts import doubts, written
from farm.results.folder import Folder
from farm.results.speed import among, with_speed
from farm.shown import visible
from farm.store import Store
from farm.store.manifest import REMEDY, Manifest
from farm.tasks.classification import PREDICTIONS, agreement

ROLES = ("calibration", "validation", "export", "quantize", "fp32", "evaluate", "measure")
LABELS = ("model", "calibration", "calibration_source", "calibration_seed", "algorithm", "device", "runtime")
HOST = ("host", "cpu_model", "isa", "cores")
SAMPLES = 64
OF_TESTS = "sampled from the very images that accuracy is computed on, which makes it look better than it is"
OLDER = {TURNS: "rounds.parquet"}  # files that had another name
LEFT: Mapping[str, Sequence[type]] = {  # by stages: file -> what its rows are
    TURNS: tables.ROWS[tables.LATENCIES][1:],
    PREDICTIONS: tables.ROWS[tables.PREDICTIONS][1:],
}

Uris = Mapping[str, str]  # by role
Made = Mapping[str, Manifest]  # what there is of them, by role


def gather(folder: Folder, store: Store, plan: Plan | None = None) -> list[Record]:
    """Write records, attempts, predictions, latencies and samples; returns the records, in the grid's order.

    A cell that has a damaged artefact has failed, as `damaged`. plan: that was run; None for the one that lies there,
    which is of the run that began last.
    """
    return gathered(folder, store, plan or folder.read_plan())[0]


class Damage(NamedTuple):
    """What shows that an artefact is damaged, and in which of its copies; empty of a manifest that cannot be read."""

    why: str
    copy: str


def gathered(folder: Folder, store: Store, plan: Plan) -> tuple[list[Record], Mapping[str, Damage]]:
    """The same: the records, and which artefacts are damaged."""
    reader = _Reader(plan=plan, store=store)
    records = reader.records()
    while not _written(folder, plan, reader, records):  # what is copied is read to its end: more damage shows
        records = reader.records()
    return records, reader.damaged


def _written(folder: Folder, plan: Plan, reader: "_Reader", records: Sequence[Record]) -> bool:
    """Write it all; whether no damage showed."""
    known = len(reader.damaged)
    attempts = (outcome for uri in plan.stages for outcome in reader.attempts(uri))
    folder.write(tables.RECORDS, tables.records(records, plan.claims.model_dump(), plan.command))
    folder.write(tables.ATTEMPTS, tables.table_of(tables.ATTEMPTS, attempts))
    folder.write(tables.SAMPLES, tables.table_of(tables.SAMPLES, reader.samples()))
    reader.copy_rows(folder, records, tables.PREDICTIONS, role="evaluate", file=PREDICTIONS, counter="position")
    reader.copy_rows(folder, records, tables.LATENCIES, role="measure", file=TURNS)
    return len(reader.damaged) == known


def artefact(store: Store, uri: str, file: str) -> pa.Table:
    """A table that a stage of any version left, as one of today. Raises DamageError if it is damaged."""
    content = store.read(uri, file, OLDER.get(file, file))
    with reading(f"{file} of {uri}", REMEDY, uri):
        return parquet.conformed(migrate.today(parquet.parsed(content)), LEFT[file])


def records_of(plan: Plan, store: Store, present: Collection[str]) -> list[Record]:
    """The records as `gather` would write them now, in the grid's order. Writes nothing.

    present: the uris of which the store has an artefact; it is not asked for others.
    """
    return _Reader(plan=plan, store=store, present=present).records()


@dataclass(slots=True, kw_only=True)
class _Reader:
    """The store as a plan sees it, each manifest and attempt read once. present: as in `records_of`; None: ask it.

    damaged: uri -> why. Such an artefact counts as missing.
    """

    plan: Plan
    store: Store
    present: Collection[str] | None = None
    manifests: dict[str, Manifest | None] = field(default_factory=dict)
    tries: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    predictions: dict[str, NDArray[np.int32]] = field(default_factory=dict)  # of FP32 IRs only
    damaged: dict[str, Damage] = field(default_factory=dict)

    def manifest(self, uri: str) -> Manifest | None:
        if uri in self.damaged:
            return None
        if uri not in self.manifests:
            there = self.present is None or uri in self.present
            self.manifests[uri] = self.store.whole(uri) if there else None
        return self.manifests[uri]

    def attempts(self, uri: str) -> tuple[Outcome, ...]:
        if uri not in self.tries:
            self.tries[uri] = self.store.attempts(uri)
        return self.tries[uri]

    def records(self) -> list[Record]:
        return among([self.record(cell) for cell in self.plan.cells])

    def record(self, cell: PlannedCell) -> Record:
        """What is known of a cell, without what turns out damaged."""
        while True:
            try:
                return self.sound_record(cell)
            except DamageError as error:
                self.note(error)

    def note(self, error: DamageError) -> None:
        """Remember which artefact is damaged. Raises what is no artefact's."""
        if not error.uri or error.uri in self.damaged:
            raise error
        manifest = self.manifests.get(error.uri)
        self.damaged[error.uri] = Damage(str(error), manifest.copy if manifest else "")

    def sound_record(self, cell: PlannedCell) -> Record:
        """The same; raises DamageError where a file of an artefact shows it."""
        uris = {role: cell.stages[role] for role in sorted(cell.stages, key=lambda role: ROLES.index(base(role)))}
        made = {role: manifest for role, uri in uris.items() if (manifest := self.manifest(uri)) is not None}
        attempts = [outcome for uri in dict.fromkeys(uris.values()) for outcome in self.attempts(uri)]
        record = Record(
            grid=self.plan.grid,
            cell=cell.name,
            **{name: getattr(cell, name) for name in LABELS},
            calibration_note="; ".join(filter(None, [_set_note(made), self.optimistic(cell)])) or None,
            outcome="ok",
            attempts=len(attempts),
            started_at=min((outcome.started_at for outcome in attempts if outcome.started_at), default=None),
            finished_at=max((outcome.finished_at for outcome in attempts if outcome.finished_at), default=None),
        )
        record = _with_sizes(self.with_ending(record, uris, made), uris, made)
        return self.with_speed(self.with_accuracy(_with_times(record, made), uris, made), uris, made)

    def optimistic(self, cell: PlannedCell) -> str | None:
        """What is said of a set that is made of test images."""
        return OF_TESTS if self.plan.is_calibrated_on_tests(cell) else None

    def with_ending(self, record: Record, uris: Uris, made: Made) -> Record:
        """ok, failed (with the first stage that failed, and why) or pending."""
        missing = [self.plan.stages[uri] for role, uri in uris.items() if role not in made]
        for stage in missing:
            last = next(reversed(self.attempts(stage.uri)), None)
            if stage.uri in self.damaged:
                damage = Outcome(uri=stage.uri, label="", error_class="damaged", error_type=DamageError.__name__)
                return _failed(record, damage, f"{stage.kind} {stage.label}: {self.damaged[stage.uri].why}")
            state = state_of(done=False, missing=stage.missing, failed=last is not None and not last.ok)
            if state is State.MISSING_INPUT:
                last = Outcome(uri=stage.uri, label="", error_class="missing_input", error_type="MissingInput")
                return _failed(record, last, stage.missing)
            if state is State.FAILED and last is not None:
                return _failed(record, last, f"{stage.kind} {stage.label}: {last.error_message}")
        return replace(record, outcome="pending") if missing else record

    def with_accuracy(self, record: Record, uris: Uris, made: Made) -> Record:
        if "evaluate" not in made:
            return record
        facts = made["evaluate"].facts_as(Evaluated)
        record = replace(
            record,
            metric=facts.metric,
            score=facts.score,
            top1=facts.top1,
            n_images=facts.n_images,
            dataset_note=_note(facts.note, [facts.converted or {}]),
        )
        if "quantize" not in uris:
            record = replace(record, doubts=self.doubts(uris, facts))
        if "fp32" not in made:
            return record
        fp32 = made["fp32"].facts_as(Evaluated)
        if uris["fp32"] not in self.predictions:
            self.predictions[uris["fp32"]] = self.predicted(uris["fp32"])
        return replace(
            record,
            score_drop=_drop(fp32.score, facts.score),
            top1_drop=_drop(fp32.top1, facts.top1),
            agreement=agreement(self.predicted(uris["evaluate"]), self.predictions[uris["fp32"]]),
        )

    def doubts(self, uris: Uris, facts: Evaluated) -> str | None:
        """What is implausible of a model that is not quantized."""
        answers = artefact(self.store, uris["evaluate"], PREDICTIONS)
        how = self.plan.stages[uris["evaluate"]].parameters_as(Evaluate).preprocessing
        prediction, label = (answers[name].to_numpy() for name in ("prediction", "label"))
        return written(doubts(how, prediction, label, classes=facts.top1 is not None))

    def predicted(self, uri: str) -> NDArray[np.int32]:
        """The class that an evaluation gives each test image, (n,)."""
        return np.asarray(artefact(self.store, uri, PREDICTIONS)["prediction"].to_numpy())

    def with_speed(self, record: Record, uris: Uris, made: Made) -> Record:
        facts = made["measure"].facts_as(Measured) if "measure" in made else Measured()
        if facts.ended is None:  # also of a farm that judged nothing yet
            return record
        rounds = rounds_of(artefact(self.store, uris["measure"], TURNS))
        how = self.plan.stages[uris["measure"]].parameters_as(Measure).rounds
        effort = self.plan.effort or Effort()
        judged = with_speed(record, rounds, effort, facts.ended, per_node=how.per_node, preprocess=how.preprocess)
        return replace(judged, disturbers=json.dumps(facts.disturbers) if facts.disturbers else None)

    def samples(self) -> Iterator[tables.Sample]:
        """The first 64 images of each calibration set, as PNG bytes. Its first shard has them; sets may share it.

        Of a set that models take in several sizes, those of the first.
        """
        first: dict[str | None, str] = {}
        for cell in self.plan.cells:
            if (uri := cell.stages.get("calibration")) and self.manifest(uri) is not None:
                first.setdefault(cell.calibration, uri)
        for name, uri in first.items():
            if name:
                for index, (png, label) in enumerate(self.first_images(uri)):
                    yield tables.Sample(calibration=name, index=index, label=label, png=png)

    def first_images(self, uri: str) -> list[tuple[bytes, int]]:
        """The first images of a shard as PNG bytes, with their labels; none of one that turns out damaged."""
        try:
            try:
                with reading(f"images of {uri}", REMEDY, uri):
                    return list(tables.first_images(self.store.open(uri), SAMPLES))
            except OSError:  # Arrow's, of a page that it cannot unpack, or the disk's
                self.store.check(uri)
                raise
        except DamageError as error:
            self.note(error)
            return []

    def copy_rows(
        self, folder: Folder, records: Sequence[Record], name: str, *, role: str, file: str, counter: str | None = None
    ) -> None:
        """One file a cell, with whose it is before each row, written only where it is new; others are removed."""
        wanted = set()
        for cell, record in zip(self.plan.cells, records, strict=True):
            uri = cell.stages.get(role, "")
            manifest = self.manifest(uri) if uri else None
            if manifest is None:
                continue
            digest = hashlib.sha256(f"{SCHEMA_VERSION}\0{cell.name}\0{uri}\0{manifest.copy}".encode()).hexdigest()
            target = f"{name}/{digest[:24]}.parquet"
            wanted.add(target)
            if not folder.has(target):
                try:
                    table = artefact(self.store, uri, file)
                except DamageError as error:
                    self.note(error)
                    continue
                folder.write(target, tables.of_cell(name, table, tables.whose(record)), counter)
        folder.keep_only(name, wanted)


def _failed(record: Record, last: Outcome, text: str) -> Record:
    return replace(
        record,
        outcome="failed",
        error_class=last.error_class,
        error_type=last.error_type,
        error_message=text,
        log=last.log or None,
    )


def _set_note(made: Made) -> str | None:
    """What is known of the calibration set: its last shard tells of all images up to its own, each of its own modes."""
    shards = [shard.facts_as(Synthesized) for shard in in_order("calibration", made)]
    return _note(shards[-1].note, [shard.converted or {} for shard in shards]) if shards else None


def _note(known: str | None, converted: Sequence[Mapping[str, int]]) -> str | None:
    """What must be known of images. converted: how many are not in RGB, by what they are, of each part of them."""
    total: Counter[str] = Counter()
    for counts in converted:
        total.update(counts)
    return visible("; ".join(filter(None, [known, not_in_rgb(total)]))) or None


def _drop(fp32: float | None, variant: float | None) -> float | None:
    return None if fp32 is None or variant is None else fp32 - variant


def _with_sizes(record: Record, uris: Uris, made: Made) -> Record:
    if "quantize" not in uris:
        return replace(record, **_sizes(made["export"].facts_as(Exported))) if "export" in made else record
    if "quantize" not in made:
        return record
    facts = made["quantize"].facts_as(Quantized)
    control = asdict(facts.control) if facts.control else {}
    return replace(record, **_sizes(facts), subset_size=facts.subset_size, **control)


def _sizes(facts: Exported | Quantized) -> dict[str, Any]:
    names = ("size_mib", "int8_layers", "weighted_layers", "int8_weights_share")
    return {name: getattr(facts, name) for name in names}


def _with_times(record: Record, made: Made) -> Record:
    """Wall times, host facts and versions. The host is where speed was measured, else where accuracy was."""
    if not made:
        return record
    host = (made.get("measure") or made.get("evaluate") or next(iter(made.values()))).host
    versions = {name: version for manifest in made.values() for name, version in manifest.versions.items()}
    peaks = [manifest.peak_rss_mib for manifest in made.values() if manifest.peak_rss_mib is not None]
    return replace(
        record,
        peak_rss_mib=max(peaks, default=None),
        versions=json.dumps(versions, sort_keys=True),
        export_s=made["export"].wall_s if "export" in made else None,
        quantize_s=made["quantize"].wall_s if "quantize" in made else None,
        evaluate_s=made["evaluate"].wall_s if "evaluate" in made else None,
        measure_s=made["measure"].wall_s if "measure" in made else None,
        **{name: getattr(host, name) for name in HOST if host},
    )
