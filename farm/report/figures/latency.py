"""How long an inference takes, not only at the median: the distribution of each cell's raw latencies."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from farm.measuring.pairing import CELL, PairedRounds
from farm.measuring.round import Round
from farm.record import Record, source_of
from farm.report.figures.bounds import foremost, of_many
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, plain
from farm.report.figures.style import Datum, Spec, colours, dashes, legend, side_by_side, tooltip
from farm.report.numbers import count

HEIGHT = 320
CROWDED = 40  # cells, from which on lines are thin
NS_PER_MS = 1e6
MOST = 60  # cells
POINTS = 100  # of a cell
TAIL = (0.995, 0.999)
FEWEST = 10  # latencies beyond a quantile that is shown, as in `farm.stats.ratios.percentile`
TOOLTIP = tooltip(("cell", "cell"), ("ms", "latency, ms", ".4~g"), ("share", "share that took no longer", ".1%"))

Ecdf = tuple[list[float], list[float]]


def latency(material: Material) -> Plot | None:
    """A line a cell: the share of inferences that took no longer, from its raw rounds, in ms."""
    measured = {
        record.cell: record
        for record in material.analysis.run.records
        if record.cell in material.rounds and record.verdict != "invalid"
    }
    chosen = foremost({cell: _tail(record) for cell, record in measured.items()}, MOST)
    lines: dict[str, tuple[Record, Ecdf]] = {}
    for record in (measured[cell] for cell in chosen):
        rounds = valid_rounds(material.rounds[record.cell], material.effort.pairs[0] if material.effort else 1)
        raw = [one.stretches.latencies_ns.astype(np.float64) for one in rounds]
        if any(map(len, raw)):
            lines[plain(record.cell)] = (record, ecdf(np.concatenate(raw), POINTS))
    if not lines:
        return None
    chart = _chart(lines, material.names)
    which = of_many(len(lines), len(measured), "cells whose slowest twentieth takes longest beside their median")
    return Plot(caption=which + _caption(), alt=_alt({cell: line for cell, (_, line) in lines.items()}), chart=chart)


def _tail(record: Record) -> float:
    """The 95th percentile by the median, where both are known."""
    return (record.latency_p95_ms or 0.0) / (record.latency_p50_ms or 1.0)


def valid_rounds(rounds: Sequence[Round], least: int) -> list[Round]:
    """The cell's rounds that its record rests on, with those of their stretches."""
    return [one for one in PairedRounds(rounds=list(rounds)).used(least) if one.variant == CELL]


def ecdf(latencies: NDArray[np.float64], points: int) -> Ecdf:
    """Quantiles, in ms, and the shares up to them: evenly spaced, and two of the tail where enough lie beyond.

    latencies: (n,) in ns.
    """
    tail = [share for share in TAIL if len(latencies) * (1 - share) >= FEWEST]
    shares = np.union1d(np.linspace(0.0, 0.99, points - len(TAIL)), tail)
    return (np.quantile(latencies, shares) / NS_PER_MS).tolist(), shares.tolist()


def _chart(lines: Mapping[str, tuple[Record, Ecdf]], names: Names) -> alt.LayerChart | alt.FacetChart:
    group = {cell: names.measured(record) for cell, (record, _) in lines.items()}
    label = {cell: names.series(source_of(record), record.algorithm) for cell, (record, _) in lines.items()}
    rows: list[Datum] = [
        {"group": group[cell], "series": label[cell], "cell": cell, "ms": ms, "share": share}
        for cell, (_, (ms, share)) in lines.items()
    ]
    series = list(dict.fromkeys(label.values()))
    look: Spec = {"title": None, "legend": legend(series, size=400)}
    axis = alt.Axis(format="~g", tickCount=8, labelOverlap="greedy")
    line = alt.Chart().transform_flatten(["ms", "share"]).mark_line(strokeWidth=2 if len(rows) <= CROWDED else 1.2)
    line = line.encode(
        x=alt.X("ms:Q", title="latency, ms", scale=alt.Scale(type="log", nice=False), axis=axis),
        y=alt.Y("share:Q", title="share of inferences", axis=alt.Axis(format="%")),
        color=alt.Color("series:N", scale=colours(series), **look),
        strokeDash=alt.StrokeDash("series:N", scale=dashes(series), **look),
        detail="cell:N", tooltip=TOOLTIP,
    )  # fmt: skip
    return side_by_side([line], rows, list(dict.fromkeys(group.values())), HEIGHT)


def _caption() -> str:
    return (
        "The share of inferences that took no longer than so many milliseconds (logarithmic axis); further left is "
        "faster, and a foot drawn out to the right is a slow tail. From the raw latencies of the rounds that count, "
        f"thinned to {POINTS} quantiles a cell; beyond 99 % only where ten inferences were slower still. These are the "
        "latencies of one host as they were, without an interval: speed-ups, which were measured in pairs, have one."
    )


def _alt(lines: Mapping[str, Ecdf]) -> str:
    middles = {cell: float(np.interp(0.5, share, ms)) for cell, (ms, share) in lines.items()}
    fastest, slowest = (choose(middles, key=middles.__getitem__) for choose in (min, max))
    return (
        f"Latency distributions of {count(len(lines), 'cell')}; medians from {middles[fastest]:.3g} ms ({fastest}) "
        f"to {middles[slowest]:.3g} ms ({slowest})."
    )
