"""Which set is as good as real images: each set's loss against them, with its interval and the margin."""

from collections.abc import Sequence

import altair as alt

from farm.analysis.analysis import AgainstReal
from farm.analysis.standing import STANDINGS
from farm.grid.settings import Claims
from farm.report.figures import rows
from farm.report.figures.bounds import MOST_ROWS, foremost, of_many
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, plain
from farm.report.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PALE,
    VERMILLION,
    Datum,
    Spec,
    data,
    legend,
    scale,
    tooltip,
    wide,
)
from farm.report.metric import Metric
from farm.report.numbers import count

COLOURS = (BLUE, VERMILLION, GREEN, BLACK)
SHAPES = ("circle", "triangle-right", "triangle-left", "diamond")
LINEAR = 0.05  # where a loss is larger, the axis is linear only around zero
TICKS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # to both sides of zero


def tooltips(metric: Metric) -> list[alt.Tooltip]:
    """What a row tells."""
    return tooltip(
        ("group", "model"), ("set", "set"), ("note", f"{metric.points} lost, 90 % interval".strip()),
        ("p", "p of no loss (Holm)", ".2g"), ("basis", "unit of doubt"),
    )  # fmt: skip


def losses(material: Material) -> Plot | None:
    """A row a set: its loss against real images with the 90 % interval, in percentage points of a share."""
    every, claims, names = material.analysis.against_real, material.analysis.run.claims, material.names
    if not every:
        return None
    metric = Metric(material.analysis.metric)
    sets = [every[at] for at in foremost({at: one.loss.value for at, one in enumerate(every)}, MOST_ROWS)]
    listed = rows.grouped([_row(beside, names, metric) for beside in sets])
    low, high = min(one.loss.low for one in sets), max(one.loss.high for one in sets)
    linear = max(abs(low), abs(high)) <= max(LINEAR, 6 * claims.margin) or not metric.in_percent
    margin, ends = metric.scaled(claims.margin), (metric.scaled(low), metric.scaled(high))
    chart = _chart(listed, _x(ends, margin, metric, linear=linear), margin, tooltips(metric))
    which = of_many(len(sets), len(every), "sets that lose most")
    caption = which + _caption(sets, claims, metric, linear=linear)
    return Plot(caption=caption, alt=_alt(every, claims, names, metric), chart=chart)


def _names(beside: AgainstReal, names: Names) -> tuple[str, str]:
    family = beside.family
    return names.group(family.model, family.device), names.series(beside.name, family.algorithm)


def _row(beside: AgainstReal, names: Names, metric: Metric) -> Datum:
    """Numbers are percentage points of a share."""
    (group, name), loss = _names(beside, names), beside.loss
    value, low, high = map(metric.number, (loss.value, loss.low, loss.high))
    note = f"{value} ({low} to {high}) {beside.standing}"
    basis = f"{beside.seeds} seeds of the set" if beside.seeds else f"the same {beside.n_images} test images"
    return {
        "group": group, "set": name, "note": note, "row": rows.label(group, name, note), "standing": beside.standing,
        "value": metric.scaled(loss.value), "low": metric.scaled(loss.low), "high": metric.scaled(loss.high),
        "p": beside.p, "basis": basis,
    }  # fmt: skip


def _x(ends: tuple[float, float], margin: float, metric: Metric, *, linear: bool) -> alt.X:
    """Of one scale where losses are small, else logarithmic beyond the margin, with ticks in percentage points."""
    unit = ", percentage points" if metric.in_percent else ""
    domain = [1.1 * min(ends[0], -2 * margin), 1.1 * max(ends[1], 2 * margin)]
    axis, spread = alt.Axis(format="~g"), alt.Scale(domain=domain, nice=False)
    if not linear:
        beyond = [tick for tick in TICKS if tick >= margin]
        axis = alt.Axis(format="~g", values=[0.0, *(sign * tick for tick in beyond for sign in (-1, 1))])
        spread = alt.Scale(type="symlog", constant=2 * margin, domain=domain, nice=False)
    return alt.X("low:Q", title=f"{metric.word} lost against real images{unit}", axis=axis, scale=spread)


def _chart(listed: Sequence[Datum], x: alt.X, margin: float, tooltips: list[alt.Tooltip]) -> alt.LayerChart:
    domain = rows.domain_of(listed)
    band = alt.Chart(data([{"from": -margin, "to": margin}])).mark_rect(color=PALE, opacity=0.8)
    band = band.encode(x=alt.X("from:Q"), x2="to:Q")
    edge = alt.Chart(data([{"at": -margin}, {"at": margin}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="at:Q")
    zero = alt.Chart(data([{"at": 0}])).mark_rule(color=GREY).encode(x="at:Q")
    look: Spec = {"title": None, "legend": legend(STANDINGS)}
    colour = alt.Color("standing:N", scale=scale(STANDINGS, COLOURS), **look)
    shape = alt.Shape("standing:N", scale=scale(STANDINGS, SHAPES), **look)
    base = alt.Chart().encode(y=rows.bare(domain), tooltip=tooltips, color=colour)
    interval = base.mark_rule(strokeWidth=2).encode(y=rows.axis(domain), x=x, x2="high:Q")
    point = base.mark_point(size=80, filled=True, opacity=1, strokeWidth=2).encode(x="value:Q", shape=shape)
    notes = alt.Chart().mark_point(opacity=0, tooltip=None).encode(y=rows.notes(domain), x="value:Q")
    layered = wide([band, edge, zero, interval, point, notes], listed, alt.Step(rows.STEP))
    chart: alt.LayerChart = layered.resolve_axis(y="independent")
    return chart


def _caption(sets: Sequence[AgainstReal], claims: Claims, metric: Metric, *, linear: bool) -> str:
    margin, real = metric.either_way(claims.margin), plain(claims.reference or "real images")
    seeds = "over the seeds of the set and the test images, so that it speaks of the source"
    pairs = "over test images that both models saw, so that it speaks of these two models only, not of their sources"
    units = [text for text, seeded in ((seeds, True), (pairs, False)) if seeded in {bool(one.seeds) for one in sets}]
    axis = "" if linear else " The axis is logarithmic away from zero."
    return (
        f"How much {metric.word} each set loses against the same model calibrated with {real}; right is worse. "
        f"Lines are 90 % intervals, {' or, where there is one seed, '.join(units)}. The band is the margin of "
        f"{margin}: a set whose whole interval lies inside it is equivalent to real images at the 5 % level; worse and "
        "better are by p < 0.05 after Holm's correction over the model's sets; all others are undecided, which is not "
        f"equivalent.{axis}"
    )


def _alt(sets: Sequence[AgainstReal], claims: Claims, names: Names, metric: Metric) -> str:
    counts = [f"{sum(one.standing == word for one in sets)} {word}" for word in STANDINGS]
    worst = max(sets, key=lambda one: one.loss.value)
    group, name = _names(worst, names)
    return (
        f"Of {count(len(sets), 'set')} held against real images within {metric.margin(claims.margin)}, "
        f"{', '.join(counts)}; the most is lost by {name} with {group}, {metric.amount(worst.loss.value)}."
    )
