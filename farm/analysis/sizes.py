"""How many calibration images are enough: the score by how many calibrated, within one source. Knows records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from farm.analysis.accuracy import Accuracy
from farm.analysis.analysis import Analysis
from farm.analysis.families import Family
from farm.analysis.replicates import step_of
from farm.grid.choice import SEED
from farm.grid.selection import labels_of
from farm.record import Record, accuracy_of, source_of
from farm.stats.replicates import mean
from farm.stats.shares import Estimate

Line = tuple[Family, str]  # and source, neither telling a number of images


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """One source calibrated with so many images, over its seeds. basis: what the interval is over."""

    family: Family
    source: str
    size: int
    seeds: int
    score: float
    interval: Estimate | None = None
    basis: Literal["seeds", "images"] | None = None


def by_size(analysis: Analysis) -> list[Sized]:
    """Line by line from few images to many; lines of one size only are left out."""
    lines: dict[Line, dict[int, list[Record]]] = {}
    for record in map(unsized, analysis.run.records):
        if record.calibration is not None and record.subset_size is not None and accuracy_of(record) is not None:
            line = (Family.of(record), source_of(record) or "")
            lines.setdefault(line, {}).setdefault(record.subset_size, []).append(record)
    several = {line: sizes for line, sizes in lines.items() if len(sizes) > 1}
    return [
        _sized(line, size, records, analysis.accuracies)
        for line, sizes in several.items()
        for size, records in sorted(sizes.items())
    ]


def unsized(record: Record) -> Record:
    """The record whose source and algorithm do not tell how many images there are."""
    labels = labels_of(record)
    source = None if record.calibration is None else labels.calibration.without(SEED, "count")
    return replace(record, calibration_source=source, algorithm=labels.algorithm.without("subset_size"))


def _sized(line: Line, size: int, records: Sequence[Record], accuracies: Mapping[str, Accuracy]) -> Sized:
    family, source = line
    values = [score for record in records if (score := accuracy_of(record)) is not None]
    point = Sized(family=family, source=source, size=size, seeds=len(records), score=values[0])
    if len(values) > 1:
        over_seeds = mean(values, resolution=step_of(records))
        return replace(point, score=over_seeds.value, interval=over_seeds, basis="seeds")
    accuracy = accuracies.get(records[0].cell)
    return point if accuracy is None else replace(point, interval=accuracy.score, basis="images")
