"""Every set held against real images, once: over its seeds where that can be claimed, else cell by cell.

Over several seeds the claim is of the *source* (`farm.analysis.replicates`) and stands for all its cells; with one seed
it is of *these two models* (`farm.analysis.accuracy`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.accuracy import Accuracy
from farm.analysis.families import Family
from farm.analysis.replicates import Source
from farm.analysis.standing import Standing
from farm.record import Record
from farm.stats.shares import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstReal:
    """One set beside real images within a family.

    source: the set's, without a seed. name: the source where this is said of it, else the set. loss: of top-1, with
    its 90 % interval, shares of 1. p: of no loss, by Holm. seeds: that it is said over; None where it is said of two
    models. n_images: that both saw.
    """

    family: Family
    source: str
    name: str
    loss: Estimate
    p: float
    standing: Standing
    seeds: int | None = None
    n_images: int | None = None


def against_real(
    records: Sequence[Record], accuracies: Mapping[str, Accuracy], sources: Sequence[Source]
) -> Iterator[AgainstReal]:
    """The sources that have a standing, then the cells of which none speaks, both in the records' order."""
    spoken_for = set()
    for source in sources:
        if source.loss is not None and source.p is not None and source.standing is not None:
            spoken_for.add((source.family, source.source))
            yield AgainstReal(
                family=source.family, source=source.source, name=source.source, loss=source.loss, p=source.p,
                standing=source.standing, seeds=source.seeds,
            )  # fmt: skip
    for record in records:
        real = accuracies[record.cell].real if record.cell in accuracies else None
        if real is None or real.standing is None or record.calibration is None or record.calibration_source is None:
            continue
        if (Family.of(record), record.calibration_source) not in spoken_for:
            yield AgainstReal(
                family=Family.of(record), source=record.calibration_source, name=record.calibration, loss=real.loss,
                p=real.p, standing=real.standing, n_images=record.n_images,
            )  # fmt: skip
