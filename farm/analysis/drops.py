"""What quantization costs each source within its family, over the seeds that there are. Knows records."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from farm.analysis.families import Family
from farm.analysis.replicates import Source
from farm.record import Record, source_of
from farm.stats.shares import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The mean drop of top-1 of one source over its seeds, a share of 1; None where no cell has one.

    interval: over several seeds, 95 %. failed: how many cells did.
    """

    family: Family
    source: str
    mean: float | None
    interval: Estimate | None
    seeds: int
    failed: int


def mean_drops(records: Sequence[Record], sources: Sequence[Source]) -> list[Drop]:
    """One for each source and family of the records, in their order."""
    intervals = {(source.family, source.source): source.drop for source in sources}
    cells: dict[tuple[Family, str], list[Record]] = {}
    for record in records:
        source = source_of(record)
        if source is not None:
            cells.setdefault((Family.of(record), source), []).append(record)
    return [_drop(*key, members, intervals.get(key)) for key, members in cells.items()]


def _drop(family: Family, source: str, records: Sequence[Record], interval: Estimate | None) -> Drop:
    values = [record.top1_drop for record in records if record.top1_drop is not None]
    return Drop(
        family=family,
        source=source,
        mean=fmean(values) if values else None,
        interval=interval,
        seeds=len(values),
        failed=sum(record.outcome == "failed" for record in records),
    )
