"""What a figure is, and what figures are drawn from. Knows results, not how anything is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from altair import TopLevelMixin

from farm.analysis.accuracy import Accuracy, accuracies
from farm.analysis.replicates import Source, sources
from farm.measuring.round import Round
from farm.plan import Effort
from farm.results.folder import PLAN
from farm.results.reading import Run, rounds, samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with its words.

    caption: what it shows and how to read it, with what the intervals mean. alt: one sentence with the main numbers,
    for readers who cannot see it. chart: without a title; it has its data inside.
    """

    name: str
    title: str
    caption: str
    alt: str
    chart: TopLevelMixin


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What one module draws of a run: a `Figure` but for its name and title, which `farm.report.figures` gives it."""

    caption: str
    alt: str
    chart: TopLevelMixin


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A run and what is computed or read of it once, for all figures.

    accuracies: by cell. sources: over several draws. rounds: of each measured cell.
    samples: rows of ``samples.parquet``. effort: how measurements were asked to be, from plan.json: pairs (least,
    most), target (share of 1, of the interval to one side); None where the plan was not published.
    """

    run: Run
    accuracies: Mapping[str, Accuracy]
    sources: Sequence[Source]
    rounds: Mapping[str, Sequence[Round]]
    samples: Sequence[Mapping[str, Any]]
    effort: Effort | None


def material(run: Run) -> Material:
    """Everything that figures of a run are drawn from."""
    return Material(
        run=run,
        accuracies=accuracies(run),
        sources=sources(run),
        rounds=rounds(run.folder),
        samples=samples(run.folder),
        effort=run.folder.read_plan().effort if run.folder.has(PLAN) else None,
    )
