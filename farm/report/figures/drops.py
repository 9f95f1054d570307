"""Which model breaks with which set: the drop of top-1 by model and calibration source."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from farm.analysis.drops import Drop, mean_drops
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, distinct, names_of
from farm.report.figures.style import ORANGE, PALE, SKY, WIDTH, field, wide
from farm.report.numbers import count, hundredths, span

STEP = 34  # pixels a row
COLUMN = 46  # pixels a column, at least, for its numbers to fit
LETTER = 8
FIT = WIDTH // COLUMN
EDGE = "#c8c8c8"
STEEP = 0.5  # points around zero in which colour is linear; beyond, logarithmic
LEAST = 1.0  # points at which colour is full, at least: noise shall not look like a loss


def drops(material: Material) -> Plot | None:
    """A square a model and source: the mean drop of top-1 over its seeds, in percentage points."""
    records, names = material.analysis.run.records, names_of(material.analysis.run.records)
    entries = [_row(drop, names) for drop in mean_drops(records, material.analysis.sources)]
    if all(row["drop"] is None for row in entries):
        return None
    return Plot(caption=_caption(entries), alt=_alt(entries), chart=_chart(entries))


def _row(drop: Drop, names: Names) -> dict[str, Any]:
    square = {
        "group": names.group(drop.family.model, drop.family.device),
        "set": names.series(drop.source, drop.family.algorithm), "seeds": drop.seeds, "failed": drop.failed,
    }  # fmt: skip
    if drop.mean is None:
        return {**square, "drop": None, "text": "failed" if drop.failed else "not run", "interval": ""}
    low, high = (100 * drop.interval.low, 100 * drop.interval.high) if drop.interval else (None, None)
    interval = "one seed: none" if low is None or high is None else f"{hundredths(low)} to {hundredths(high)}"
    return {**square, "drop": 100 * drop.mean, "text": hundredths(100 * drop.mean), "interval": interval}


def _chart(entries: Sequence[dict[str, Any]]) -> alt.LayerChart:
    most = max(LEAST, *(abs(row["drop"]) for row in entries if row["drop"] is not None))
    sets = distinct(row["set"] for row in entries)
    x = alt.X("set:N", sort=sets, title=None, axis=_above(sets))
    y = alt.Y("group:N", sort=distinct(row["group"] for row in entries), title=None, axis=_axis())
    scale = alt.Scale(
        type="symlog", constant=STEEP, domain=[-most, 0, most], range=[SKY, "white", ORANGE], interpolate="rgb"
    )
    base = alt.Chart().encode(x=x, y=y, tooltip=_tooltip())
    squares = base.mark_rect(stroke=EDGE).encode(color=alt.Color("drop:Q", scale=scale, legend=None))
    missing = base.transform_filter("!isValid(datum.drop)").mark_rect(color=PALE, stroke=EDGE)
    texts = base.mark_text(fontSize=12).encode(text="text:N")
    chart = wide([squares, missing, texts], entries, alt.Step(STEP))
    return chart if len(sets) <= FIT else chart.properties(width=alt.Step(COLUMN))


def _above(sets: Sequence[str]) -> alt.Axis:
    """The sets' names, where they would not fit beside each other aslant, to where the models' names leave room."""
    fits = max(map(len, sets)) * LETTER * len(sets) < WIDTH
    return _axis(orient="top") if fits else _axis(orient="top", angle=35)


def _axis(angle: int = 0, **more: Any) -> alt.Axis:
    return alt.Axis(
        ticks=False,
        domain=False,
        grid=False,
        labelAngle=angle,
        labelPadding=8,
        labelOverlap=False,
        **more,
    )


def _tooltip() -> list[alt.Tooltip]:
    return [
        field("group", "model"), field("set", "calibration"), field("text", "mean drop, points"),
        field("interval", "95 % interval over seeds"), field("seeds", "seeds", "Q"), field("failed", "failed", "Q"),
    ]  # fmt: skip


def _caption(entries: Sequence[dict[str, Any]]) -> str:
    seeds = [row["seeds"] for row in entries if row["seeds"]]
    several = max(seeds) > 1
    mean = f"the mean over {span(seeds)} seeds of the set" if several else "of one seed of the set"
    end = " `farm show` and the page's table over several seeds have the means' 95 % intervals." if several else ""
    return (
        f"The FP32 IR's top-1 minus the quantized model's, in percentage points: {mean}. Orange is a loss, blue a "
        f"gain; colour is linear up to {STEEP:g} points and logarithmic beyond.{end}"
    )


def _alt(entries: Sequence[dict[str, Any]]) -> str:
    numbered = [row for row in entries if row["drop"] is not None]
    worst, best = (choose(numbered, key=lambda row: row["drop"]) for choose in (max, min))
    missing = len(entries) - len(numbered)
    rest = f" ({missing} more without a number)" if missing else ""
    return (
        f"Drops of top-1 of {count(len(numbered), 'square')} of model and set{rest}: from {hundredths(best['drop'])} "
        f"points ({best['group']} with {best['set']}) to {hundredths(worst['drop'])} "
        f"({worst['group']} with {worst['set']})."
    )
