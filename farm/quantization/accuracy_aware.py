"""Accuracy-aware quantization: NNCF's accuracy control, with progress, budgets and the best model kept.

The one file that touches NNCF's private API. NNCF's own loop (`QuantizationAccuracyRestorer`) ranks the
groups of layers, reverts them to FP32 one after another and takes back a step that made things worse.
`Control` is the evaluator that this loop calls with every model it makes. So it sees each of them, and it
leaves the loop by an exception when the target is reached or a budget is spent, which NNCF's own cannot.
"""

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import nncf
import openvino as ov
import pyarrow as pa
import pyarrow.parquet as pq
from nncf.common.factory import build_graph
from nncf.quantization.algorithms.accuracy_control.algorithm import QuantizationAccuracyRestorer
from nncf.quantization.algorithms.accuracy_control.evaluator import Evaluator, MetricResults
from nncf.quantization.algorithms.accuracy_control.openvino_backend import OVAccuracyControlAlgoBackend
from nncf.quantization.algorithms.accuracy_control.ranker import GroupToRank, Ranker
from openvino._offline_transformations import compress_quantize_weights_transformation

from farm.plan import facts
from farm.quantization.default import Quantization, nncf_arguments
from farm.quantization.validation import MODEL, Scores, Validation, compiled_in_f32, validation

HISTORY = "history.parquet"
SAY_EVERY_S = 3.0
TARGET, ITERATIONS, BUDGET, EXHAUSTED = "target", "iterations", "budget", "exhausted"

SCHEMA = pa.schema([
    ("iteration", pa.int32()),
    ("reverted", pa.list_(pa.string())),
    ("n_reverted", pa.int32()),
    ("score", pa.float64()),
    ("drop", pa.float64()),
    ("seconds", pa.float64()),
    ("best", pa.bool_()),
])  # fmt: skip


Some = Sequence[int] | None  # of the images, by index; None: all
Judged = tuple[float, list[float]]


class Stop(Exception):  # noqa: N818 - nothing is wrong
    """How NNCF's loop is left. Its argument says what stopped it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A model on the way. Iteration 0 is the quantized start, each further one NNCF's next try.

    reverted: the names of all layers that were quantized in the start and are in FP32 in it. score: the mean
    over the validation images. drop: the FP32 model's score minus it. seconds: since the control began.
    """

    iteration: int
    reverted: tuple[str, ...]
    score: float
    drop: float
    seconds: float


def accuracy_aware(task: Quantization) -> tuple[ov.Model, facts.Control]:
    """Quantize, then revert groups of layers until the drop is at most `max_drop` or a budget is spent.

    Returns the model of the smallest drop that was met; of equal ones, that with the fewest layers reverted.
    The time budget begins after the quantization; the quantized model is judged whatever it says, and what is
    being compiled or inferred when it ends is waited for. Leaves ``history.parquet``: a row a `Step`. Raises
    DataError where labels and model do not go together, or the metric fails.
    """
    images = validation(task)
    labels = "its own answers as labels" if images.labels_from == MODEL else "given labels"
    task.say(f"FP32 model: score {images.fp32.mean():.4g} on {len(images)} images, {labels}")
    arguments = nncf_arguments(task.options)
    arguments["advanced_parameters"].backend_params["compress_weights"] = False  # reverting looks for FP32 weights
    quantized = nncf.quantize(task.model, nncf.Dataset(task.calibration), **arguments)
    control = Control(task, images, quantized)
    stopped_by = _revert(task, quantized, control)
    best, model = control.best
    task.say(f"stopped by {stopped_by}: the best is iteration {best.iteration}, {control.word} {best.drop:.3g}")
    compress_quantize_weights_transformation(model)
    rows = [asdict(step) | {"n_reverted": len(step.reverted), "best": step is best} for step in control.steps]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), task.folder / HISTORY, compression="zstd")
    return model, facts.Control(
        stopped_by=stopped_by,
        reached=best.drop <= task.options["max_drop"],
        control_drop=best.drop,
        control_images=len(control.validation),
        iterations=len(control.steps) - 1,
        control_labels=control.validation.labels_from,
        validate_on=task.options["validate_on"],
        reverted_layers=len(best.reverted),
    )


def _revert(task: Quantization, quantized: ov.Model, control: "Control") -> str:
    """Run NNCF's loop; what ended it. Its own end is that no group is left."""
    restorer = QuantizationAccuracyRestorer(
        ranking_subset_size=task.options["ranking_subset_size"] or len(control.validation),
        max_num_iterations=sys.maxsize,
        max_drop=-math.inf,  # `control` says when it is enough
        num_ranking_workers=1,
    )
    try:
        fp32, start = control.begin(quantized)
        restorer.apply(task.model, fp32, quantized, start, None, len(control.validation), control)
    except Stop as stop:
        return str(stop)
    return EXHAUSTED


