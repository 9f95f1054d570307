"""What a figure is, and what figures are made of. Knows results, not how charts are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from altair import TopLevelMixin

from farm.analysis.analysis import Analysis
from farm.measuring.round import Round
from farm.plan import Effort, Plan
from farm.plan.parameters import Evaluate
from farm.report.figures.names import Names, names_of
from farm.results.folder import PLAN
from farm.results.reading import rounds, samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What one module makes of a run: a chart with its words.

    caption: what it shows and how to read it, with what the intervals mean. alt: one sentence with the main numbers,
    for readers who cannot see it. chart: without a title; it has its data inside.
    """

    caption: str
    alt: str
    chart: TopLevelMixin


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure(Plot):
    """A plot with the name and title that `farm.report.figures` gives it."""

    name: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A run's analysis and what else is read of it, once for all figures.

    names: what its parts are called. rounds: of each measured cell. samples: rows of ``samples.parquet``. effort: None
    where the plan was not published. classes: names of the test images' classes, where the plan has them.
    """

    analysis: Analysis
    names: Names
    rounds: Mapping[str, Sequence[Round]]
    samples: Sequence[Mapping[str, Any]]
    effort: Effort | None
    classes: Sequence[str] = ()


def material(analysis: Analysis) -> Material:
    """Everything that figures of a run are made of."""
    folder = analysis.run.folder
    plan = folder.read_plan() if folder.has(PLAN) else None
    return Material(
        analysis=analysis,
        names=names_of(analysis.run.records),
        rounds=rounds(folder),
        samples=samples(folder),
        effort=plan.effort if plan else None,
        classes=_classes(plan) if plan else (),
    )


def _classes(plan: Plan) -> Sequence[str]:
    """The names that the dataset gives its classes, in the order of their numbers; none where they are in a file."""
    wanted = [stage.parameters for stage in plan.stages.values()]
    names = [one.dataset.options.get("classes") for one in wanted if isinstance(one, Evaluate)]
    return next((list(map(str, each)) for each in names if isinstance(each, (list, tuple))), [])
