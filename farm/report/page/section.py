"""One run as the page shows it: answers, table, pictures, facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.analysis import Analysis
from farm.report.columns import Shown
from farm.report.page.cells import Table, table
from farm.report.page.facts import Facts, facts
from farm.report.page.picture import Picture, models_of
from farm.report.page.seeds import over_seeds
from farm.report.page.summary import Answer, answers
from farm.report.remarks import controlled, reservations


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """All that the page says of one run. remarks: what is to be known of single cells.

    seeds: a row a source of which there are several seeds.
    models: by what a figure's data call a model, group or cell, the model's name: what the figures' filter goes by.
    """

    name: str
    answers: tuple[Answer, ...]
    table: Table
    seeds: tuple[tuple[Shown, ...], ...]
    pictures: tuple[Picture, ...]
    models: Mapping[str, str]
    facts: Facts
    remarks: tuple[str, ...]


def section(analysis: Analysis, pictures: Sequence[Picture], name: str | None = None) -> Section:
    """What there is to say of a run. pictures: of its figures. name: by default the grid's."""
    run = analysis.run
    return Section(
        name=name or run.name,
        answers=answers(analysis),
        table=table(analysis.rows),
        seeds=over_seeds(analysis.sources),
        pictures=tuple(pictures),
        models=models_of(run.records),
        facts=facts(run),
        remarks=(*controlled(run.records), *reservations(run.records, run.records, run.command)),
    )
