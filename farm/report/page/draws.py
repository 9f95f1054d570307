"""The page's second table: what several draws of a calibration source say together."""

from collections.abc import Sequence

from farm.analysis.replicates import Source
from farm.report.numbers import points
from farm.report.page.cells import Shown
from farm.stats.shares import Estimate

COLUMNS = ("Model", "Source", "Algorithm", "Device", "Draws", "Mean drop", "Spread", "Lost against real", "Standing")
NUMBERS = ("Draws", "Mean drop", "Spread", "Lost against real")
ABOUT = (
    "Points of top-1. Mean drop: against the FP32 IR, with its 95 % interval over draws; spread: their standard "
    "deviation; lost against real: the mean of the real set minus this one's, with its 90 % interval over draws and "
    "test images."
)


def over_draws(draws: Sequence[Source]) -> tuple[tuple[Shown, ...], ...]:
    """A row a source with a model, under `COLUMNS`."""
    return tuple(
        (
            *(Shown(text=text) for text in (each.model, each.source, each.algorithm, each.device, str(each.seeds))),
            _estimate(each.drop),
            Shown(text=points(each.spread)),
            _estimate(each.loss),
            Shown(text=each.standing, kind=each.standing) if each.standing else Shown(),
        )
        for each in draws
    )


def _estimate(found: Estimate | None) -> Shown:
    if found is None:
        return Shown()
    return Shown(text=points(found.value), note=f"{points(found.low)} to {points(found.high)}")
