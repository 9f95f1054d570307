"""Sources over several seeds, in words: one line each. Knows what may be said of them, not how it is worked out."""

from collections.abc import Sequence

from farm.analysis.analysis import Analysis
from farm.analysis.families import Family
from farm.analysis.replicates import Source
from farm.grid.settings import Claims
from farm.record import Record

HEADING = "over several seeds, each with its 95 % interval:"
WORDS = {
    "equivalent": "equivalent to {real} within {margin:g}",
    "worse": "worse than {real}",
    "better": "better than {real}",
    "undecided": "undecided against {real}",
}


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
