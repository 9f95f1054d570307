"""One cell's record, from what the store holds of its stages. Writes nothing."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa

from farm.data.sampling import not_in_rgb
from farm.errors import DamageError
from farm.measuring.round import TURNS, rounds_of
from farm.plan import Effort, Plan, PlannedCell, base
from farm.plan.facts import Evaluated, Exported, Measured, Quantized, Synthesized
from farm.plan.parameters import Evaluate, Measure
from farm.plan.stage import in_order
from farm.plan.state import State, state_of
from farm.record import Outcome, Record
from farm.results.doubts import doubts, of_detector, written
from farm.results.reader import Answers, Reader
from farm.results.speed import with_speed
from farm.shown import visible
from farm.store import Store
from farm.store.manifest import Manifest
from farm.tasks.classification import PREDICTIONS, agreement
from farm.tasks.detection.rows import agreement as of_boxes

ROLES = ("calibration", "validation", "export", "quantize", "fp32", "evaluate", "measure")
LABELS = ("model", "calibration", "calibration_source", "calibration_seed", "algorithm", "device", "runtime")
HOST = ("host", "cpu_model", "isa", "cores")
OF_TESTS = "sampled from the very images that accuracy is computed on, which makes it look better than it is"
AT_ONCE = 64  # cells that are read ahead

Uris = Mapping[str, str]  # by role
Made = Mapping[str, Manifest]  # what there is of them, by role


def record_of(reader: Reader, cell: PlannedCell) -> Record:
    """What is known of a cell, without what turns out damaged."""
    while True:
        try:
            return _sound(reader, cell)
        except DamageError as error:
            reader.note(error)


def _sound(reader: Reader, cell: PlannedCell) -> Record:
    """The same; raises DamageError where a file of an artefact shows it."""
    uris = {role: cell.stages[role] for role in sorted(cell.stages, key=lambda role: ROLES.index(base(role)))}
    made = {role: manifest for role, uri in uris.items() if (manifest := reader.manifest(uri)) is not None}
    attempts = [outcome for uri in dict.fromkeys(uris.values()) for outcome in reader.attempts(uri)]
    optimistic = OF_TESTS if reader.plan.is_calibrated_on_tests(cell) else None
    record = Record(
        grid=reader.plan.grid,
        cell=cell.name,
        **{name: getattr(cell, name) for name in LABELS},
        calibration_note="; ".join(filter(None, [_set_note(made), optimistic])) or None,
        outcome="ok",
        attempts=len(attempts),
        started_at=min((outcome.started_at for outcome in attempts if outcome.started_at), default=None),
        finished_at=max((outcome.finished_at for outcome in attempts if outcome.finished_at), default=None),
    )
    record = _with_times(_with_sizes(_with_ending(record, reader, uris, made), uris, made), made)
    return _with_speed(_with_accuracy(record, reader, uris, made), reader, uris, made)


def _with_ending(record: Record, reader: Reader, uris: Uris, made: Made) -> Record:
    """ok, failed (with the first stage that failed, and why) or pending."""
    missing = [reader.plan.stages[uri] for role, uri in uris.items() if role not in made]
    for stage in missing:
        last = next(reversed(reader.attempts(stage.uri)), None)
        if stage.uri in reader.damaged:
            damage = Outcome(uri=stage.uri, label="", error_class="damaged", error_type=DamageError.__name__)
            return _failed(record, damage, f"{stage.kind} {stage.label}: {reader.damaged[stage.uri].why}")
        state = state_of(done=False, missing=stage.missing, failed=last is not None and not last.ok)
        if state is State.MISSING_INPUT:
            last = Outcome(uri=stage.uri, label="", error_class="missing_input", error_type="MissingInput")
            return _failed(record, last, stage.missing)
        if state is State.FAILED and last is not None:
            return _failed(record, last, f"{stage.kind} {stage.label}: {last.error_message}")
    return replace(record, outcome="pending") if missing else record


def _failed(record: Record, last: Outcome, text: str) -> Record:
    return replace(
        record,
        outcome="failed",
        error_class=last.error_class,
        error_type=last.error_type,
        error_message=text,
        log=last.log or None,
    )


def _with_accuracy(record: Record, reader: Reader, uris: Uris, made: Made) -> Record:
    if "evaluate" not in made:
        return record
    facts = made["evaluate"].facts_as(Evaluated)
    record = replace(
        record,
        metric=facts.metric,
        score=facts.score,
        top1=facts.top1,
        figures=json.dumps(facts.figures, sort_keys=True) if facts.figures else None,
        n_images=facts.n_images,
        truth=facts.truth,
        dataset_note=_note(facts.note, [facts.converted or {}]),
    )
    if "quantize" not in uris:
        record = replace(record, doubts=_doubts(reader, uris["evaluate"], facts))
    if "fp32" not in made:
        return record
    fp32 = made["fp32"].facts_as(Evaluated)
    return replace(
        record,
        score_drop=_drop(fp32.score, facts.score),
        top1_drop=_drop(fp32.top1, facts.top1),
        agreement=_agreement(reader.answers(uris["evaluate"]), reader.answers_of_fp32(uris["fp32"])),
    )


def _agreement(ours: Answers, theirs: Answers) -> float:
    """How far two models say the same of the test images, as their task means it."""
    if isinstance(ours, pa.Table) or isinstance(theirs, pa.Table):
        return of_boxes(ours, theirs)
    return agreement(ours, theirs)


def _doubts(reader: Reader, uri: str, facts: Evaluated) -> str | None:
    """What is implausible of a model that is not quantized. uri: of its evaluation."""
    how = reader.plan.stages[uri].parameters_as(Evaluate).preprocessing
    if PREDICTIONS not in reader.left(uri):
        found = of_detector(how, nothing=not any(map(len, reader.table(uri, reader.left(uri)[0])["scores"])))
        return written(found)
    answers = reader.table(uri, PREDICTIONS)
    prediction, label = (answers[name].to_numpy() for name in ("prediction", "label"))
    return written(doubts(how, prediction, label, classes=facts.top1 is not None))


def _with_speed(record: Record, reader: Reader, uris: Uris, made: Made) -> Record:
    facts = made["measure"].facts_as(Measured) if "measure" in made else Measured()
    if facts.ended is None:  # also of a farm that judged nothing yet
        return record
    rounds = rounds_of(reader.table(uris["measure"], TURNS))
    how = reader.plan.stages[uris["measure"]].parameters_as(Measure).rounds
    effort = reader.plan.effort or Effort()
    judged = with_speed(record, rounds, effort, facts.ended, per_node=how.per_node, preprocess=how.preprocess)
    return replace(judged, disturbers=json.dumps(facts.disturbers) if facts.disturbers else None)


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


def records_of(plan: Plan, store: Store, present: Collection[str]) -> list[Record]:
    """The records of a plan's cells as they would be gathered now, each as if it were alone. Writes nothing.

    present: the uris of which the store has an artefact; it is not asked for others.
    """
    reader, records = Reader(plan=plan, store=store, present=present), list[Record]()
    for start in range(0, len(plan.cells), AT_ONCE):
        cells = plan.cells[start : start + AT_ONCE]
        reader.read_ahead(cells)
        records += [record_of(reader, cell) for cell in cells]
        reader.forget(())
    return records
