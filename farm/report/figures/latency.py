"""How long an inference takes, not only at the median: the distribution of each cell's raw latencies."""

from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt
import numpy as np

from farm.measuring.pairing import CELL
from farm.measuring.round import Round
from farm.record import source_of
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, distinct, names_of, plain
from farm.report.figures.style import colours, dashes, field, legend, side_by_side
from farm.report.numbers import count

HEIGHT = 320
CROWDED = 40  # cells, from which on lines are thin
NS_PER_MS = 1e6
MOST_POINTS = 6000  # of all cells together, which bounds what the page must carry
MOST_PER_CELL = 100
TAIL = (0.995, 0.999)
FEWEST = 10  # latencies beyond a quantile that is shown, as in `farm.stats.ratios.percentile`


def latency(material: Material) -> Plot | None:
    """A line a cell: the share of inferences that took no longer, from its raw rounds, in ms."""
    names = names_of(material.analysis.run.records)
    points = min(MOST_PER_CELL, max(12, MOST_POINTS // max(1, len(material.rounds))))
    entries = list(_rows(material, names, points))
    if not entries:
        return None
    return Plot(caption=_caption(points), alt=_alt(entries), chart=_chart(entries))


def valid_rounds(rounds: Sequence[Round], least: int) -> list[Round]:
    """The cell's rounds that its record rests on: of undisturbed pairs, or all where too few are."""
    timed = [one for one in rounds if one.variant == CELL]
    quiet = [one for one in timed if not one.disturbed]
    return quiet if len(quiet) >= least else timed


def ecdf(latencies: np.ndarray, points: int) -> tuple[list[float], list[float]]:
    """Quantiles, in ms, and the shares up to them: evenly spaced, and two of the tail where enough lie beyond.

    latencies: (n,) in ns.
    """
    tail = [share for share in TAIL if len(latencies) * (1 - share) >= FEWEST]
    shares = np.union1d(np.linspace(0.0, 0.99, points - len(TAIL)), tail)
    return (np.quantile(latencies, shares) / NS_PER_MS).tolist(), shares.tolist()


def _rows(material: Material, names: Names, points: int) -> Iterator[dict[str, Any]]:
    least = material.effort.pairs[0] if material.effort else 1
    for record in material.analysis.run.records:
        rounds = valid_rounds(material.rounds.get(record.cell, ()), least)
        raw = [one.latencies_ns.astype(np.float64) for one in rounds]
        if record.verdict != "invalid" and any(map(len, raw)):
            ms, share = ecdf(np.concatenate(raw), points)
            series = names.series(source_of(record), record.algorithm)
            line = {"group": names.measured(record), "series": series, "cell": plain(record.cell)}
            yield {**line, "ms": ms, "share": share}


def _chart(entries: Sequence[dict[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    series = distinct(row["series"] for row in entries)
    x = alt.X("ms:Q", title="latency, ms", scale=alt.Scale(type="log", nice=False), axis=_axis())
    y = alt.Y("share:Q", title="share of inferences", axis=alt.Axis(format="%"))
    width = 2 if len(entries) <= CROWDED else 1.2
    signs = legend(series, symbolSize=400, symbolStrokeWidth=2)
    line = alt.Chart().transform_flatten(["ms", "share"]).mark_line(strokeWidth=width).encode(
        x=x, y=y, detail="cell:N", tooltip=_tooltip(),
        color=alt.Color("series:N", scale=colours(series), title=None, legend=signs),
        strokeDash=alt.StrokeDash("series:N", scale=dashes(series), title=None, legend=signs),
    )  # fmt: skip
    return side_by_side([line], entries, distinct(row["group"] for row in entries), HEIGHT)


def _axis() -> alt.Axis:
    return alt.Axis(format="~g", tickCount=8, labelOverlap="greedy")


def _tooltip() -> list[alt.Tooltip]:
    return [
        field("cell", "cell"), field("ms", "latency, ms", "Q", format=".4~g"),
        field("share", "share that took no longer", "Q", format=".1%"),
    ]  # fmt: skip


def _caption(points: int) -> str:
    return (
        "The share of inferences that took no longer than so many milliseconds (logarithmic axis); further left is "
        "faster, and a foot drawn out to the right is a slow tail. From the raw latencies of the rounds that count, "
        f"thinned to {points} quantiles a cell; beyond 99 % only where ten inferences were slower still. These are the "
        "latencies of one host as they were, without an interval: speed-ups, which were measured in pairs, have one."
    )


def _alt(entries: Sequence[dict[str, Any]]) -> str:
    middles = {row["cell"]: float(np.interp(0.5, row["share"], row["ms"])) for row in entries}
    fastest, slowest = (choose(middles, key=lambda cell: middles[cell]) for choose in (min, max))
    return (
        f"Latency distributions of {count(len(entries), 'cell')}; medians from {middles[fastest]:.3g} ms ({fastest}) "
        f"to {middles[slowest]:.3g} ms ({slowest})."
    )
