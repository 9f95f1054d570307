"""One run as the page shows it: answers, table, drawings, facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.accuracy import accuracies
from farm.analysis.replicates import sources
from farm.report.page.cells import Shown, Table, table
from farm.report.page.drawing import Drawing, models_of
from farm.report.page.draws import over_draws
from farm.report.page.facts import Facts, facts
from farm.report.page.summary import Answer, answers
from farm.report.remarks import controlled, doubts
from farm.results.reading import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """All that the page says of one run. remarks: what is to be known of single cells.

    drawn: a row a source of which there are several draws.
    models: by what a figure's data call a model, group or cell, the model's name: what the figures' filter goes by.
    """

    name: str
    answers: tuple[Answer, ...]
    table: Table
    drawn: tuple[tuple[Shown, ...], ...]
    drawings: tuple[Drawing, ...]
    models: Mapping[str, str]
    facts: Facts
    remarks: tuple[str, ...]


def section(run: Run, drawings: Sequence[Drawing], name: str | None = None) -> Section:
    """What there is to say of a run. drawings: of its figures. name: by default the grid's."""
    found, draws = accuracies(run), sources(run)
    return Section(
        name=name or run.name,
        answers=answers(run, found, draws),
        table=table(run.records, found),
        drawn=over_draws(draws),
        drawings=tuple(drawings),
        models=models_of(run.records),
        facts=facts(run),
        remarks=(*controlled(run.records), *doubts(run.records, run.records, run.command)),
    )
