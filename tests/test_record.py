"""Outcomes and records: their columns, and how they are read back."""

import json
from dataclasses import asdict
from typing import get_args

from farm.codec import decode, encode
from farm.record import (
    COLUMNS,
    FAILURE_CLASSES,
    FailureClass,
    Outcome,
    Record,
    accuracy_of,
    as_given,
    drop_of,
    is_fp32_ir,
    metric_of,
    source_of,
)

ISSUE = (
    "grid, cell, model, calibration, algorithm, device, runtime, outcome, error_class, error_type, error_message, "
    "log, attempts, top1, top1_drop, agreement, n_images, subset_size, fps, speedup_ir, speedup_pytorch, verdict, "
    "latency_p50_ms, latency_p90_ms, latency_p95_ms, latency_p99_ms, latency_p999_ms, size_mib, "
    "int8_layers, export_s, quantize_s, evaluate_s, measure_s, peak_rss_mib, host, cpu_model, isa, cores, threads, "
    "streams, precision, versions, started_at, finished_at"
)
WHO = ("grid", "cell", "model", "algorithm", "device", "runtime", "outcome")


NOTE = ("calibration_source", "calibration_seed", "calibration_note", "dataset_note", "doubts")
INT8 = ("weighted_layers", "int8_weights_share")
METRIC = ("metric", "score", "score_drop", "figures", "truth")
CONTROL = (
    "control_drop", "control_images", "control_labels", "validate_on",
    "stopped_by", "reached", "iterations", "reverted_layers",
)  # fmt: skip
SPEED = (
    "fps_ir", "speedup_ir_low", "speedup_ir_high", "speedup_pytorch_low", "speedup_pytorch_high",
    "verdict_cause", "within", "asked", "least_pairs", "ended", "pairs", "disturbed_pairs", "worst_signal",
    "worst_share", "mismatches", "unsteady_rounds", "foreign_share", "steal_share", "per_node", "timed",
    "memory_format", "speedup_slow", "speedup_slow_low", "speedup_slow_high", "cores_ran", "full_speed_share",
    "probe_ns", "disturbers",
)  # fmt: skip


def test_a_record_has_the_promised_columns_in_their_order():
    later = NOTE + METRIC + CONTROL + SPEED + INT8
    assert tuple(ISSUE.split(", ")) == tuple(name for name in COLUMNS if name not in later)
    assert set(later) < set(COLUMNS)


def test_what_is_not_known_of_a_cell_is_null_and_only_attempts_are_counted_from_0():
    record = asdict(Record(**dict.fromkeys(WHO, "x")))
    assert {name for name, value in record.items() if value is not None} == {*WHO, "attempts"}
    assert record["attempts"] == 0


def test_every_failure_class_is_explained():
    assert set(FAILURE_CLASSES) == set(get_args(FailureClass))


def test_an_outcome_is_fine_exactly_without_a_failure_class():
    assert Outcome(uri="export/1", label="x").ok
    assert not any(Outcome(uri="export/1", label="x", error_class=cause).ok for cause in FAILURE_CLASSES)


def test_an_outcome_is_read_back_and_fields_of_a_later_schema_are_left_out():
    outcome = Outcome(uri="export/1", label="x", attempt=3, error_class="crash", signal=11, wall_s=0.5)
    written = json.loads(encode(outcome))
    assert decode(Outcome, written | {"colour": "blue"}) == outcome


def record(**columns):
    return Record(**dict.fromkeys(WHO, "x") | columns)


def test_the_ir_is_the_fp32_one_where_nothing_says_another_precision():
    assert is_fp32_ir(record(algorithm="ir"))
    assert is_fp32_ir(record(algorithm="ir", precision="f32"))
    assert not is_fp32_ir(record(algorithm="ir", precision="bf16"))
    assert not is_fp32_ir(record(algorithm="ir", device="CPU{precision=bf16}"))
    assert not is_fp32_ir(record(algorithm="default"))


def test_records_older_than_metrics_have_the_accuracy_and_drop_of_top1():
    old, new = record(top1=0.5, top1_drop=0.1), record(top1=0.5, top1_drop=0.1, score=0.7, score_drop=0.2)
    assert [(accuracy_of(row), drop_of(row)) for row in (old, new)] == [(0.5, 0.1), (0.7, 0.2)]
    assert drop_of(record(algorithm="ir", top1_drop=0.0)) is None


def test_records_older_than_the_column_of_sources_have_that_of_sets():
    assert source_of(record(calibration="noise")) == "noise"
    assert source_of(record(calibration="noise{seed=1}", calibration_source="noise")) == "noise"


def test_a_baseline_with_layers_in_int8_was_quantized_as_it_came():
    assert as_given(record(algorithm="ir", int8_layers=4))
    assert not as_given(record(algorithm="ir"))
    assert not as_given(record(algorithm="default", int8_layers=4))


def test_a_grid_s_metric_is_that_of_the_first_record_that_knows_one():
    older, known = (Record(**dict.fromkeys(WHO, "x"), metric=metric) for metric in (None, "top5"))
    assert metric_of([older, known]) == "top5"
    assert metric_of([older]) is None
