"""All that may be said of one run, worked out once: for terminal, page, figures, CSV and docs. Knows no layout."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.accuracy import Accuracy, accuracies
from farm.analysis.families import Family
from farm.analysis.replicates import Source, sources
from farm.analysis.rows import Row, assessment, best_sets
from farm.analysis.speeds import over_pytorch
from farm.analysis.standing import Standing
from farm.record import Record, metric_of
from farm.results.reading import Run
from farm.stats.shares import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstReal:
    """One set beside real images within a family.

    source: the set's, without a seed. name: the source where this is said of it, else the set. loss: of the grid's
    metric, with its 90 % interval. p: of no loss, by Holm. seeds: that it is said over; None where it is said of two
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A run and what may be said of it.

    rows: a cell each, in the grid's order. accuracies: by cell, where predictions are there. sources: over several
    seeds. against_real: every set beside real images. over_pytorch: by cell, the verdict on its speed-up over PyTorch.
    """

    run: Run
    rows: tuple[Row, ...]
    accuracies: Mapping[str, Accuracy]
    sources: tuple[Source, ...]
    against_real: tuple[AgainstReal, ...]
    over_pytorch: Mapping[str, str | None]

    @property
    def metric(self) -> str | None:
        """The grid's; None where all records are older than metrics, which is top-1."""
        return metric_of(self.run.records)


def analyse(run: Run) -> Analysis:
    """What may be said of a run, of all its cells together: a choice of rows afterwards changes no word of it."""
    by_cell, over_seeds, best = accuracies(run), tuple(sources(run)), best_sets(run.records)
    return Analysis(
        run=run,
        rows=tuple(
            Row(record=record, assessment=assessment(by_cell.get(record.cell), best=record.cell in best))
            for record in run.records
        ),
        accuracies=by_cell,
        sources=over_seeds,
        against_real=tuple(_against_real(run.records, by_cell, over_seeds)),
        over_pytorch=over_pytorch(run.records),
    )


def _against_real(
    records: Sequence[Record], by_cell: Mapping[str, Accuracy], over_seeds: Sequence[Source]
) -> Iterator[AgainstReal]:
    """Every set held against real images, once: over its seeds where that can be claimed, else cell by cell.

    Over several seeds the claim is of the *source* and stands for all its cells; with one seed it is of *these two
    models*. The sources come first, then the cells of which none speaks, both in the records' order.
    """
    spoken_for = set()
    for source in over_seeds:
        if source.loss is not None and source.p is not None and source.standing is not None:
            spoken_for.add((source.family, source.source))
            yield AgainstReal(
                family=source.family, source=source.source, name=source.source, loss=source.loss, p=source.p,
                standing=source.standing, seeds=source.seeds,
            )  # fmt: skip
    for record in records:
        real = by_cell[record.cell].real if record.cell in by_cell else None
        if real is None or real.standing is None or record.calibration is None or record.calibration_source is None:
            continue
        if (Family.of(record), record.calibration_source) not in spoken_for:
            yield AgainstReal(
                family=Family.of(record), source=record.calibration_source, name=record.calibration, loss=real.loss,
                p=real.p, standing=real.standing, n_images=record.n_images,
            )  # fmt: skip