class Control(Evaluator):
    """Judges every model that NNCF's loop makes, keeps the best, and ends the loop. For one use.

    NNCF calls `prepare_model` and `validate_prepared_model` for each group that it ranks, and `validate` for
    each iteration. The data set that it hands on is None: the images are the control's own.
    """

    def __init__(self, task: Quantization, images: Validation, quantized: ov.Model) -> None:
        """The time budget begins. quantized: the start, with uncompressed weights."""
        super().__init__(validation_fn=None)
        self.begun = self.told_at = time.monotonic()
        self.task = task
        self.max_drop: float = task.options["max_drop"]
        self.max_iterations: int | None = task.options["max_iterations"]
        self.budget_s: float = task.options["budget_s"]
        ranker = Ranker(1, None, OVAccuracyControlAlgoBackend(), None)
        self.groups: list[GroupToRank] = ranker.find_groups_of_quantizers_to_rank(build_graph(quantized))
        self.layers = len(self._reverted(frozenset()))
        self.ranked = 0
        self.steps: list[Step] = []
        self.best: tuple[Step, ov.Model]
        self.validation = images
        self.word = "disagreement" if images.labels_from == MODEL else "drop"

    def begin(self, quantized: ov.Model) -> tuple[MetricResults, MetricResults]:
        """Judge the quantized start; the FP32 model's results and its own. Raises Stop if all is done."""
        scores = self.validation.scores(self._compiled(quantized), None, before_batch=lambda: None)
        self._record(quantized, scores)
        return _results(self.validation.fp32), _results(scores)

    def is_metric_mode(self) -> bool:
        """Groups are ranked by score, not by the distance of logits."""
        return True

    def prepare_model(self, model: ov.Model) -> ov.CompiledModel:
        """Compile the start with one more group reverted, whose rank is to be found."""
        self._check_budget()
        self.ranked += 1
        if time.monotonic() - self.told_at >= SAY_EVERY_S:
            self._say(f"ranking: group {self.ranked} of {self._left(_quantizers(model)) + 1}")
        return self._compiled(model)

    def validate_prepared_model(self, prepared_model: ov.CompiledModel, dataset: None, indices: Some = None) -> Judged:
        """The mean score, and each image's."""
        scores = self.validation.scores(prepared_model, indices, self._check_budget)
        return float(scores.mean()), scores.tolist()

    def validate(self, model: ov.Model, dataset: None, indices: Some = None) -> Judged:
        """The mean score, and each image's, of an iteration's model. Raises Stop if no other is needed."""
        self._check_budget()
        self.ranked = 0
        scores = self.validation.scores(self._compiled(model), indices, self._check_budget)
        self._record(model, scores)
        return float(scores.mean()), scores.tolist()

    def _record(self, model: ov.Model, scores: Scores) -> None:
        """Note a step, keep its model if it is the best so far, and tell. Raises Stop if it is the last."""
        present = _quantizers(model)
        step = Step(
            iteration=len(self.steps),
            reverted=self._reverted(present),
            score=float(scores.mean()),
            drop=float((self.validation.fp32 - scores).mean()),  # of differences: 6 of 300 is 0.02, and not a bit more
            seconds=time.monotonic() - self.begun,
        )
        self.steps.append(step)
        if step.iteration == 0 or _order(step) < _order(self.best[0]):
            self.best = step, model
        self._say(self._progress(step))
        if step.drop <= self.max_drop:
            raise Stop(TARGET)
        if not self._left(present):
            raise Stop(EXHAUSTED)
        if self.max_iterations is not None and step.iteration >= self.max_iterations:
            raise Stop(ITERATIONS)

    def _progress(self, step: Step) -> str:
        drop = f"{self.word} {step.drop:.3g} (target {self.max_drop:g})"
        if step.iteration == 0:
            return f"quantized model: {drop}"
        reverted = f"{len(step.reverted)} of {self.layers} layers in FP32"
        return f"iteration {step.iteration}: {reverted}, {drop}, best {self.best[0].drop:.3g}"

    def _reverted(self, present: frozenset[str]) -> tuple[str, ...]:
        """The layers in FP32 where only these quantizers are left, each once; NNCF finds the last groups first."""
        groups = (group for group in reversed(self.groups) if _is_reverted(group, present))
        return tuple(dict.fromkeys(layer.node_name for group in groups for layer in group.operations))

    def _left(self, present: frozenset[str]) -> int:
        return sum(not _is_reverted(group, present) for group in self.groups)

    def _compiled(self, model: ov.Model) -> ov.CompiledModel:
        return compiled_in_f32(model, self.task.cores)

    def _check_budget(self) -> None:
        if time.monotonic() - self.begun >= self.budget_s:
            raise Stop(BUDGET)

    def _say(self, text: str) -> None:
        self.told_at = time.monotonic()
        self.task.say(f"{text}, {self.told_at - self.begun:.0f} s of {self.budget_s:g} s")


def _order(step: Step) -> tuple[float, int]:
    """Steps from the best to the worst."""
    return step.drop, len(step.reverted)


def _results(scores: Scores) -> MetricResults:
    """As NNCF keeps them. Its times only tell how many workers should rank, and that is set."""
    return MetricResults(float(scores.mean()), scores.tolist(), preparation_time=0.0, validation_time=0.0)


def _quantizers(model: ov.Model) -> frozenset[str]:
    return frozenset(op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == "FakeQuantize")


def _is_reverted(group: GroupToRank, present: frozenset[str]) -> bool:
    return not any(quantizer.node_name in present for quantizer in group.quantizers)
