"""One run as the page shows it: four questions with answers that the claims bear, table, pictures, facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.analysis import Analysis
from farm.report.columns import Shown
from farm.report.metric import Metric
from farm.report.page.cells import Table, summary, table
from farm.report.page.certainty import how_sure
from farm.report.page.claims import as_good_as_real, what_it_costs
from farm.report.page.facts import Facts, facts
from farm.report.page.picture import Picture, models_of
from farm.report.page.speed import what_it_buys
from farm.report.remarks import controlled, doubtful, reservations
from farm.report.seeds import about, seed_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """All that the page says of one run.

    summary: a row a model. doubts: what is implausible of models. answers: by question, sentences, the most important
    first. remarks: what is to be known of single cells. seeds: a row a source of which there are several seeds, and
    about_seeds what they show.
    models: by what a figure's data call a model or a group, the model's name: what the figures' filter goes by.
    """

    name: str
    summary: Table
    doubts: tuple[str, ...]
    answers: Mapping[str, Sequence[str]]
    table: Table
    seeds: tuple[tuple[Shown, ...], ...]
    about_seeds: str
    pictures: tuple[Picture, ...]
    models: Mapping[str, str]
    facts: Facts
    remarks: tuple[str, ...]


def section(analysis: Analysis, pictures: Sequence[Picture], name: str | None = None) -> Section:
    """What there is to say of a run. pictures: of its figures. name: by default the grid's."""
    run, metric = analysis.run, Metric(analysis.metric)
    return Section(
        name=name or run.name, summary=summary(analysis.rows), doubts=tuple(doubtful(run.records)),
        answers=answers(analysis), table=table(analysis.rows),
        seeds=tuple(seed_row(source, metric) for source in analysis.sources), about_seeds=about(metric),
        pictures=tuple(pictures), models=models_of(run.records),
        facts=facts(run), remarks=(*controlled(run.records), *reservations(run.records, run.records, run.command)),
    )  # fmt: skip


def answers(analysis: Analysis) -> dict[str, list[str]]:
    """By question, what the run says."""
    return {
        "Which calibration set is as good as real images?": as_good_as_real(analysis),
        "What does int8 cost, and which model breaks?": what_it_costs(analysis),
        "What does int8 buy?": what_it_buys(analysis),
        "How sure is this?": how_sure(analysis),
    }
