"""Sources over several seeds: a line each for the terminal, a row each for the page. Knows what may be said of them."""

from collections.abc import Sequence

from farm.analysis.analysis import Analysis
from farm.analysis.families import Family
from farm.analysis.replicates import Source
from farm.grid.settings import Claims
from farm.record import Record
from farm.report.columns import Shown
from farm.report.metric import Metric
from farm.stats.shares import Estimate

HEADING = "over several seeds, each with its 95 % interval:"
WORDS = {
    "equivalent": "equivalent to {real} within {margin:g}",
    "worse": "worse than {real}",
    "better": "better than {real}",
    "undecided": "undecided against {real}",
}

HEADINGS = ("Model", "Source", "Algorithm", "Device", "Seeds", "Mean drop", "Spread", "Lost against real", "Standing")
NUMBERS = ("Seeds", "Mean drop", "Spread", "Lost against real")
ABOUT = (
    "{}. Mean drop: against the FP32 IR, with its 95 % interval over seeds; spread: their standard deviation; lost "
    "against real: the mean of the real set minus this one's, with its 90 % interval over seeds and test images."
)


def seed_lines(analysis: Analysis, records: Sequence[Record]) -> list[str]:
    """A line for each source of these records that has several seeds, hanging below a heading: one entry, or none."""
    here = {(Family.of(record), record.calibration_source) for record in records}
    sources = [source for source in analysis.sources if (source.family, source.source) in here]
    several = len({source.family.device for source in sources}) > 1
    lines = [_line(source, analysis.run.claims, several=several) for source in sources]
    return ["\n    ".join([HEADING, *lines])] if lines else []


def _line(source: Source, claims: Claims, *, several: bool) -> str:
    family, drop = source.family, source.drop
    name = f"{family.model} {source.source} {family.algorithm}" + (f" {family.device}" if several else "")
    text = f"{name}: mean drop {drop.value:+.4f} ({drop.low:+.4f} to {drop.high:+.4f})"
    text += f", spread {source.spread:.4f} over {source.seeds} seeds"
    if source.standing is None:
        return text
    return f"{text}; {WORDS[source.standing].format(real=claims.reference, margin=claims.margin)}"


def about(metric: Metric) -> str:
    """What the page's table over seeds shows."""
    return ABOUT.format(f"Points of {metric.word}" if metric.in_percent else f"Of {metric.word}")


def seed_row(source: Source, metric: Metric) -> tuple[Shown, ...]:
    """A row of the page's second table, under `HEADINGS`: a source with a model."""
    family = source.family
    return (
        *(Shown(text=name) for name in (family.model, source.source, family.algorithm, family.device)),
        Shown(text=str(source.seeds)),
        _estimate(source.drop, metric),
        Shown(text=metric.number(source.spread)),
        _estimate(source.loss, metric),
        Shown(text=source.standing, kind=source.standing) if source.standing else Shown(),
    )


def _estimate(estimate: Estimate | None, metric: Metric) -> Shown:
    if estimate is None:
        return Shown()
    note = f"{metric.number(estimate.low)} to {metric.number(estimate.high)}"
    return Shown(text=metric.number(estimate.value), note=note)
