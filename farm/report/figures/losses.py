"""Which set is as good as real images: each set's loss against them, with its interval and the margin."""

from collections.abc import Sequence
from typing import Any, cast

import altair as alt

from farm.analysis.against_real import AgainstReal
from farm.analysis.standing import STANDINGS
from farm.report.figures import rows
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, names_of, plain
from farm.report.figures.style import BLACK, BLUE, GREEN, GREY, PALE, VERMILLION, data, field, wide
from farm.report.numbers import MINUS, count, hundredths

COLOURS = (BLUE, VERMILLION, GREEN, BLACK)
SHAPES = ("circle", "triangle-right", "triangle-left", "diamond")
LINEAR = 5.0  # points; where a loss is larger, the axis is linear only around zero
TICKS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def losses(material: Material) -> Plot | None:
    """A row a set: its loss of top-1 against real images with the 90 % interval, in percentage points."""
    analysis = material.analysis
    names = names_of(analysis.run.records)
    entries = rows.grouped([_row(beside, names) for beside in analysis.against_real])
    if not entries:
        return None
    margin = 100 * analysis.run.claims.margin
    domain = rows.keys((row["group"], row["set"], row["note"]) for row in entries)
    return Plot(caption=_caption(material, entries), alt=_alt(entries, margin), chart=_chart(entries, domain, margin))


def _row(beside: AgainstReal, names: Names) -> dict[str, Any]:
    value, low, high = (100 * share for share in (beside.loss.value, beside.loss.low, beside.loss.high))
    group, name = (
        names.group(beside.family.model, beside.family.device),
        names.series(beside.name, beside.family.algorithm),
    )
    note = f"{hundredths(value)} ({hundredths(low)} to {hundredths(high)}) {beside.standing}"
    basis = f"{beside.seeds} seeds of the set" if beside.seeds else f"the same {beside.n_images} test images"
    return {
        "group": group, "set": name, "note": note, "key": rows.key((group, name, note)), "standing": beside.standing,
        "value": value, "low": low, "high": high, "p": beside.p, "basis": basis,
        "of": "source" if beside.seeds else "cell",
    }  # fmt: skip


def _chart(entries: Sequence[dict[str, Any]], domain: list[str], margin: float) -> alt.LayerChart:
    base = alt.Chart().encode(y=rows.bare(domain), tooltip=_tooltip())
    bounds = data([{"from": -margin, "to": margin}])
    band = alt.Chart(bounds).mark_rect(color=PALE, opacity=0.8).encode(x=alt.X("from:Q"), x2="to:Q")
    edges = alt.Chart(data([{"at": -margin}, {"at": margin}]))
    edge = edges.mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="at:Q")
    zero = alt.Chart(data([{"at": 0}])).mark_rule(color=GREY).encode(x="at:Q")
    x = alt.X("low:Q", title="top-1 lost against real images, percentage points", **_x(entries, margin))
    colour = alt.Color("standing:N", scale=alt.Scale(domain=list(STANDINGS), range=list(COLOURS)), title=None)
    shape = alt.Shape("standing:N", scale=alt.Scale(domain=list(STANDINGS), range=list(SHAPES)), title=None)
    interval = base.mark_rule(strokeWidth=2).encode(y=rows.axis(domain), x=x, x2="high:Q", color=colour)
    point = base.mark_point(size=80, filled=True, opacity=1, strokeWidth=2).encode(
        x="value:Q", color=colour, shape=shape
    )
    notes = alt.Chart().mark_point(opacity=0, tooltip=None).encode(y=rows.notes(domain), x="value:Q")
    layered = wide([band, edge, zero, interval, point, notes], entries, alt.Step(rows.STEP))
    return cast("alt.LayerChart", layered.resolve_axis(y="independent"))


def _x(entries: Sequence[dict[str, Any]], margin: float) -> dict[str, Any]:
    """The axis: of one scale where losses are small, else logarithmic beyond the margin."""
    low, high = min(row["low"] for row in entries), max(row["high"] for row in entries)
    sign = alt.Axis(format="~g")
    if _linear(entries, margin):
        return {"axis": sign, "scale": alt.Scale(domain=_widened(low, high, margin), nice=False)}
    ticks = [sign * tick for tick in TICKS for sign in ((1,) if tick == 0 else (-1, 1)) if _shown(tick, margin)]
    scale = alt.Scale(type="symlog", constant=2 * margin, domain=_widened(low, high, margin), nice=False)
    return {"axis": alt.Axis(values=ticks, format="~g"), "scale": scale}


def _linear(entries: Sequence[dict[str, Any]], margin: float) -> bool:
    return all(max(abs(row["low"]), abs(row["high"])) <= max(LINEAR, 6 * margin) for row in entries)


def _shown(tick: float, margin: float) -> bool:
    return tick == 0 or tick >= margin


def _widened(low: float, high: float, margin: float) -> list[float]:
    return [min(low, -2 * margin) * 1.1, max(high, 2 * margin) * 1.1]


def _tooltip() -> list[alt.Tooltip]:
    return [
        field("group", "model"), field("set", "set"), field("note", "points lost, 90 % interval"),
        field("p", "p of no loss (Holm)", "Q", format=".2g"), field("basis", "unit of doubt"),
    ]  # fmt: skip


def _caption(material: Material, entries: Sequence[dict[str, Any]]) -> str:
    margin = f"{100 * material.analysis.run.claims.margin:g}"
    real = plain(material.analysis.run.claims.reference or "real images")
    kinds = {row["of"] for row in entries}
    seeds = "over the seeds of the set and the test images, so that it speaks of the source"
    pairs = "over test images that both models saw, so that it speaks of these two models only, not of their sources"
    unit = {"source": seeds, "cell": pairs}
    linear = _linear(entries, 100 * material.analysis.run.claims.margin)
    axis = "" if linear else " The axis is logarithmic away from zero."
    text = " or, where there is one seed, ".join(unit[kind] for kind in ("source", "cell") if kind in kinds)
    return (
        f"How much top-1 each set loses against the same model calibrated with {real}; right is worse. "
        f"Lines are 90 % intervals, {text}. The band is the margin of {MINUS}{margin} to {margin} points: a set whose "
        "whole interval lies inside it is equivalent to real images at the 5 % level; worse and better are by "
        "p < 0.05 after Holm's correction over the model's sets; all others are undecided, which is not equivalent."
        f"{axis}"
    )


def _alt(entries: Sequence[dict[str, Any]], margin: float) -> str:
    counts = [f"{sum(row['standing'] == word for row in entries)} {word}" for word in STANDINGS]
    worst = max(entries, key=lambda row: row["value"])
    return (
        f"Of {count(len(entries), 'set')} held against real images within {margin:g} points, {', '.join(counts)}; the "
        f"most is lost by {worst['set']} with {worst['group']}, {hundredths(worst['value'])} points."
    )
