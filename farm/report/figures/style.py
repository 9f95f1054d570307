"""How every figure looks: colours, shapes, dashes and the theme. Knows no records.

Colours are those of Okabe and Ito (2008, "Color Universal Design"), which colour-blind readers tell apart, without
yellow, which is lost on white. Shape, dash or words stand beside each, for black and white; of six colours and seven
shapes, 42 sets differ.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import Any, cast

import altair as alt

from farm.report.words import VARIANTS

BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000",
)  # fmt: skip
GREY = "#6b6b6b"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left")
DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 1])
PYTORCH, IR = VARIANTS["pytorch"], VARIANTS["ir"]
PALE = "#e3e3e3"

WIDTH = 640  # pixels of a single view, where nothing else says how wide
NARROW = 600  # pixels of a place, below which it is narrow: a phone, of which PHONE are left beside rows' names
PHONE = 160
PANEL = 220  # of one of several, two beside each other or as many as there is room for
BESIDE = 80  # for a panel's axis, and what parts it from the next

Value = str | float | list[float] | None
Datum = Mapping[str, Value]  # a row of a chart's data
Spec = dict[str, Any]  # a part of a Vega-Lite spec, which is JSON
Look = str | list[int]


def by_width(narrow: float | str, wide: float | str) -> alt.ExprRef:
    """One of two numbers or expressions: where there is little room, and where there is more, or a figure is alone."""
    return alt.ExprRef(expr=f"narrow ? {narrow} : {wide}")


def _themed(narrow: float | str, wide: float | str) -> Spec:
    return {"expr": by_width(narrow, wide).expr}


# What `by_width` asks; of a figure that is no part of a page, the size is not finite.
PARAMETERS: list[Spec] = [{"name": "narrow", "expr": f"containerSize()[0] < {NARROW}"}]
THEME: Spec = {
    "background": "white",
    "font": "Arial, Helvetica, Liberation Sans, sans-serif",  # a family alone may be measured as another than is shown
    "padding": _themed(2, 12),
    "view": {"stroke": "#c8c8c8"},
    "axis": {"labelFontSize": _themed(10, 12), "titleFontSize": _themed(10, 12), "titleFontWeight": "normal",
             "titlePadding": 8,
             "gridColor": "#ececec", "labelLimit": 300, "titleLimit": 620},
    "axisBottom": {"titleAnchor": _themed("'end'", "'middle'")},
    "legend": {"labelFontSize": _themed(11, 12), "titleFontSize": _themed(11, 12), "titleFontWeight": "normal",
               "labelLimit": _themed(190, 300), "layout": {"top": {"anchor": "start", "bounds": "full"}},
               "orient": "top", "columns": 5, "symbolSize": 90, "symbolStrokeWidth": 2},
    "header": {"labelFontSize": 12, "labelFontWeight": "bold", "titleFontSize": 12, "labelLimit": 280},
    "title": {"fontSize": 15, "anchor": "start", "offset": 12, "subtitleFontSize": 12, "subtitleColor": GREY},
}  # fmt: skip


def scale(names: Sequence[str], looks: Sequence[Look]) -> alt.Scale:
    """A look for each name."""
    return alt.Scale(domain=list(names), range=list(looks))


def _cycled(looks: Sequence[Look], fixed: Mapping[str, Look], names: Sequence[str]) -> alt.Scale:
    """A look for each name: its own where it has one, else the next."""
    others = cycle(looks)
    return scale(names, [fixed[name] if name in fixed else next(others) for name in names])


colours = partial(_cycled, COLOURS, {IR: BLACK, PYTORCH: GREY})
shapes = partial(_cycled, SHAPES, {IR: "circle", PYTORCH: "square"})
dashes = partial(_cycled, DASHES, {IR: [1, 0], PYTORCH: [7, 3]})


def legend(names: Sequence[str], size: int | None = None) -> alt.Legend:
    """A legend in as many columns as there is room for. size: of its signs, where it is not the theme's."""
    signs: Spec = {} if size is None else {"symbolSize": size, "symbolStrokeWidth": 2}
    phone, wide = (max(1, room // (7 * max(map(len, names)) + 44)) for room in (PHONE, WIDTH))
    return alt.Legend(columns=by_width(phone, wide), **signs)


def data(rows: Iterable[Datum]) -> alt.Data:
    """Rows as a chart's own data, with numbers of five digits: more cannot be seen, and costs the page."""
    short = [{name: _rounded(value) for name, value in row.items()} for row in rows]
    return alt.Data(values=short)  # type: ignore[no-untyped-call]


def _rounded(value: Value) -> Value:
    if isinstance(value, list):
        return [float(f"{number:.5g}") for number in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def wide(layers: Sequence[alt.Chart], rows: Iterable[Datum], height: int | alt.Step) -> alt.LayerChart:
    """The layers over one another, as wide as there is room."""
    return cast("alt.LayerChart", alt.layer(*layers, data=data(rows)).properties(width="container", height=height))


def side_by_side(
    layers: Sequence[alt.Chart], rows: Sequence[Datum], groups: Sequence[str], height: int
) -> alt.LayerChart | alt.FacetChart:
    """The layers as wide as there is room, or as panels: one for each group of the rows' `group`."""
    if len(groups) == 1:
        return wide(layers, rows, height)
    panel = alt.Facet("group:N", title=None, sort=list(groups), header=alt.Header(labelAnchor="start"))
    layered = alt.layer(*layers, data=data(rows)).properties(width=PANEL, height=height * 3 // 4)
    panels: alt.FacetChart = layered.facet(facet=panel, columns=2).resolve_axis(x="independent", y="independent")
    return panels


def tooltip(*fields: tuple[str, str] | tuple[str, str, str]) -> list[alt.Tooltip]:
    """A line a field: its name, its title, and of a number its pattern, which may be empty."""
    lines = []
    for name, title, *pattern in fields:
        look: Spec = {"format": pattern[0]} if any(pattern) else {}
        lines.append(alt.Tooltip(f"{name}:{'Q' if pattern else 'N'}", title=title, **look))
    return lines
