"""Outcome and Record: what is written down of a stage's attempt and of a cell, column by column. Knows no files.

Schema history (bump `SCHEMA_VERSION` when a column's meaning changes; `farm.results.migrate` reads older ones):
    1  first form
    2  metric, score and score_drop beside top-1; what accuracy control says of itself
    3  intervals of the speed-ups, the verdict and what it rests on; the FP32 IR is compared with itself
    4  what must be known of the calibration set; of an attempt, its GPU and node
    5  the source and the seed of the calibration set, which tell replicates of one set; claims in the metadata
    6  a verdict's cause and figures as columns, the command in the metadata; which image a prediction is of; times
    7  speeds at full speed, by rounds that take turns; `latencies/` has a row a stretch of a turn
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Literal

from farm.columns import Column

SCHEMA_VERSION = 7

Verdict = Literal["valid", "noisy", "invalid"]
Cause = Literal["property", "stray_cpus", "few_pairs", "disturbed", "wide"]
Cores = Literal["full", "mixed", "slow"]
Ended = Literal["target", "pairs", "budget", "disturbed", "futile"]
Signal = Literal["steal", "foreign", "delayed", "siblings", "throttled", "overheated"]
FailureClass = Literal["error", "crash", "timeout", "oom", "lost", "damaged", "full", "missing_input", "dep_failed"]
FAILURE_CLASSES: dict[str, str] = {
    "error": "a Python exception; never retried by itself",
    "crash": "the stage's process was ended by a signal, or left no result; retried once after a SIGKILL",
    "timeout": "the stage ran longer than its time limit",
    "oom": "memory ran out; retried once with twice the memory",
    "lost": "the worker died; retried up to three times, with pauses; the death of its node costs no try",
    "damaged": "what it left, or what it needs, is no longer what it was; set aside and made again up to three times",
    "full": "a disk had no space left; retried on other nodes, else the run ends, and goes on from there",
    "missing_input": "a local file that it needs is not there; no process was started",
    "dep_failed": "a stage that it needs failed",
}
# Who says one of these has run out of memory.
OUT_OF_MEMORY = ("MemoryError", "can't allocate memory", "bad_alloc", "Cannot allocate memory", "not enough memory")
RETRIES = {"lost": 3, "damaged": 3, "oom": 1}  # by failure class, in one run; all others have none


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt of a stage ended: a row of ``attempts.parquet``."""

    uri: Annotated[str, Column("the stage: its kind and its key")]
    label: Annotated[str, Column("the stage, as people read it")]
    attempt: Annotated[int, Column("which try of the stage, from 1")] = 0
    error_class: Annotated[FailureClass | None, Column("failure class, listed in the README; null when fine")] = None
    error_type: Annotated[str, Column("the exception or the signal")] = ""
    error_message: Annotated[str, Column("what was said of it")] = ""
    traceback: Annotated[str, Column("of the exception, with the log's tail")] = ""
    log: Annotated[str, Column("where the log lies")] = ""
    signal: Annotated[int | None, Column("that ended a process which left no result")] = None
    exit_code: Annotated[int | None, Column("of a process that left no result")] = None
    peak_rss_mib: Annotated[float | None, Column("largest resident set of the stage's process", "MiB")] = None
    host: Annotated[str, Column("where it ran")] = ""
    started_at: Annotated[datetime | None, Column("when it began", "UTC")] = None
    finished_at: Annotated[datetime | None, Column("when it ended", "UTC")] = None
    wall_s: Annotated[float, Column("how long it took, without waiting", "s")] = 0.0
    waited_s: Annotated[float, Column("how long it waited for cores that others held", "s")] = 0.0
    memory_gib: Annotated[float | None, Column("the memory that it was lent", "GiB")] = None
    gpus: Annotated[float, Column("the share of a GPU that it was lent")] = 0.0
    node_id: Annotated[str, Column("Ray's own name of its node; empty without Ray")] = ""

    @property
    def ok(self) -> bool:
        """Whether the attempt left an artefact."""
        return self.error_class is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The facts of one cell: a row of ``records.parquet``. What was not measured is None, never 0."""

    grid: Annotated[str, Column("the grid's name")]
    cell: Annotated[str, Column("`model/calibration/algorithm/device`")]
    model: Annotated[str, Column("the model, as the grid names it")]
    calibration: Annotated[str | None, Column("the calibration set; null of a baseline")] = None
    calibration_source: Annotated[str | None, Column("the set without its seed, which its replicates share")] = None
    calibration_seed: Annotated[int | None, Column("which replicate of the set")] = None
    calibration_note: Annotated[str | None, Column("what a reader must know of the set")] = None
    algorithm: Annotated[str, Column("how it was quantized; of baselines `ir` or `pytorch`")]
    device: Annotated[str, Column("the device, as the grid names it")]
    runtime: Annotated[str, Column("`openvino` or `pytorch`")]
    outcome: Annotated[str, Column("`ok`, `failed` or `pending` (not run yet)")]
    error_class: Annotated[str | None, Column("failure class of the first stage that failed")] = None
    error_type: Annotated[str | None, Column("its exception or signal")] = None
    error_message: Annotated[str | None, Column("which stage it was, and what was said")] = None
    log: Annotated[str | None, Column("where its log lies")] = None
    attempts: Annotated[int, Column("tries of all the cell's stages")] = 0
    metric: Annotated[str | None, Column("the grid's metric")] = None
    score: Annotated[float | None, Column("of the test images")] = None
    score_drop: Annotated[float | None, Column("the FP32 IR's score minus this one")] = None
    top1: Annotated[
        float | None, Column("accuracy; null of detectors, and under a metric of the user's own", "share of 1")
    ] = None
    top1_drop: Annotated[float | None, Column("the FP32 IR's top-1 minus this one", "share of 1")] = None
    agreement: Annotated[
        float | None,
        Column(
            "how far it and the FP32 IR say the same: of classes the share of test images, of boxes Dice's coefficient",
            "share of 1",
        ),
    ] = None
    figures: Annotated[
        str | None, Column("all of the task's metrics, where it has several", "JSON: {metric: value}")
    ] = None
    n_images: Annotated[int | None, Column("test images")] = None
    truth: Annotated[str | None, Column("of detectors: which images with which objects they are, a digest")] = None
    dataset_note: Annotated[str | None, Column("what a reader must know of them")] = None
    doubts: Annotated[
        str | None,
        Column(
            "what is implausible of a model that farm did not quantize. `at_chance`: guessing among so many classes is "
            "right as often; `one_class`: all images get this one; `input_range`: what pixels of 0 and 255 become; "
            "`nothing_found` by a detector",
            "JSON: {doubt: figure}",
        ),
    ] = None
    subset_size: Annotated[int | None, Column("calibration images used")] = None
    control_drop: Annotated[
        float | None,
        Column(
            "lost on accuracy control's own validation images; with `control_labels` `model` a disagreement, no drop",
            "share of 1",
        ),
    ] = None
    control_images: Annotated[int | None, Column("how many validation images")] = None
    control_labels: Annotated[str | None, Column("`given`, or `model`: what the FP32 model says")] = None
    validate_on: Annotated[str | None, Column("where they are from: `calibration` or `train`")] = None
    stopped_by: Annotated[str | None, Column("what ended accuracy control")] = None
    reached: Annotated[bool | None, Column("whether its target was reached")] = None
    iterations: Annotated[int | None, Column("of accuracy control")] = None
    reverted_layers: Annotated[int | None, Column("operations that went back to FP32")] = None
    fps: Annotated[
        float | None,
        Column("batch x inferences / wall time, of undisturbed pairs, or all where too few are", "images/s"),
    ] = None
    fps_ir: Annotated[float | None, Column("the same of the FP32 IR that it took turns with", "images/s")] = None
    speedup_ir: Annotated[
        float | None,
        Column("geometric mean of paired ratios to the FP32 IR; of the IR itself the host's noise", "ratio"),
    ] = None
    speedup_ir_low: Annotated[float | None, Column("its 99 % interval, over all looks", "ratio")] = None
    speedup_ir_high: Annotated[float | None, Column("its 99 % interval, over all looks", "ratio")] = None
    speedup_slow: Annotated[
        float | None, Column("the same of the time that was not at full speed: beside neighbours", "ratio")
    ] = None
    speedup_slow_low: Annotated[float | None, Column("its 99 % interval", "ratio")] = None
    speedup_slow_high: Annotated[float | None, Column("its 99 % interval", "ratio")] = None
    cores_ran: Annotated[
        Cores | None,
        Column(
            "`full`: figures are of what was timed at full speed; `mixed`: of all, for hardly any was; `slow`: of what "
            "was fastest, but for other cells of the run this host was faster"
        ),
    ] = None
    full_speed_share: Annotated[
        float | None, Column("of undisturbed pairs' timed time that at full speed", "share of 1")
    ] = None
    probe_ns: Annotated[float | None, Column("what the probe took at full speed, after the FP32 IR", "ns")] = None
    speedup_pytorch: Annotated[float | None, Column("the same to PyTorch: one ratio over the other", "ratio")] = None
    speedup_pytorch_low: Annotated[float | None, Column("its 99 % interval", "ratio")] = None
    speedup_pytorch_high: Annotated[float | None, Column("its 99 % interval", "ratio")] = None
    verdict: Annotated[Verdict | None, Column("on `fps` and `speedup_ir`, as docs/measurement.md says")] = None
    verdict_cause: Annotated[
        Cause | None,
        Column(
            "why it is not valid. `property`: a runtime property was not what was asked for; `stray_cpus`: threads "
            "could leave the lease; `few_pairs`: too few were measured; `disturbed`: too few were undisturbed; "
            "`wide`: the interval is wider than asked for"
        ),
    ] = None
    within: Annotated[float | None, Column("how far `speedup_ir`'s interval goes to one side", "share of 1")] = None
    asked: Annotated[float | None, Column("how far the grid lets it go", "share of 1")] = None
    least_pairs: Annotated[int | None, Column("how many undisturbed pairs the grid asks for")] = None
    ended: Annotated[Ended | None, Column("what ended measuring, as docs/measurement.md says")] = None
    pairs: Annotated[int | None, Column("undisturbed pairs")] = None
    disturbed_pairs: Annotated[int | None, Column("disturbed pairs")] = None
    worst_signal: Annotated[Signal | None, Column("what disturbed most: a signal of `latencies/` without unit")] = None
    worst_share: Annotated[float | None, Column("how much; null of `overheated`", "share of 1")] = None
    disturbers: Annotated[
        str | None, Column("programs last seen on its cores when disturbed pairs ended", "JSON: list of names")
    ] = None
    mismatches: Annotated[str | None, Column("what was not as asked", "JSON: list of {property, asked, found}")] = None
    unsteady_rounds: Annotated[int | None, Column("rounds begun before two windows of warm-up took as long")] = None
    foreign_share: Annotated[float | None, Column("other programs' time on all leased CPUs", "share of 1")] = None
    steal_share: Annotated[float | None, Column("the hypervisor's, of each round's worst CPU", "share of 1")] = None
    per_node: Annotated[int | None, Column("measurements that may share the node")] = None
    timed: Annotated[str | None, Column("`inference`, or `preprocessing and inference`")] = None
    memory_format: Annotated[str | None, Column("PyTorch's")] = None
    latency_p50_ms: Annotated[float | None, Column("quantile of the latencies that `fps` is of", "ms")] = None
    latency_p90_ms: Annotated[float | None, Column("null where fewer than ten lie beyond", "ms")] = None
    latency_p95_ms: Annotated[float | None, Column("the same", "ms")] = None
    latency_p99_ms: Annotated[float | None, Column("the same", "ms")] = None
    latency_p999_ms: Annotated[float | None, Column("the same", "ms")] = None
    size_mib: Annotated[float | None, Column("size of the IR", "MiB")] = None
    int8_layers: Annotated[
        int | None, Column("layers with int8 weights; also of a baseline `ir` that was quantized as it came")
    ] = None
    weighted_layers: Annotated[int | None, Column("layers with weights")] = None
    int8_weights_share: Annotated[
        float | None, Column("of all numbers that the model holds those in int8", "share of 1")
    ] = None
    export_s: Annotated[float | None, Column("wall time of the stage's last attempt", "s")] = None
    quantize_s: Annotated[float | None, Column("the same", "s")] = None
    evaluate_s: Annotated[float | None, Column("the same", "s")] = None
    measure_s: Annotated[float | None, Column("the same", "s")] = None
    peak_rss_mib: Annotated[float | None, Column("largest resident set of any stage", "MiB")] = None
    host: Annotated[str | None, Column("where speed was measured, else where accuracy was")] = None
    cpu_model: Annotated[str | None, Column("its processor")] = None
    isa: Annotated[str | None, Column("the best instruction set that it has for int8")] = None
    cores: Annotated[int | None, Column("its physical cores")] = None
    threads: Annotated[int | None, Column("as read back from the runtime")] = None
    streams: Annotated[int | None, Column("as read back from the runtime")] = None
    precision: Annotated[str | None, Column("as read back from the runtime")] = None
    versions: Annotated[str | None, Column("of farm and all libraries that matter", "JSON: {library: version}")] = None
    started_at: Annotated[datetime | None, Column("when the first attempt began", "UTC")] = None
    finished_at: Annotated[datetime | None, Column("when the last attempt ended", "UTC")] = None


COLUMNS = tuple(field.name for field in fields(Record))


def is_fp32_ir(record: Record) -> bool:
    """Whether a cell is the FP32 IR itself: a device of another precision runs the IR in that one."""
    return record.algorithm == "ir" and record.precision in (None, "f32") and "precision=" not in record.device


def as_given(record: Record) -> bool:
    """Whether a cell is a model that was quantized as it came: it is in int8, and no reference for others."""
    return record.algorithm == "ir" and record.int8_layers is not None


def accuracy_of(record: Record) -> float | None:
    """The mean of the grid's metric; top-1 of records that are older than metrics."""
    return record.top1 if record.score is None else record.score


def drop_of(record: Record) -> float | None:
    """The drop of the grid's metric, or of top-1 in older records; none of the IR, which drops are counted from."""
    if record.algorithm == "ir":
        return None
    return record.top1_drop if record.score_drop is None else record.score_drop


def metric_of(records: Iterable[Record]) -> str | None:
    """The grid's metric; None where all records are older than metrics, which is top-1."""
    return next((record.metric for record in records if record.metric), None)


def source_of(record: Record) -> str | None:
    """The calibration set without its seed; records older than that column have none, and it is the set."""
    return record.calibration_source or record.calibration
