"""Whether a measurement had settled: its ratio to the FP32 IR, pair by pair, with the interval so far."""

from collections.abc import Iterator, Sequence

import altair as alt

from farm.measuring.pairing import PairedRounds
from farm.record import Record
from farm.report.figures.bounds import MOST_MARKS, foremost, of_many
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import GAP, Names, plain
from farm.report.figures.points import UNJUDGED
from farm.report.figures.style import BLUE, GREY, PALE, Datum, data, tooltip
from farm.report.numbers import count, within
from farm.stats.ratios import Pair, paired_ratio

MOST = 24  # measurements shown: more than this nobody reads
WIDTH, HEIGHT, ABREAST = 190, 110, 3
SURE = 0.3  # an interval that reaches further than this to one side is not shown, for it would hide the others
TOOLTIP = tooltip(
    ("cell", "cell"), ("pair", "pairs so far", ""), ("ratio", "x IR so far", ".3f"),
    ("low", "99 % interval from", ".3f"), ("high", "to", ".3f"), ("one", "this pair alone", ".3f"),
    ("verdict", "measurement in the end"),
)  # fmt: skip


def convergence(material: Material) -> Plot | None:
    """A panel a measurement; of many, those that ended widest."""
    measured = {record.cell: record for record in material.analysis.run.records if record.cell in material.rounds}
    likely = foremost({cell: _width(record) for cell, record in measured.items()}, MOST)
    pairs = {cell: PairedRounds(rounds=list(material.rounds[cell])).pairs() for cell in likely}
    ends = {cell: paired_ratio(of) for cell, of in pairs.items()}
    widths = {cell: end.within for cell, end in ends.items() if end is not None and end.within is not None}
    if not widths:
        return None
    longest = max(len(pairs[cell]) for cell in widths)
    there = len(measured) - len(likely) + len(widths)  # a single pair has no interval
    widest = foremost(widths, max(1, MOST_MARKS // longest))
    names, target = material.names, material.effort.target if material.effort else None
    shown = [measured[cell] for cell in widest]
    panels = {record.cell: _panel(record, names) for record in shown}
    rows = [
        {"group": names.measured(record), "panel": panels[record.cell], **row}
        for record in shown
        for row in _rows(record, pairs[record.cell], target)
    ]
    return Plot(
        caption=_caption(len(widest), there, target),
        alt=_alt([widths[cell] for cell in widest], there),
        chart=_chart(rows, list(panels.values()), longest, banded=target is not None),
    )


def _width(record: Record) -> float:
    """How many times its interval's low end the high end is, where that is known."""
    return (record.speedup_ir_high or 0.0) / (record.speedup_ir_low or 1.0)


def _panel(record: Record, names: Names) -> str:
    """What stands above a cell's panel: the model, and below it the set, with a verdict that is not valid."""
    verdict = "" if record.verdict == "valid" else f", {record.verdict or UNJUDGED}"
    return GAP.join((names.measured(record), names.series(record.calibration, record.algorithm) + verdict))


def _rows(record: Record, pairs: Sequence[Pair], target: float | None) -> Iterator[Datum]:
    ratios = [ratio for seen in range(len(pairs)) if (ratio := paired_ratio(pairs[: seen + 1]))]
    last = ratios[-1]
    band = {} if target is None else {"lower": last.value / (1 + target), "upper": last.value * (1 + target)}
    widest = max(SURE, 1.5 * (last.within or 0.0))
    for seen, (ratio, (cell, ir)) in enumerate(zip(ratios, pairs, strict=True), 1):
        narrow = ratio.within is not None and ratio.within < widest
        yield {
            "cell": plain(record.cell), "pair": seen, "ratio": ratio.value, "one": cell / ir,
            "low": ratio.low if narrow else None, "high": ratio.high if narrow else None,
            "verdict": record.verdict or UNJUDGED, **band,
        }  # fmt: skip


def _chart(rows: Sequence[Datum], panels: Sequence[str], longest: int, *, banded: bool) -> alt.FacetChart:
    axis, scale = alt.Axis(tickMinStep=1, tickCount=5), alt.Scale(domain=[1, longest], nice=False)
    base = alt.Chart().encode(x=alt.X("pair:Q", title="pairs", axis=axis, scale=scale), tooltip=TOOLTIP)
    narrow = base.transform_filter("isValid(datum.low)")
    target = base.mark_area(color=PALE, opacity=1).encode(y=_y("lower"), y2="upper:Q")
    band = narrow.mark_area(color=BLUE, opacity=0.25).encode(y=_y("low"), y2="high:Q")
    dots = base.mark_point(shape="circle", size=14, color=GREY, opacity=1).encode(y=_y("one"))
    line = base.mark_line(color=BLUE, strokeWidth=2).encode(y=_y("ratio"))
    label = f"split(datum.label, '{GAP}')"
    header = alt.Header(labelAnchor="start", labelLimit=WIDTH + 36, labelFontSize=11, labelExpr=label)
    panel = alt.Facet("panel:N", title=None, sort=list(panels), header=header)
    layers = alt.layer(*([target] if banded else []), band, dots, line, data=data(rows))
    faceted = layers.properties(width=WIDTH, height=HEIGHT).facet(
        facet=panel, columns=ABREAST, bounds="flush", spacing={"row": 94, "column": 62}
    )
    chart: alt.FacetChart = faceted.resolve_scale(y="independent").resolve_axis(x="independent", y="independent")
    return chart


def _y(name: str) -> alt.Y:
    scale = alt.Scale(zero=False, nice=False, padding=8)
    return alt.Y(f"{name}:Q", title="x IR", scale=scale, axis=alt.Axis(minExtent=34, tickCount=5))


def _caption(shown: int, there: int, target: float | None) -> str:
    which = of_many(shown, there, "measurements that ended with the widest intervals")
    band = f" The grey band is the target, {target:.1%} to each side of the last value." if target is not None else ""
    return (
        f"{which}The ratio to the FP32 IR after so many undisturbed pairs of rounds (line), with the 99 % t-interval "
        "of those pairs (area, from where it is narrow enough to be shown), and each pair's own ratio (dots)."
        f"{band} The record's interval is somewhat wider where a measurement could have "
        "been stopped at several looks, for each look spends a part of the error."
    )


def _alt(widths: Sequence[float], there: int) -> str:
    return (
        f"Convergence of {len(widths)} of {count(there, 'measurement')}: at the end, ratios are known "
        f"{within(widths)} to each side (99 %)."
    )
