"""What may be said of each cell's accuracy: against its FP32 IR, and against real images. Knows predictions.

Test images are one uncertainty, and the one that is judged here: whether *these two models* differ. The seed of a
calibration set is another, see `farm.analysis.replicates`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from farm.analysis.classes import Classes
from farm.analysis.families import Family, together
from farm.analysis.standing import EQUIVALENCE_ALPHA, Standing, holm, standing
from farm.record import Record, is_fp32_ir
from farm.results.reading import Run
from farm.stats.shares import Disagreement, Estimate, mcnemar, tango, wilson


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """A cell whose predictions are there. right: (n,), whether it was; label: (n,)."""

    record: Record
    right: NDArray[np.bool_]
    label: NDArray[np.int64]


def accuracies(run: Run) -> dict[str, Accuracy]:
    """By cell, of those whose predictions are there and whose metric is top-1."""
    cells = [
        _Cell(record=record, right=predicted.prediction == predicted.label, label=predicted.label)
        for record in run.records
        if is_top1(record) and (predicted := run.predictions.get(record.cell)) is not None
    ]
    fp32 = {(cell.record.model, cell.record.device): cell for cell in cells if is_fp32_ir(cell.record)}
    alone = {cell.record.cell: _accuracy(cell, fp32.get((cell.record.model, cell.record.device))) for cell in cells}
    beside_real = _beside_real(cells, run)
    return {cell: replace(accuracy, real=beside_real.get(cell)) for cell, accuracy in alone.items()}


def is_top1(record: Record) -> bool:
    """Whether claims can be made of a record: they are all of top-1."""
    return record.top1 is not None and record.metric in (None, "top1")


def _accuracy(cell: _Cell, fp32: _Cell | None) -> Accuracy:
    """What a cell says alone, and beside its FP32 IR where that is another cell on the same images."""
    top1 = wilson(int(cell.right.sum()), len(cell.right))
    if fp32 is None or fp32 is cell or len(fp32.right) != len(cell.right):
        return Accuracy(top1=top1)
    counts = disagreement(fp32.right, cell.right)
    worst, drop = worst_class(cell.label, fp32.right, cell.right)
    beside = Against(other=fp32.record.cell, loss=tango(counts), p=mcnemar(counts))
    return Accuracy(top1=top1, fp32=beside, worst_class=worst, worst_class_drop=drop)


def disagreement(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Disagreement:
    """How two variants differ on the same n images. first, second: (n,), whether each was right."""
    return Disagreement(first=int((first & ~second).sum()), second=int((second & ~first).sum()), n=len(first))


def worst_class(label: NDArray[np.int64], before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[int, float]:
    """The class that lost most, and the share of its images lost. label: (n,); before, after: right or not, (n,)."""
    classes = Classes.of(label)
    lost = classes.lost(before, after)
    return int(classes.number[lost.argmax()]), float(lost.max())


def _beside_real(cells: Sequence[_Cell], run: Run) -> Mapping[str, Against]:
    """Every set of a model beside its real images; each family's tests are corrected together."""
    beside: dict[str, Against] = {}
    for family in together((Family.of(cell.record), cell) for cell in cells).values():
        real = [cell for cell in family if cell.record.calibration_source == run.claims.reference is not None]
        made = [cell for cell in family if cell.record.calibration_source and cell not in real]
        matched = [(cell, other) for cell in made if (other := _real_of(cell, real)) is not None]
        pairs = [(cell, other) for cell, other in matched if len(other.right) == len(cell.right)]
        counts = [disagreement(other.right, cell.right) for cell, other in pairs]
        corrected = holm([mcnemar(count) for count in counts])
        for (cell, other), count, p in zip(pairs, counts, corrected, strict=True):
            loss = tango(count, EQUIVALENCE_ALPHA)
            word = standing(loss, p, run.claims.margin)
            beside[cell.record.cell] = Against(other=other.record.cell, loss=loss, p=p, standing=word)
    return beside


def _real_of(cell: _Cell, real: Sequence[_Cell]) -> _Cell | None:
    """The cell of the same family with real images: of the same seed, or the first."""
    same_seed = [other for other in real if other.record.calibration_seed == cell.record.calibration_seed]
    return next(iter(same_seed or real), None)
