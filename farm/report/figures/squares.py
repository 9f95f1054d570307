"""Heatmaps of what is lost: their colours, numbers and room. Knows no records.

A row of a heatmap's data has `drop`, in percentage points of a share, None where that is not known; and `text`, its
number.
"""

from collections.abc import Sequence
from typing import Literal, cast

import altair as alt

from farm.report.figures.style import ORANGE, PALE, SKY, Datum, Spec, data

LETTER = 8
EDGE = "#c8c8c8"
STEEP = 0.5  # points of a share around zero in which colour is linear; beyond, logarithmic
LEAST = 1.0  # points of a share at which colour is full, at least: noise shall not look like a loss
LOOK: Spec = {"ticks": False, "domain": False, "grid": False, "labelPadding": 8, "labelOverlap": False}


def colours(*, points: bool = True) -> str:
    """What the colours mean. points: whether drops are percentage points; in any other unit colour is linear."""
    more = f"; colour is linear up to {STEEP:g} points and logarithmic beyond" if points else ""
    return f"Orange is a loss, blue a gain{more}."


def axis(orient: Literal["left", "top"], angle: int = 0) -> alt.Axis:
    """The names of rows or of columns."""
    return alt.Axis(orient=orient, labelAngle=angle, **LOOK)


def heatmap(
    base: alt.Chart,
    columns: tuple[str, Sequence[str]],
    rows: Sequence[Datum],
    width: int,
    height: int,
    *,
    points: bool = True,
) -> alt.LayerChart:
    """Squares of one size wherever they are shown: a narrow page moves them. base: has y and tooltip.

    columns: a field and its values, which stand aslant where they do not fit, to where rows have their names. width,
    height: pixels of a square. points: as of `colours`.
    """
    field, names = columns
    slant = 0 if max(map(len, names)) * LETTER < width else 45
    x = alt.X(f"{field}:N", sort=list(names), title=None, axis=axis("top", slant))
    drops = [abs(row["drop"]) for row in rows if isinstance(row["drop"], float)]
    most = max(LEAST, *drops) if points else max(drops, default=0.0) or 1.0
    look: Spec = {"domain": [-most, 0, most], "range": [SKY, "white", ORANGE], "interpolate": "rgb"}
    scale = alt.Scale(type="symlog", constant=STEEP, **look) if points else alt.Scale(type="linear", **look)
    both = base.encode(x=x)
    squares = both.mark_rect(stroke=EDGE).encode(color=alt.Color("drop:Q", scale=scale, legend=None))
    missing = both.transform_filter("!isValid(datum.drop)").mark_rect(color=PALE, stroke=EDGE)
    texts = both.mark_text(fontSize=12).encode(text="text:N")
    layers = alt.layer(squares, missing, texts, data=data(rows))
    return cast("alt.LayerChart", layers.properties(width=alt.Step(width), height=alt.Step(height)))
