"""What several draws of each calibration source say together, as Markdown."""

from farm.analysis.replicates import Source, sources
from farm.report.numbers import points
from farm.results.reading import Run
from farm.stats.shares import Estimate

HEAD = (
    "| model | source | algorithm | draws | mean drop, points | spread | lost against real, points | standing |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def table(run: Run) -> str:
    """A row a source with a model: drops with 95 % intervals over draws, losses against real images with 90 % ones."""
    return HEAD + "".join(f"| {' | '.join(_row(each))} |\n" for each in sources(run))


def _row(source: Source) -> tuple[str, ...]:
    return (
        source.model,
        source.source,
        source.algorithm,
        str(source.seeds),
        _estimate(source.drop),
        points(source.spread),
        _estimate(source.loss) if source.loss else "",
        str(source.standing or ""),
    )


def _estimate(found: Estimate) -> str:
    return f"{points(found.value)} [{points(found.low)}, {points(found.high)}]"
