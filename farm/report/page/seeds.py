"""The page's second table: what several seeds of a calibration source say together."""

from collections.abc import Sequence

from farm.analysis.replicates import Source
from farm.report.columns import Shown
from farm.report.numbers import points
from farm.stats.shares import Estimate

HEADINGS = ("Model", "Source", "Algorithm", "Device", "Seeds", "Mean drop", "Spread", "Lost against real", "Standing")
NUMBERS = ("Seeds", "Mean drop", "Spread", "Lost against real")
ABOUT = (
    "Points of top-1. Mean drop: against the FP32 IR, with its 95 % interval over seeds; spread: their standard "
    "deviation; lost against real: the mean of the real set minus this one's, with its 90 % interval over seeds and "
    "test images."
)


def over_seeds(sources: Sequence[Source]) -> tuple[tuple[Shown, ...], ...]:
    """A row a source with a model, under `HEADINGS`."""
    return tuple(map(_row, sources))


def _row(source: Source) -> tuple[Shown, ...]:
    family = source.family
    names = (family.model, source.source, family.algorithm, family.device, str(source.seeds))
    return (
        *(Shown(text=name) for name in names),
        _estimate(source.drop),
        Shown(text=points(source.spread)),
        _estimate(source.loss),
        Shown(text=source.standing, kind=source.standing) if source.standing else Shown(),
    )


def _estimate(estimate: Estimate | None) -> Shown:
    if estimate is None:
        return Shown()
    return Shown(text=points(estimate.value), note=f"{points(estimate.low)} to {points(estimate.high)}")
