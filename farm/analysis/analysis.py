"""All that may be said of one run, worked out once: for terminal, page, figures, CSV and docs. Knows no layout."""

from collections.abc import Mapping
from dataclasses import dataclass

from farm.analysis.accuracy import Accuracy, accuracies
from farm.analysis.against_real import AgainstReal, against_real
from farm.analysis.replicates import Source, sources
from farm.analysis.rows import Row, assessment, best_sets
from farm.analysis.speeds import over_pytorch
from farm.results.reading import Run


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
        against_real=tuple(against_real(run.records, by_cell, over_seeds)),
        over_pytorch=over_pytorch(run.records),
    )
