"""Whether a measurement had settled: its ratio to the FP32 IR, pair by pair, with the interval so far."""

from collections.abc import Sequence
from typing import Any, cast

import altair as alt

from farm.measuring.pairing import speeds
from farm.measuring.round import Round
from farm.record import Record
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import GAP, Names, names_of, plain
from farm.report.figures.points import word
from farm.report.figures.style import BLUE, GREY, PALE, data, field
from farm.report.numbers import count
from farm.stats.ratios import Ratio, paired_ratio

MOST = 24  # measurements shown: more than this nobody reads
LEAST = 2  # pairs that have an interval
WIDTH, HEIGHT, ABREAST = 190, 110, 3
SURE = 0.3  # an interval that reaches further than this to one side is not shown, for it would hide the others


def convergence(material: Material) -> Plot | None:
    """A panel a measurement; of many, those that ended widest."""
    records = {record.cell: record for record in material.analysis.run.records}
    speeds_of = {cell: _speeds(rounds) for cell, rounds in material.rounds.items() if cell in records}
    ends = {cell: paired_ratio(pairs) for cell, pairs in speeds_of.items() if len(pairs) >= LEAST}
    widest = sorted(ends, key=lambda cell: -_within(ends[cell]))[:MOST]
    if not widest:
        return None
    chosen = [record for cell, record in records.items() if cell in widest]
    names = names_of(material.analysis.run.records)
    panels = _panels(chosen, names)
    target = material.effort.target if material.effort else None
    entries = [row for record in chosen for row in _rows(panels[record.cell], record, speeds_of[record.cell], target)]
    return Plot(
        caption=_caption(len(widest), len(ends), target),
        alt=_alt([ends[cell] for cell in widest], len(ends)),
        chart=_chart(entries, list(panels.values())),
    )


def _speeds(rounds: Sequence[Round]) -> list[tuple[float, float]]:
    return speeds([one for one in rounds if not one.disturbed])


def _within(ratio: Ratio | None) -> float:
    return (ratio.within if ratio else None) or 0.0


def _panels(records: Sequence[Record], names: Names) -> dict[str, str]:
    """What stands above each cell's panel: the model, and below it the set, with a verdict that is not valid."""
    panels: dict[str, str] = {}
    for record in records:
        verdict = "" if record.verdict == "valid" else f", {word(record.verdict)}"
        series = names.series(record.calibration, record.algorithm)
        panels[record.cell] = GAP.join((names.measured(record), series + verdict))
    return panels


def _rows(
    panel: str, record: Record, pairs: Sequence[tuple[float, float]], target: float | None
) -> list[dict[str, Any]]:
    last = paired_ratio(pairs)
    if last is None:
        return []
    band = {} if target is None else {"lower": last.value / (1 + target), "upper": last.value * (1 + target)}
    widest = max(SURE, 1.5 * _within(last))
    rows = []
    for seen in range(1, len(pairs) + 1):
        ratio = paired_ratio(pairs[:seen])
        if ratio is not None:
            shown = ratio.within is not None and ratio.within < widest
            low, high = (ratio.low, ratio.high) if shown else (None, None)
            row = {
                "panel": panel,
                "cell": plain(record.cell),
                "pair": seen,
                "ratio": ratio.value,
                "low": low,
                "high": high,
                **band,
            }
            rows.append(row | {"one": pairs[seen - 1][0] / pairs[seen - 1][1], "verdict": word(record.verdict)})
    return rows


def _chart(entries: Sequence[dict[str, Any]], panels: Sequence[str]) -> alt.FacetChart:
    base = alt.Chart().encode(
        x=alt.X("pair:Q", title="pairs", axis=alt.Axis(tickMinStep=1, tickCount=5), scale=_from_one(entries)),
        tooltip=_tooltip(),
    )
    target = base.mark_area(color=PALE, opacity=1).encode(y=_y("lower"), y2="upper:Q")
    band = (
        base.transform_filter("isValid(datum.low)").mark_area(color=BLUE, opacity=0.25).encode(y=_y("low"), y2="high:Q")
    )
    dots = base.mark_point(shape="circle", size=14, color=GREY, opacity=1).encode(y=_y("one"))
    line = base.mark_line(color=BLUE, strokeWidth=2).encode(y=_y("ratio"))
    panel = alt.Facet(
        "panel:N",
        title=None,
        sort=list(panels),
        header=alt.Header(
            labelAnchor="start", labelLimit=WIDTH + 56, labelFontSize=11, labelExpr=f"split(datum.label, '{GAP}')"
        ),
    )
    layers = [*([target] if "lower" in entries[0] else []), band, dots, line]
    layered = alt.layer(*layers, data=data(entries)).properties(width=WIDTH, height=HEIGHT)
    faceted = layered.facet(facet=panel, columns=ABREAST, bounds="flush", spacing={"row": 94, "column": 62})
    return cast("alt.FacetChart", faceted.resolve_scale(y="independent").resolve_axis(x="independent"))


def _y(name: str) -> alt.Y:
    return alt.Y(
        f"{name}:Q",
        title="x IR",
        scale=alt.Scale(zero=False, nice=False, padding=8),
        axis=alt.Axis(minExtent=34, tickCount=5),
    )


def _from_one(entries: Sequence[dict[str, Any]]) -> alt.Scale:
    return alt.Scale(domain=[1, max(row["pair"] for row in entries)], nice=False)


def _tooltip() -> list[alt.Tooltip]:
    return [
        field("cell", "cell"), field("pair", "pairs so far", "Q"),
        field("ratio", "x IR so far", "Q", format=".3f"), field("low", "99 % interval from", "Q", format=".3f"),
        field("high", "to", "Q", format=".3f"), field("one", "this pair alone", "Q", format=".3f"),
        field("verdict", "measurement in the end"),
    ]  # fmt: skip


def _caption(shown: int, there: int, target: float | None) -> str:
    which = f"The {shown} of {there} measurements that ended with the widest intervals. " if shown < there else ""
    band = f" The grey band is the target, {target:.1%} to each side of the last value." if target is not None else ""
    return (
        f"{which}The ratio to the FP32 IR after so many undisturbed pairs of rounds (line), with the 99 % t-interval "
        "of those pairs (area, from where it is narrow enough to be shown), and each pair's own ratio (dots)."
        f"{band} The record's interval is somewhat wider where a measurement could have "
        "been stopped at several looks, for each look spends a part of the error."
    )


def _alt(ends: Sequence[Ratio | None], there: int) -> str:
    widths = [_within(ratio) for ratio in ends]
    return (
        f"Convergence of {len(ends)} of {count(there, 'measurement')}: at the end, 99 % intervals reach from "
        f"{min(widths):.1%} to {max(widths):.1%} to each side."
    )
