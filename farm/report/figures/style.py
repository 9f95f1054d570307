"""How every figure looks: colours, shapes, dashes and the theme. Knows no records.

Colours are those of Okabe and Ito (2008, "Color Universal Design"), which colour-blind readers tell apart; yellow is
left out, for it is lost on white. A second code stands beside each colour - shape, dash or words - so that a figure
is readable in black and white. There are six colours, seven shapes and five dashes, so that the pairs come round late:
42 sets differ in colour or shape. The baselines have black and grey for themselves.
"""

from collections.abc import Mapping, Sequence
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
PANEL = 280  # of one of several, two beside each other

THEME: dict[str, Any] = {
    "background": "white",
    "font": "Arial, Helvetica, Liberation Sans, sans-serif",  # a family alone may be measured as another than is shown
    "padding": 12,
    "view": {"stroke": "#c8c8c8"},
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 8,
             "gridColor": "#ececec", "labelLimit": 300, "titleLimit": 620},
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 300,
               "orient": "top", "columns": 5, "symbolSize": 90, "symbolStrokeWidth": 2},
    "header": {"labelFontSize": 12, "labelFontWeight": "bold", "titleFontSize": 12, "labelLimit": 280},
    "title": {"fontSize": 15, "anchor": "start", "offset": 12, "subtitleFontSize": 12, "subtitleColor": GREY},
}  # fmt: skip


def colours(domain: Sequence[str]) -> alt.Scale:
    """A colour for each name."""
    return alt.Scale(domain=list(domain), range=_cycled(COLOURS, domain, {IR: BLACK, PYTORCH: GREY}))


def shapes(domain: Sequence[str]) -> alt.Scale:
    """A shape for each name."""
    return alt.Scale(domain=list(domain), range=_cycled(SHAPES, domain, {IR: "circle", PYTORCH: "square"}))


def dashes(domain: Sequence[str]) -> alt.Scale:
    """A dash for each name."""
    return alt.Scale(domain=list(domain), range=_cycled(DASHES, domain, {IR: [1, 0], PYTORCH: [7, 3]}))


def _cycled(values: Sequence[Any], domain: Sequence[str], fixed: Mapping[str, Any]) -> list[Any]:
    """A value for each name: its own where it has one, else the next."""
    others = [name for name in domain if name not in fixed]
    given = {name: values[index % len(values)] for index, name in enumerate(others)}
    return [fixed.get(name, given.get(name)) for name in domain]


def legend(domain: Sequence[str], **more: Any) -> alt.Legend:
    """A legend in as many columns as there is room for."""
    return alt.Legend(columns=max(1, WIDTH // (7 * max(map(len, domain)) + 44)), **more)


def data(rows: Sequence[dict[str, Any]]) -> alt.Data:
    """Rows as a chart's own data, with numbers of five digits: more cannot be seen, and costs the page."""
    short = [{name: _rounded(value) for name, value in row.items()} for row in rows]
    return alt.Data(values=short)  # type: ignore[no-untyped-call]


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def wide(layers: Sequence[alt.Chart], rows: Sequence[dict[str, Any]], height: int | alt.Step) -> alt.LayerChart:
    """The layers over one another, as wide as there is room."""
    return cast("alt.LayerChart", alt.layer(*layers, data=data(rows)).properties(width="container", height=height))


def side_by_side(
    layers: Sequence[alt.Chart], rows: Sequence[dict[str, Any]], groups: Sequence[str], height: int
) -> alt.LayerChart | alt.FacetChart:
    """The layers as wide as there is room, or as panels two abreast: one for each group of the rows' `group`."""
    if len(groups) == 1:
        return wide(layers, rows, height)
    layered = alt.layer(*layers, data=data(rows))
    panel = alt.Facet("group:N", title=None, sort=list(groups), header=alt.Header(labelAnchor="start"))
    faceted = layered.properties(width=PANEL, height=height * 3 // 4).facet(facet=panel, columns=2)
    return cast("alt.FacetChart", faceted.resolve_axis(x="independent"))


def field(name: str, title: str, kind: str = "N", **more: Any) -> alt.Tooltip:
    """One line of a tooltip. kind: N for names, Q for numbers."""
    return alt.Tooltip(f"{name}:{kind}", title=title, **more)
