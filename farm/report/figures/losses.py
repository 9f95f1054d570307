"""Which set is as good as real images: each set's loss against them, with its interval and the margin."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import altair as alt

from farm.analysis.replicates import Source
from farm.analysis.standing import Standing
from farm.record import source_of
from farm.report.figures import rows
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, names_of, plain
from farm.report.figures.style import BLACK, BLUE, GREEN, GREY, PALE, VERMILLION, data, field, wide
from farm.report.numbers import MINUS, count, hundredths
from farm.stats.shares import Estimate

STANDINGS: tuple[Standing, ...] = ("equivalent", "worse", "better", "undecided")
COLOURS = (BLUE, VERMILLION, GREEN, BLACK)
SHAPES = ("circle", "triangle-right", "triangle-left", "diamond")
LINEAR = 5.0  # points; where a loss is larger, the axis is linear only around zero
TICKS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def losses(material: Material) -> Plot | None:
    """A row a set: its loss of top-1 against real images with the 90 % interval, in percentage points."""
    names = names_of(material.run.records)
    found = rows.grouped([*_of_sources(material, names), *_of_cells(material, names)])
    if not found:
        return None
    margin = 100 * material.run.claims.margin
    domain = rows.keys((row["group"], row["set"], row["note"]) for row in found)
    return Plot(caption=_caption(material, found), alt=_alt(found, margin), chart=_chart(found, domain, margin))


def _of_sources(material: Material, names: Names) -> Iterator[dict[str, Any]]:
    for each in material.sources:
        if each.loss is not None and each.p is not None and each.standing is not None:
            group = names.group(each.model, each.device)
            basis = f"{each.seeds} draws of the set"
            row = _row(group, names.series(each.source, each.algorithm), each.loss, each.p, each.standing)
            yield {**row, "basis": basis, "of": "source"}


def _of_cells(material: Material, names: Names) -> Iterator[dict[str, Any]]:
    """Cells whose source is not judged over several draws."""
    judged = {_where(each) for each in material.sources if each.loss is not None}
    for record in material.run.records:
        found = material.accuracies.get(record.cell)
        where = (record.model, source_of(record), record.algorithm, record.device)
        if found is None or found.real is None or found.real.standing is None or where in judged:
            continue
        group = names.group(record.model, record.device)
        name = names.series(record.calibration, record.algorithm)
        row = _row(group, name, found.real.loss, found.real.p, found.real.standing)
        yield {**row, "basis": f"the same {record.n_images} test images", "of": "cell"}


def _where(source: Source) -> tuple[str, str, str, str]:
    return (source.model, source.source, source.algorithm, source.device)


def _row(group: str, name: str, loss: Estimate, p: float, standing: Standing) -> dict[str, Any]:
    value, low, high = (100 * each for each in (loss.value, loss.low, loss.high))
    note = f"{hundredths(value)} ({hundredths(low)} to {hundredths(high)}) {standing}"
    return {
        "group": group, "set": name, "note": note, "key": rows.key((group, name, note)), "standing": standing,
        "value": value, "low": low, "high": high, "p": p,
    }  # fmt: skip


def _chart(found: Sequence[dict[str, Any]], domain: list[str], margin: float) -> alt.LayerChart:
    base = alt.Chart().encode(y=rows.bare(domain), tooltip=_tooltip())
    bounds = data([{"from": -margin, "to": margin}])
    band = alt.Chart(bounds).mark_rect(color=PALE, opacity=0.8).encode(x=alt.X("from:Q"), x2="to:Q")
    edges = alt.Chart(data([{"at": -margin}, {"at": margin}]))
    edge = edges.mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="at:Q")
    zero = alt.Chart(data([{"at": 0}])).mark_rule(color=GREY).encode(x="at:Q")
    x = alt.X("low:Q", title="top-1 lost against real images, percentage points", **_x(found, margin))
    colour = alt.Color("standing:N", scale=alt.Scale(domain=list(STANDINGS), range=list(COLOURS)), title=None)
    shape = alt.Shape("standing:N", scale=alt.Scale(domain=list(STANDINGS), range=list(SHAPES)), title=None)
    interval = base.mark_rule(strokeWidth=2).encode(y=rows.axis(domain), x=x, x2="high:Q", color=colour)
    point = base.mark_point(size=80, filled=True, opacity=1, strokeWidth=2).encode(
        x="value:Q", color=colour, shape=shape
    )
    said = alt.Chart().mark_point(opacity=0, tooltip=None).encode(y=rows.notes(domain), x="value:Q")
    layered = wide([band, edge, zero, interval, point, said], found, alt.Step(rows.STEP))
    return cast("alt.LayerChart", layered.resolve_axis(y="independent"))


def _x(found: Sequence[dict[str, Any]], margin: float) -> dict[str, Any]:
    """The axis: of one scale where losses are small, else logarithmic beyond the margin."""
    low, high = min(row["low"] for row in found), max(row["high"] for row in found)
    sign = alt.Axis(format="~g")
    if _linear(found, margin):
        return {"axis": sign, "scale": alt.Scale(domain=_widened(low, high, margin), nice=False)}
    ticks = [sign * tick for tick in TICKS for sign in ((1,) if tick == 0 else (-1, 1)) if _shown(tick, margin)]
    scale = alt.Scale(type="symlog", constant=2 * margin, domain=_widened(low, high, margin), nice=False)
    return {"axis": alt.Axis(values=ticks, format="~g"), "scale": scale}


def _linear(found: Sequence[dict[str, Any]], margin: float) -> bool:
    return all(max(abs(row["low"]), abs(row["high"])) <= max(LINEAR, 6 * margin) for row in found)


def _shown(tick: float, margin: float) -> bool:
    return tick == 0 or tick >= margin


def _widened(low: float, high: float, margin: float) -> list[float]:
    return [min(low, -2 * margin) * 1.1, max(high, 2 * margin) * 1.1]


def _tooltip() -> list[alt.Tooltip]:
    return [
        field("group", "model"), field("set", "set"), field("note", "points lost, 90 % interval"),
        field("p", "p of no loss (Holm)", "Q", format=".2g"), field("basis", "unit of doubt"),
    ]  # fmt: skip


def _caption(material: Material, found: Sequence[dict[str, Any]]) -> str:
    margin = f"{100 * material.run.claims.margin:g}"
    real = plain(material.run.claims.reference or "real images")
    kinds = {row["of"] for row in found}
    draws = "over the draws of the set and the test images, so that it speaks of the source"
    pairs = "over test images that both models saw, so that it speaks of these two models only, not of their sources"
    unit = {"source": draws, "cell": pairs}
    axis = "" if _linear(found, 100 * material.run.claims.margin) else " The axis is logarithmic away from zero."
    text = " or, where there is one draw, ".join(unit[kind] for kind in ("source", "cell") if kind in kinds)
    return (
        f"How much top-1 each set loses against the same model calibrated with {real}; right is worse. "
        f"Lines are 90 % intervals, {text}. The band is the margin of {MINUS}{margin} to {margin} points: a set whose "
        "whole interval lies inside it is equivalent to real images at the 5 % level; worse and better are by "
        "p < 0.05 after Holm's correction over the model's sets; all others are undecided, which is not equivalent."
        f"{axis}"
    )


def _alt(found: Sequence[dict[str, Any]], margin: float) -> str:
    said = [f"{sum(row['standing'] == word for row in found)} {word}" for word in STANDINGS]
    worst = max(found, key=lambda row: row["value"])
    return (
        f"Of {count(len(found), 'set')} held against real images within {margin:g} points, {', '.join(said)}; the most "
        f"is lost by {worst['set']} with {worst['group']}, {hundredths(worst['value'])} points."
    )
