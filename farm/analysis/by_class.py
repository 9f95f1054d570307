"""What each set of a model loses class by class against the FP32 IR, over its seeds. Knows records and predictions."""

from collections.abc import Iterator
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

    Cells that were judged on other images than the first are left out. The classes are None where there is no
    prediction.
    """
    there = list(_there(run))
    if not there:
        return None, []
    label = there[0][1]
    classes = Classes.of(label)
    right = {record: was for record, known, was in there if np.array_equal(known, label)}
    fp32 = {(record.model, record.device): was for record, was in right.items() if is_fp32_ir(record)}
    lost = together(
        ((Family.of(record), source), classes.lost(fp32[record.model, record.device], was))
        for record, was in right.items()
        if (source := source_of(record)) and (record.model, record.device) in fp32
    )
    return classes, [
        ByClass(family=family, source=source, seeds=len(seeds), lost=np.mean(seeds, axis=0))
        for (family, source), seeds in lost.items()
    ]


def _there(run: Run) -> Iterator[tuple[Record, NDArray[np.int64], NDArray[np.bool_]]]:
    """The cells whose predictions are there and right or not: the images' labels, and about which it was right."""
    for record in run.records:
        if isinstance(judged := judged_of(run, record), Right):
            yield record, run.predictions[record.cell].label, judged.right
