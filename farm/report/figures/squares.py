"""Heatmaps of points lost: their colours, numbers and room. Knows no records.

A row of a heatmap's data has `drop`, in percentage points, None where that is not known; and `text`, its number.
"""

from collections.abc import Sequence
from typing import Literal

import altair as alt

from farm.report.figures.style import ORANGE, PALE, SKY, WIDTH, Datum, Spec, wide

STEP = 34  # pixels a row
LETTER = 8
EDGE = "#c8c8c8"
STEEP = 0.5  # points around zero in which colour is linear; beyond, logarithmic
LEAST = 1.0  # points at which colour is full, at least: noise shall not look like a loss
LOOK: Spec = {"ticks": False, "domain": False, "grid": False, "labelPadding": 8, "labelOverlap": False}
COLOURS = f"Orange is a loss, blue a gain; colour is linear up to {STEEP:g} points and logarithmic beyond."


def across(field: str, names: Sequence[str]) -> alt.X:
    """The columns' names at the top; aslant where they do not fit, to where rows' names leave room."""
    slant = 0 if max(map(len, names)) * LETTER * len(names) < WIDTH else 35
    return alt.X(f"{field}:N", sort=list(names), title=None, axis=axis("top", slant))


def axis(orient: Literal["left", "top"], angle: int = 0) -> alt.Axis:
    """The names of rows or of columns."""
    return alt.Axis(orient=orient, labelAngle=angle, **LOOK)


def heatmap(base: alt.Chart, rows: Sequence[Datum], columns: int, column: int, step: int = STEP) -> alt.LayerChart:
    """Squares as wide as there is room, each at least so wide. base: has x, y and tooltip. column: pixels of one."""
    most = max(abs(float(row["drop"])) for row in rows if isinstance(row["drop"], float))
    full = max(LEAST, most)
    ends, between = [-full, 0, full], [SKY, "white", ORANGE]
    scale = alt.Scale(type="symlog", constant=STEEP, domain=ends, range=between, interpolate="rgb")
    squares = base.mark_rect(stroke=EDGE).encode(color=alt.Color("drop:Q", scale=scale, legend=None))
    missing = base.transform_filter("!isValid(datum.drop)").mark_rect(color=PALE, stroke=EDGE)
    texts = base.mark_text(fontSize=12).encode(text="text:N")
    chart = wide([squares, missing, texts], rows, alt.Step(step))
    return chart if columns * column <= WIDTH else chart.properties(width=alt.Step(column))
