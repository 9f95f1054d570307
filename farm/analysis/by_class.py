"""What each set of a model loses class by class against the FP32 IR, over its seeds. Knows records and predictions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.analysis.accuracy import judged_of
from farm.analysis.classes import Classes
from farm.analysis.families import Family, together
from farm.record import Record, is_fp32_ir, source_of
from farm.results.reading import Run
from farm.stats.judged import Right


@dataclass(frozen=True, slots=True, kw_only=True)
class ByClass:
    """One source within a family, over its seeds. lost: (c,), of each class the mean share of its images lost."""

    family: Family
    source: str
    seeds: int
    lost: NDArray[np.float64]


def by_class(run: Run) -> tuple[Classes | None, list[ByClass]]:
    """The classes of the test images, and every source that has predictions beside its FP32 IR, in records' order.

    Of detectors the classes' objects stand in place of images, and what was lost of the metric in place of a share.
    Cells that were judged on other images than the first are left out. The classes are None where there is no
    prediction.
    """
    there = list(_there(run))
    if not there:
        return _of_detectors(run)
    label = there[0][1]
    classes = Classes.of(label)
    right = {record: was for record, known, was in there if np.array_equal(known, label)}
    fp32 = {(record.model, record.device): was for record, was in right.items() if is_fp32_ir(record)}
    return classes, _means(
        (record, classes.lost(fp32[record.model, record.device], was))
        for record, was in right.items()
        if (record.model, record.device) in fp32
    )


def _of_detectors(run: Run) -> tuple[Classes | None, list[ByClass]]:
    """The same of detectors."""
    there = [(record, said) for record in run.records if (said := run.of_classes.get(record.cell)) is not None]
    if not there:
        return None, []
    number, objects = there[0][1].number, there[0][1].objects
    same = {record: said.score for record, said in there if np.array_equal(said.number, number)}
    fp32 = {(record.model, record.device): score for record, score in same.items() if is_fp32_ir(record)}
    return Classes(number=number, images=objects, at=np.zeros(0, np.int64)), _means(
        (record, fp32[record.model, record.device] - score)
        for record, score in same.items()
        if (record.model, record.device) in fp32
    )


def _means(lost: Iterable[tuple[Record, NDArray[np.float64]]]) -> list[ByClass]:
    """The mean over the seeds of each source. lost: of cells, class by class."""
    of_sources = together(((Family.of(record), source), of) for record, of in lost if (source := source_of(record)))
    return [
        ByClass(family=family, source=source, seeds=len(seeds), lost=np.mean(seeds, axis=0))
        for (family, source), seeds in of_sources.items()
    ]


def _there(run: Run) -> Iterator[tuple[Record, NDArray[np.int64], NDArray[np.bool_]]]:
    """The cells whose predictions are there and right or not: the images' labels, and about which it was right."""
    for record in run.records:
        if isinstance(judged := judged_of(run, record), Right):
            yield record, run.predictions[record.cell].label, judged.right
