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
from dataclasses import asdict, dataclass, replace
from typing import Annotated

import nncf
import numpy as np
import openvino as ov
import pyarrow as pa
import pyarrow.parquet as pq
from nncf.common.factory import build_graph
from nncf.quantization.algorithms.accuracy_control.algorithm import QuantizationAccuracyRestorer
from nncf.quantization.algorithms.accuracy_control.evaluator import Evaluator, MetricResults
from nncf.quantization.algorithms.accuracy_control.openvino_backend import OVAccuracyControlAlgoBackend
from nncf.quantization.algorithms.accuracy_control.ranker import GroupToRank, Ranker
from openvino._offline_transformations import compress_quantize_weights_transformation

from farm.columns import Column, schema_of
from farm.plan import facts
from farm.quantization.default import Quantization, nncf_arguments
from farm.quantization.validation import MODEL, Scores, Validation, compiled_in_f32, validation

HISTORY = "history.parquet"
SAY_EVERY_S = 3.0
TARGET, ITERATIONS, BUDGET, EXHAUSTED = "target", "iterations", "budget", "exhausted"


class Stop(Exception):  # noqa: N818 - nothing is wrong
    """How NNCF's loop is left. Its argument says what stopped it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A model on the way: a row of ``history.parquet``."""

    iteration: Annotated[int, Column("0 is the quantized start, each further one NNCF's next try", arrow="int32")]
    reverted: Annotated[tuple[str, ...], Column("layers that were quantized in the start and are in FP32 in it")]
    n_reverted: Annotated[int, Column("how many they are", arrow="int32")]
    score: Annotated[float, Column("the mean over the validation images")]
    drop: Annotated[float, Column("the FP32 model's score minus it")]
    seconds: Annotated[float, Column("since the control began", "s")]
    best: Annotated[bool, Column("whether this is the model that is handed over")] = False


def accuracy_aware(quantization: Quantization) -> tuple[ov.Model, facts.Control]:
    """Quantize, then revert groups of layers until the drop is at most `max_drop` or a budget is spent.

    Returns the model of the smallest drop that was met; of equal ones, that with the fewest layers reverted. The time
    budget begins after the quantization; the quantized model is judged in any case, and what is being compiled or
    inferred when the budget ends is waited for. Leaves ``history.parquet``: a row a `Step`. Raises as `validation`.
    """
    judged = validation(quantization)
    labels = "its own answers as labels" if judged.labels_from == MODEL else "given labels"
    quantization.say(f"FP32 model: score {judged.fp32.mean():.4g} on {len(judged.fp32)} images, {labels}")
    arguments = nncf_arguments(quantization.options)
    arguments["advanced_parameters"].backend_params["compress_weights"] = False  # reverting looks for FP32 weights
    start = nncf.quantize(quantization.model, nncf.Dataset(quantization.calibration), **arguments)
    control = Control(judged, start)
    stopped_by = _revert(start, control)
    best, model = control.best
    quantization.say(f"stopped by {stopped_by}: the best is iteration {best.iteration}, {control.word} {best.drop:.3g}")
    compress_quantize_weights_transformation(model)
    rows = [asdict(replace(step, best=step is best)) for step in control.steps]
    history = pa.Table.from_pylist(rows, schema=schema_of(Step))
    pq.write_table(history, quantization.folder / HISTORY, compression="zstd")
    return model, facts.Control(
        stopped_by=stopped_by,
        reached=best.drop <= control.max_drop,
        control_drop=best.drop,
        control_images=len(judged.labels),
        iterations=len(control.steps) - 1,
        control_labels=judged.labels_from,
        validate_on=quantization.options["validate_on"],
        reverted_layers=best.n_reverted,
    )


def _revert(start: ov.Model, control: "Control") -> str:
    """Run NNCF's loop; what ended it. Its own end is that no group is left."""
    count = len(control.validation.labels)
    restorer = QuantizationAccuracyRestorer(
        ranking_subset_size=control.quantization.options["ranking_subset_size"] or count,
        max_num_iterations=sys.maxsize,
        max_drop=-math.inf,  # `control` says when it is enough
        num_ranking_workers=1,
    )
    try:
        results = control.begin(start)
        restorer.apply(control.quantization.model, results[0], start, results[1], None, count, control)
    except Stop as stop:
        return str(stop)
    return EXHAUSTED


