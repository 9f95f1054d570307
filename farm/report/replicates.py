"""Sources over several draws, in words: one line each. Knows what was found of them, not how."""

from collections.abc import Sequence

from farm.analysis.replicates import Source
from farm.record import Record
from farm.results.reading import Run

HEADING = "over several draws, each with its 95 % interval:"
WORDS = {
    "equivalent": "equivalent to {real} within {margin:g}",
    "worse": "worse than {real}",
    "better": "better than {real}",
    "undecided": "undecided against {real}",
}


def draw_lines(found: Sequence[Source], shown: Sequence[Record], run: Run) -> list[str]:
    """One entry: a line for each source that has a row in the table, hanging below a heading.

    None where no source has several draws.
    """
    here = {(each.model, each.calibration_source, each.algorithm, each.device) for each in shown}
    kept = [each for each in found if (each.model, each.source, each.algorithm, each.device) in here]
    devices = {each.device for each in kept}
    said = [_line(each, run, several=len(devices) > 1) for each in kept]
    return ["\n    ".join([HEADING, *said])] if kept else []


def _line(source: Source, run: Run, *, several: bool) -> str:
    drop = source.drop
    name = f"{source.model} {source.source} {source.algorithm}" + (f" {source.device}" if several else "")
    text = f"{name}: mean drop {drop.value:+.4f} ({drop.low:+.4f} to {drop.high:+.4f})"
    text += f", spread {source.spread:.4f} over {source.seeds} draws"
    if source.standing is None:
        return text
    return f"{text}; {WORDS[source.standing].format(real=run.claims.reference, margin=run.claims.margin)}"
