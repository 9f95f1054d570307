"""What may be said of each cell's accuracy: against its FP32 IR, and against real images. Knows predictions.

Test images are one source of doubt, and the one that is judged here: whether *these two models* differ. The draw of a
calibration set is another, see `farm.analysis.replicates`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from farm.analysis.standing import EQUIVALENCE_ALPHA, Standing, holm, standing
from farm.record import Record, is_fp32_ir
from farm.results.reading import Predicted, Run
from farm.stats.shares import Disagreement, Estimate, mcnemar, tango, wilson

Where = tuple[str, str, str]  # model, algorithm, device


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """A variant beside another of the same model, on the same images; shares of 1.

    other: that cell. loss: the other's top-1 minus this one's. p: McNemar's, of no loss; corrected where there is a
    family of them. standing: the word for it, where a claim is made.
    """

    other: str
    loss: Estimate
    p: float
    standing: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What a cell's predictions say.

    top1: with its 95 % interval. fp32: beside its FP32 IR, with the 95 % interval of the loss. worst_class,
    worst_class_drop: the class that lost most top-1 against the FP32 IR, and how much. real: beside the same model
    calibrated with real images, with the 90 % interval of the loss, p by Holm over the model's sets.
    """

    top1: Estimate
    fp32: Against | None = None
    worst_class: int | None = None
    worst_class_drop: float | None = None
    real: Against | None = None


def accuracies(run: Run) -> dict[str, Accuracy]:
    """By cell, of those whose predictions are there and whose metric is top-1."""
    right = {cell: said.prediction == said.label for cell, said in run.predictions.items()}
    records = [record for record in run.records if record.cell in right and is_top1(record)]
    fp32 = {(record.model, record.device): record.cell for record in records if is_fp32_ir(record)}
    real = dict(_beside_real(records, right, run))
    return {record.cell: _accuracy(record, right, run.predictions, fp32, real.get(record.cell)) for record in records}


def is_top1(record: Record) -> bool:
    """Whether claims can be made of a record: they are all of top-1."""
    return record.top1 is not None and record.metric in (None, "top1")


def reference_of(record: Record, records: Sequence[Record], source: str | None) -> Record | None:
    """The cell that differs from this one by its calibration set only, which is real: of the same seed, or the first.

    source: of the set of real images. None where there is no such cell, or this is one of them.
    """
    if source is None or record.calibration_source in (None, source):
        return None
    alike = [each for each in records if each.calibration_source == source and _of(each) == _of(record)]
    same_seed = [each for each in alike if each.calibration_seed == record.calibration_seed]
    return next(iter(same_seed or alike), None)


def _accuracy(
    record: Record,
    right: Mapping[str, np.ndarray],
    predictions: Mapping[str, Predicted],
    fp32: Mapping[tuple[str, str], str],
    real: Against | None,
) -> Accuracy:
    ours = right[record.cell]
    top1 = wilson(int(ours.sum()), len(ours))
    other = fp32.get((record.model, record.device))
    if other is None or other == record.cell or len(right[other]) != len(ours):
        return Accuracy(top1=top1, real=real)
    counts = disagreement(right[other], ours)
    worst, drop = worst_class(predictions[record.cell].label, right[other], ours)
    beside = Against(other=other, loss=tango(counts), p=mcnemar(counts))
    return Accuracy(top1=top1, fp32=beside, worst_class=worst, worst_class_drop=drop, real=real)


def disagreement(first: np.ndarray, second: np.ndarray) -> Disagreement:
    """How two variants differ on the same n images. first, second: bool (n,), whether each was right."""
    return Disagreement(first=int((first & ~second).sum()), second=int((second & ~first).sum()), n=len(first))


def worst_class(label: np.ndarray, before: np.ndarray, after: np.ndarray) -> tuple[int, float]:
    """The class that lost most, and the share of its images lost. label: (n,); before, after: right or not, (n,)."""
    classes, place, counts = np.unique(label, return_inverse=True, return_counts=True)
    lost = np.bincount(place, weights=before.astype(np.int8) - after.astype(np.int8)) / counts
    return int(classes[lost.argmax()]), float(lost.max())


def _beside_real(records: Sequence[Record], right: Mapping[str, np.ndarray], run: Run) -> Iterator[tuple[str, Against]]:
    """Every set of a model beside its real images; each model, algorithm and device is a family of tests."""
    real: dict[Where, list[Record]] = {}
    for record in records:
        if record.calibration_source == run.claims.reference:
            real.setdefault(_of(record), []).append(record)
    families: dict[Where, list[tuple[Record, Record]]] = {}
    for record in records:
        other = reference_of(record, real.get(_of(record), ()), run.claims.reference)
        if other is not None and len(right[other.cell]) == len(right[record.cell]):
            families.setdefault(_of(record), []).append((record, other))
    for pairs in families.values():
        counts = [disagreement(right[other.cell], right[record.cell]) for record, other in pairs]
        corrected = holm([mcnemar(each) for each in counts])
        for (record, other), each, p in zip(pairs, counts, corrected, strict=True):
            loss = tango(each, EQUIVALENCE_ALPHA)
            word = standing(loss, p, run.claims.margin)
            yield record.cell, Against(other=other.cell, loss=loss, p=p, standing=word)


def _of(record: Record) -> Where:
    return (record.model, record.algorithm, record.device)