class Control(Evaluator):
    """Judges every model that NNCF's loop makes, keeps the best, and ends the loop. For one use.

    NNCF calls `prepare_model` and `validate_prepared_model` for each group, `validate` for each iteration; `dataset`
    is None.
    """

    def __init__(self, judged: Validation, start: ov.Model) -> None:
        """The time budget begins. start: the quantized model, with uncompressed weights."""
        super().__init__(validation_fn=None)
        self.begun = self.progress_at = time.monotonic()
        self.validation, self.quantization = judged, judged.quantization
        self.max_drop: float = self.quantization.options["max_drop"]
        self.max_iterations: int | None = self.quantization.options["max_iterations"]
        self.budget_s: float = self.quantization.options["budget_s"]
        self.word = "disagreement" if judged.labels_from == MODEL else "drop"
        self.groups = _groups(start)
        self.layers = len(self._reverted(frozenset()))
        self.ranked = 0
        self.steps: list[Step] = []
        self.best: tuple[Step, ov.Model]

    def begin(self, start: ov.Model) -> tuple[MetricResults, MetricResults]:
        """Judge the quantized start; the FP32 model's results and its own. Raises Stop if all is done."""
        scores = self.validation.scores(
            compiled_in_f32(start, self.quantization.cores), None, before_batch=lambda: None
        )
        self._record(start, scores)
        return _results(self.validation.fp32), _results(scores)

    def is_metric_mode(self) -> bool:
        """Groups are ranked by score, not by the distance of logits."""
        return True

    def prepare_model(self, model: ov.Model) -> ov.CompiledModel:
        """Compile the start with one more group reverted, whose rank is to be found."""
        self._check_budget()
        self.ranked += 1
        if time.monotonic() - self.progress_at >= SAY_EVERY_S:
            self._say(f"ranking: group {self.ranked} of {self._left(_quantizers(model)) + 1}")
        return compiled_in_f32(model, self.quantization.cores)

    def validate_prepared_model(
        self, prepared_model: ov.CompiledModel, dataset: None, indices: Sequence[int] | None = None
    ) -> tuple[float, list[float]]:
        """The mean score, and each image's."""
        scores = self.validation.scores(prepared_model, indices, self._check_budget)
        return float(scores.mean()), scores.tolist()

    def validate(
        self, model: ov.Model, dataset: None, indices: Sequence[int] | None = None
    ) -> tuple[float, list[float]]:
        """The mean score, and each image's, of an iteration's model. Raises Stop if no other is needed."""
        self.ranked = 0
        self._check_budget()
        mean, scores = self.validate_prepared_model(compiled_in_f32(model, self.quantization.cores), dataset, indices)
        self._record(model, np.array(scores))
        return mean, scores

    def _record(self, model: ov.Model, scores: Scores) -> None:
        """Note a step, keep its model if it is the best so far, and tell. Raises Stop if it is the last."""
        present = _quantizers(model)
        reverted = self._reverted(present)
        step = Step(
            iteration=len(self.steps),
            reverted=reverted,
            n_reverted=len(reverted),
            score=float(scores.mean()),
            drop=float((self.validation.fp32 - scores).mean()),  # of differences: 6 of 300 is 0.02, and not a bit more
            seconds=time.monotonic() - self.begun,
        )
        self.steps.append(step)
        if step.iteration == 0 or (step.drop, step.n_reverted) < (self.best[0].drop, self.best[0].n_reverted):
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
        reverted = f"{step.n_reverted} of {self.layers} layers in FP32"
        return f"iteration {step.iteration}: {reverted}, {drop}, best {self.best[0].drop:.3g}"

    def _reverted(self, present: frozenset[str]) -> tuple[str, ...]:
        """The layers in FP32 where only these quantizers are left, each once; NNCF finds the last groups first."""
        groups = (group for group in reversed(self.groups) if _is_reverted(group, present))
        return tuple(dict.fromkeys(layer.node_name for group in groups for layer in group.operations))

    def _left(self, present: frozenset[str]) -> int:
        """How many groups are still quantized."""
        return sum(not _is_reverted(group, present) for group in self.groups)

    def _check_budget(self) -> None:
        if time.monotonic() - self.begun >= self.budget_s:
            raise Stop(BUDGET)

    def _say(self, text: str) -> None:
        self.progress_at = time.monotonic()
        self.quantization.say(f"{text}, {self.progress_at - self.begun:.0f} s of {self.budget_s:g} s")


def _groups(quantized: ov.Model) -> list[GroupToRank]:
    """The groups that NNCF's loop will revert, as it finds them itself."""
    ranker = Ranker(1, None, OVAccuracyControlAlgoBackend(), None)
    groups: list[GroupToRank] = ranker.find_groups_of_quantizers_to_rank(build_graph(quantized))
    return groups


def _results(scores: Scores) -> MetricResults:
    """As NNCF keeps them. Its times only tell how many workers should rank, and that is set."""
    return MetricResults(float(scores.mean()), scores.tolist(), preparation_time=0.0, validation_time=0.0)


def _quantizers(model: ov.Model) -> frozenset[str]:
    return frozenset(op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == "FakeQuantize")


def _is_reverted(group: GroupToRank, present: frozenset[str]) -> bool:
    return not any(quantizer.node_name in present for quantizer in group.quantizers)
