"""What may be said of each cell's accuracy: against its FP32 IR, and against real images. Knows predictions.

Test images are one uncertainty, and the one that is judged here: whether *these two models* differ. The seed of a
calibration set is another, see `farm.analysis.replicates`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from farm.analysis.classes import Classes
from farm.analysis.families import Family, together
from farm.analysis.standing import EQUIVALENCE_ALPHA, Standing, holm, standing
from farm.record import Record, accuracy_of, is_fp32_ir
from farm.results.reading import OfClasses, Run
from farm.stats.judged import LEAST_IMAGES, Judged, Resampled, Right
from farm.stats.shares import Estimate
from farm.tasks.judging import judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """A variant beside another of the same model, on the same images; of the grid's metric.

    other: that cell. loss: the other's score minus this one's. p: of no loss; corrected where there is a family of
    them. standing: the word for it, where a claim is made.
    """

    other: str
    loss: Estimate
    p: float
    standing: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What a cell's predictions say of the grid's metric.

    score: with its 95 % interval. fp32: beside its FP32 IR, with the 95 % interval of the loss. worst_class,
    worst_class_drop: where images are right or not, and of detectors, the class that lost most against the FP32 IR, and
    how much. real:
    beside the same model calibrated with real images, with the 90 % interval of the loss, p by Holm over the model's
    sets.
    """

    score: Estimate
    fp32: Against | None = None
    worst_class: int | None = None
    worst_class_drop: float | None = None
    real: Against | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """A cell whose answers are there. label: (n,), of classification. of_classes: of a detector."""

    record: Record
    judged: Judged
    label: NDArray[np.int64] | None
    of_classes: OfClasses | None


def accuracies(run: Run) -> dict[str, Accuracy]:
    """By cell, of those whose predictions are there."""
    cells = list(_cells(run))
    fp32 = {(cell.record.model, cell.record.device): cell for cell in cells if is_fp32_ir(cell.record)}
    alone = {cell.record.cell: _accuracy(cell, fp32.get((cell.record.model, cell.record.device))) for cell in cells}
    beside_real = _beside_real(cells, run)
    return {cell: replace(accuracy, real=beside_real.get(cell)) for cell, accuracy in alone.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a run knows of a cell's answers. judged: None where they say nothing.

    images: what tells the test images from others, in their order, as far as it is known: labels, or a digest.
    """

    judged: Judged | None
    images: NDArray[np.int64] | str | None


def answered(run: Run, record: Record) -> Answered:
    """What a run knows of a cell's answers."""
    predicted = run.predictions.get(record.cell)
    images = predicted.label if predicted is not None else record.truth if record.cell in run.resamples else None
    return Answered(judged=judged_of(run, record), images=images)


def judged_of(run: Run, record: Record) -> Judged | None:
    """What a cell's predictions are worth by the grid's metric; None where they are not there."""
    said, score, samples = run.predictions.get(record.cell), accuracy_of(record), run.resamples.get(record.cell)
    if score is not None and samples is not None:
        enough = (record.n_images or 0) >= LEAST_IMAGES and np.isfinite(samples).sum() > 1
        return Resampled(record.n_images or 0, score, samples) if enough else None
    if said is None or score is None:
        return None
    return judged(record.metric, said.label, said.prediction, said.score)


def _cells(run: Run) -> Iterator[_Cell]:
    for record in run.records:
        if (found := judged_of(run, record)) is not None:
            said = run.predictions.get(record.cell)
            yield _Cell(
                record=record,
                judged=found,
                label=said.label if said else None,
                of_classes=run.of_classes.get(record.cell),
            )


def _accuracy(cell: _Cell, fp32: _Cell | None) -> Accuracy:
    """What a cell says alone, and beside its FP32 IR where that is another cell on the same images."""
    alone = Accuracy(score=cell.judged.interval())
    if fp32 is None or fp32 is cell or not fp32.judged.comparable(cell.judged):
        return alone
    before, after = fp32.judged, cell.judged
    beside = replace(alone, fp32=Against(other=fp32.record.cell, loss=before.loss(after), p=before.p(after)))
    worst, drop = _worst(fp32, cell)
    return replace(beside, worst_class=worst, worst_class_drop=drop)


def _worst(fp32: _Cell, cell: _Cell) -> tuple[int | None, float | None]:
    """The class that lost most, and how much; nothing where a metric does not tell of classes."""
    before, after = fp32.judged, cell.judged
    if isinstance(before, Right) and isinstance(after, Right) and cell.label is not None:
        return worst_class(cell.label, before.right, after.right)
    if fp32.of_classes is None or cell.of_classes is None or not len(cell.of_classes.number):
        return None, None
    if not np.array_equal(fp32.of_classes.number, cell.of_classes.number):
        return None, None
    lost = fp32.of_classes.score - cell.of_classes.score
    return int(cell.of_classes.number[lost.argmax()]), float(lost.max())


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
        pairs = [(cell, other) for cell, other in matched if other.judged.comparable(cell.judged)]
        corrected = holm([other.judged.p(cell.judged) for cell, other in pairs])
        for (cell, other), p in zip(pairs, corrected, strict=True):
            loss = other.judged.loss(cell.judged, EQUIVALENCE_ALPHA)
            word = standing(loss, p, run.claims.margin)
            beside[cell.record.cell] = Against(other=other.record.cell, loss=loss, p=p, standing=word)
    return beside


def _real_of(cell: _Cell, real: Sequence[_Cell]) -> _Cell | None:
    """The cell of the same family with real images: of the same seed, or the first."""
    same_seed = [other for other in real if other.record.calibration_seed == cell.record.calibration_seed]
    return next(iter(same_seed or real), None)
