"""The page's summary: four questions, answered in sentences that the claims bear."""

from dataclasses import dataclass

from farm.analysis.analysis import Analysis
from farm.report.page.certainty import how_sure
from farm.report.page.claims import as_good_as_real, what_it_costs
from farm.report.page.speed import what_it_buys


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question that the page answers, and its sentences, the most important first."""

    question: str
    sentences: tuple[str, ...]


def answers(analysis: Analysis) -> tuple[Answer, ...]:
    """What the run says."""
    by_question = {
        "Which calibration set is as good as real images?": as_good_as_real(analysis),
        "What does int8 cost, and which model breaks?": what_it_costs(analysis),
        "What does int8 buy?": what_it_buys(analysis),
        "How sure is this?": how_sure(analysis),
    }
    return tuple(Answer(question=question, sentences=tuple(sentences)) for question, sentences in by_question.items())
