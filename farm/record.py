"""Outcome and Record: what is written down of a stage's attempt and of a cell. Knows no files.

Schema history (bump `SCHEMA_VERSION` when a column's meaning changes):
    1  first form
    2  metric, score and score_drop beside top-1; what accuracy control says of itself
    3  intervals of the speed-ups, the verdict and what it rests on; the FP32 IR is compared with itself
    4  what must be known of the calibration set; of an attempt, its GPU and node
    5  the source and the seed of the calibration set, which tell replicates of one set; claims in the metadata
    6  a verdict's cause and figures as columns, the command in the metadata; which image a prediction is of; timestamps
"""

from dataclasses import dataclass, fields
from typing import Any, Literal

SCHEMA_VERSION = 6

Verdict = Literal["valid", "noisy", "invalid"]
Cause = Literal["property", "stray_cpus", "few_pairs", "disturbed", "wide"]
Ended = Literal["target", "pairs", "budget", "disturbed"]
Signal = Literal["steal", "foreign", "delayed", "siblings", "throttled", "overheated"]
FailureClass = Literal["error", "crash", "timeout", "oom", "lost", "missing_input", "dep_failed"]
FAILURE_CLASSES: dict[str, str] = {
    "error": "a Python exception; never retried by itself",
    "crash": "the stage's process was ended by a signal, or left no result",
    "timeout": "the stage ran longer than its time limit",
    "oom": "memory ran out; retried once with twice the memory",
    "lost": "the worker or its node died; retried up to three times",
    "missing_input": "a local file that it needs is not there; no task was started",
    "dep_failed": "a stage that it needs failed",
}
RETRIES = {"lost": 3, "oom": 1}  # by failure class, in one run; all others have none


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt of a stage ended.

    error_class: None when fine. traceback: of the exception, with the log's tail. peak_rss_mib: the
    largest resident set of the stage's process. signal, exit_code: of a process that left no result.
    waited_s: for cores that others held; not part of wall_s. gpus: the share of a GPU that it was lent. node_id:
    Ray's own name of the node that it ran on; empty without Ray.
    """

    uri: str
    label: str
    attempt: int = 0
    error_class: FailureClass | None = None
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    log: str = ""
    signal: int | None = None
    exit_code: int | None = None
    peak_rss_mib: float | None = None
    host: str = ""
    started_at: str = ""
    finished_at: str = ""
    wall_s: float = 0.0
    waited_s: float = 0.0
    memory_gib: float | None = None
    gpus: float = 0.0
    node_id: str = ""

    @property
    def ok(self) -> bool:
        """Whether the attempt left an artefact."""
        return self.error_class is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The facts of one cell: a row of ``records.parquet``. What was not measured is None, never 0.

    calibration_source: the set's name without its seed, which draws of one set share. calibration_seed: the draw.
    calibration_note: what a reader must know of the set, such as that a generator is not distilled.
    outcome: ``ok``, ``failed`` or ``pending`` (not run yet). error_*: of the first stage that failed.
    attempts: of all the cell's stages. top1, top1_drop, agreement: shares of 1; top1_drop is the FP32
    IR's top-1 minus this variant's, agreement the share of test images on which both say the same.
    metric: of the grid; score: its mean over the test images; score_drop: the FP32 IR's minus this one's.
    top1 is None where the metric is a user's own, which may read outputs and labels in another way.
    control_*, stopped_by, reached, iterations, reverted_layers: of an accuracy-aware quantization.
    control_drop: on its own validation images (validate_on), by control_labels: `given`, or `model` for a
    disagreement with the FP32 model, which is no drop and must not be pooled with drops.
    fps: batch x inferences / wall time, over the rounds that count: those of undisturbed pairs, or all where too
    few are undisturbed; fps_ir: the same of the FP32 IR's rounds beside them. speedup_ir: geometric mean of the
    paired ratios to the FP32 IR, of the IR itself too, where it shows the host's own noise;
    speedup_pytorch: the same to PyTorch. *_low, *_high: their 99 % intervals.
    verdict: ``valid``, ``noisy`` or ``invalid``, of fps and speedup_ir; of speedup_pytorch with the baseline's.
    verdict_cause: why it is not valid. within: how far speedup_ir's interval goes to one side, as a share; asked: how
    far it may go. ended: what ended the measurement. pairs: undisturbed ones, of which there must be least_pairs;
    disturbed_pairs: all others. worst_signal: what disturbed the worst round, and took worst_share of its time.
    mismatches: what ran otherwise than asked for, a JSON list of {property, asked, found}.
    unsteady_rounds: those that began before two windows of warm-up took the same time. foreign_share: CPU time of the
    leased CPUs that went to other programs, over all rounds; steal_share: to the hypervisor, of each round's CPU that
    lost most. per_node: measurements that may share the node. timed: ``inference``, or with ``preprocessing`` before
    it. memory_format: PyTorch's.
    *_s: wall time of the stage's last attempt. started_at, finished_at: UTC, ISO 8601.
    """

    grid: str
    cell: str
    model: str
    calibration: str | None = None
    calibration_source: str | None = None
    calibration_seed: int | None = None
    calibration_note: str | None = None
    algorithm: str
    device: str
    runtime: str
    outcome: str
    error_class: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    log: str | None = None
    attempts: int = 0
    metric: str | None = None
    score: float | None = None
    score_drop: float | None = None
    top1: float | None = None
    top1_drop: float | None = None
    agreement: float | None = None
    n_images: int | None = None
    subset_size: int | None = None
    control_drop: float | None = None
    control_images: int | None = None
    control_labels: str | None = None
    validate_on: str | None = None
    stopped_by: str | None = None
    reached: bool | None = None
    iterations: int | None = None
    reverted_layers: int | None = None
    fps: float | None = None
    fps_ir: float | None = None
    speedup_ir: float | None = None
    speedup_ir_low: float | None = None
    speedup_ir_high: float | None = None
    speedup_pytorch: float | None = None
    speedup_pytorch_low: float | None = None
    speedup_pytorch_high: float | None = None
    verdict: Verdict | None = None
    verdict_cause: Cause | None = None
    within: float | None = None
    asked: float | None = None
    least_pairs: int | None = None
    ended: Ended | None = None
    pairs: int | None = None
    disturbed_pairs: int | None = None
    worst_signal: Signal | None = None
    worst_share: float | None = None
    mismatches: str | None = None
    unsteady_rounds: int | None = None
    foreign_share: float | None = None
    steal_share: float | None = None
    per_node: int | None = None
    timed: str | None = None
    memory_format: str | None = None
    latency_p50_ms: float | None = None
    latency_p90_ms: float | None = None
    latency_p95_ms: float | None = None
    latency_p99_ms: float | None = None
    latency_p999_ms: float | None = None
    size_mib: float | None = None
    int8_layers: int | None = None
    export_s: float | None = None
    quantize_s: float | None = None
    evaluate_s: float | None = None
    measure_s: float | None = None
    peak_rss_mib: float | None = None
    host: str | None = None
    cpu_model: str | None = None
    isa: str | None = None
    cores: int | None = None
    threads: int | None = None
    streams: int | None = None
    precision: str | None = None
    versions: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


COLUMNS = tuple(each.name for each in fields(Record))


def is_fp32_ir(record: Record) -> bool:
    """Whether a cell is the FP32 IR itself: a device of another precision runs the IR in that one."""
    return record.algorithm == "ir" and record.precision in (None, "f32") and "precision=" not in record.device


def accuracy_of(record: Record) -> float | None:
    """The mean of the grid's metric; top-1 of records that are older than metrics."""
    return record.top1 if record.score is None else record.score


def drop_of(record: Record) -> float | None:
    """The drop of the grid's metric, or of top-1 in older records; none of the IR, which drops are counted from."""
    if record.algorithm == "ir":
        return None
    return record.top1_drop if record.score_drop is None else record.score_drop


def source_of(record: Record) -> str | None:
    """The calibration set without its seed; records older than that column have none, and it is the set."""
    return record.calibration_source or record.calibration


def outcome_from(said: dict[str, Any]) -> Outcome:
    """An outcome from its JSON form; fields of a later schema are left out."""
    known = {each.name for each in fields(Outcome)}
    return Outcome(**{key: value for key, value in said.items() if key in known})
