"""Which model breaks with which set: the drop of top-1 by model and calibration source."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import altair as alt

from farm.record import Record, source_of
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, distinct, names_of
from farm.report.figures.style import ORANGE, PALE, SKY, WIDTH, field, wide
from farm.report.numbers import count, hundredths

STEP = 34  # pixels a row
COLUMN = 46  # pixels a column, at least, for its numbers to fit
LETTER = 8
FIT = WIDTH // COLUMN
EDGE = "#c8c8c8"
STEEP = 0.5  # points around zero in which colour is linear; beyond, logarithmic
LEAST = 1.0  # points at which colour is full, at least: noise shall not look like a loss


def drops(material: Material) -> Plot | None:
    """A square a model and source: the mean drop of top-1 over its draws, in percentage points."""
    records = [record for record in material.run.records if record.calibration is not None]
    if all(record.top1_drop is None for record in records):
        return None
    found = _rows(records, names_of(material.run.records), material)
    return Plot(caption=_caption(found), alt=_alt(found), chart=_chart(found))


def _rows(records: Sequence[Record], names: Names, material: Material) -> list[dict[str, Any]]:
    squares: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        where = (names.group(record.model, record.device), names.series(source_of(record), record.algorithm))
        squares.setdefault(where, []).append(record)
    drawn = {
        (names.group(each.model, each.device), names.series(each.source, each.algorithm)): each.drop
        for each in material.sources
    }
    rows = []
    for (group, name), cells in squares.items():
        values = [100 * cell.top1_drop for cell in cells if cell.top1_drop is not None]
        interval = drawn.get((group, name))
        low, high = (100 * interval.low, 100 * interval.high) if interval else (None, None)
        rows.append({"group": group, "set": name, "draws": len(values), **_said(values, low, high, cells)})
    return rows


def _said(values: Sequence[float], low: float | None, high: float | None, cells: Sequence[Record]) -> dict[str, Any]:
    failed = sum(cell.outcome == "failed" for cell in cells)
    if not values:
        return {"drop": None, "text": "failed" if failed else "not run", "interval": "", "failed": failed}
    interval = "one draw: none" if low is None or high is None else f"{hundredths(low)} to {hundredths(high)}"
    return {"drop": fmean(values), "text": hundredths(fmean(values)), "interval": interval, "failed": failed}


def _chart(found: Sequence[dict[str, Any]]) -> alt.LayerChart:
    most = max(LEAST, *(abs(row["drop"]) for row in found if row["drop"] is not None))
    sets = distinct(row["set"] for row in found)
    x = alt.X("set:N", sort=sets, title=None, axis=_above(sets))
    y = alt.Y("group:N", sort=distinct(row["group"] for row in found), title=None, axis=_axis())
    scale = alt.Scale(
        type="symlog", constant=STEEP, domain=[-most, 0, most], range=[SKY, "white", ORANGE], interpolate="rgb"
    )
    base = alt.Chart().encode(x=x, y=y, tooltip=_tooltip())
    squares = base.mark_rect(stroke=EDGE).encode(color=alt.Color("drop:Q", scale=scale, legend=None))
    missing = base.transform_filter("!isValid(datum.drop)").mark_rect(color=PALE, stroke=EDGE)
    texts = base.mark_text(fontSize=12).encode(text="text:N")
    chart = wide([squares, missing, texts], found, alt.Step(STEP))
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
        field("interval", "95 % interval over draws"), field("draws", "draws", "Q"), field("failed", "failed", "Q"),
    ]  # fmt: skip


def _caption(found: Sequence[dict[str, Any]]) -> str:
    draws = [row["draws"] for row in found if row["draws"]]
    several = max(draws) > 1
    span = f"{min(draws)}" if min(draws) == max(draws) else f"{min(draws)} to {max(draws)}"
    mean = f"the mean of {span} draws of the set" if several else "of one draw of the set"
    end = " `farm show` and the page's table over several draws have the means' 95 % intervals." if several else ""
    return (
        f"The FP32 IR's top-1 minus the quantized model's, in percentage points: {mean}. Orange is a loss, blue a "
        f"gain; colour is linear up to {STEEP:g} points and logarithmic beyond.{end}"
    )


def _alt(found: Sequence[dict[str, Any]]) -> str:
    known = [row for row in found if row["drop"] is not None]
    worst, best = (choose(known, key=lambda row: row["drop"]) for choose in (max, min))
    missing = len(found) - len(known)
    rest = f" ({missing} more without a number)" if missing else ""
    return (
        f"Drops of top-1 of {count(len(known), 'pair')} of model and set{rest}: from {hundredths(best['drop'])} points "
        f"({best['group']} with {best['set']}) to {hundredths(worst['drop'])} ({worst['group']} with {worst['set']})."
    )
