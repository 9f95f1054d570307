"""What several seeds of each calibration source say together, as Markdown."""

from farm.analysis.analysis import analyse
from farm.analysis.replicates import Source
from farm.report.numbers import points
from farm.results.reading import Run
from farm.stats.shares import Estimate

HEAD = (
    "| model | source | algorithm | seeds | mean drop, points | spread | lost against real, points | standing |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def table(run: Run) -> str:
    """A row a source with a model: drops with 95 % intervals over seeds, losses against real images with 90 % ones."""
    return HEAD + "".join(f"| {' | '.join(_row(source))} |\n" for source in analyse(run).sources)


def _row(source: Source) -> tuple[str, ...]:
    return (
        source.family.model,
        source.source,
        source.family.algorithm,
        str(source.seeds),
        _estimate(source.drop),
        points(source.spread),
        _estimate(source.loss) if source.loss else "",
        str(source.standing or ""),
    )


def _estimate(estimate: Estimate) -> str:
    return f"{points(estimate.value)} [{points(estimate.low)}, {points(estimate.high)}]"
