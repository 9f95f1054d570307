"""The page's summary: four questions, answered in sentences that the claims bear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.accuracy import Accuracy
from farm.analysis.replicates import Source
from farm.report.page.claims import as_good_as_real, what_it_costs
from farm.report.page.doubt import how_sure
from farm.report.page.speed import what_it_buys
from farm.results.reading import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question that the page answers, and its sentences, the most important first."""

    question: str
    sentences: tuple[str, ...]


def answers(run: Run, found: Mapping[str, Accuracy], draws: Sequence[Source]) -> tuple[Answer, ...]:
    """What the run says. found: by cell (`farm.analysis.accuracy`). draws: of sources (`farm.analysis.replicates`)."""
    said = {
        "Which calibration set is as good as real images?": as_good_as_real(run, found, draws),
        "What does int8 cost, and which model breaks?": what_it_costs(run, found),
        "What does int8 buy?": what_it_buys(run.records),
        "How sure is this?": how_sure(run, found),
    }
    return tuple(Answer(question=question, sentences=tuple(sentences)) for question, sentences in said.items())
