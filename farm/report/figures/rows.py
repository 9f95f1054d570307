"""The layout of figures that list: one row a calibration set, under the name of its model. Knows no records.

It is one axis, and not a panel a model, so that the figure is as wide as its page.
"""

from collections.abc import Sequence

import altair as alt

from farm.report.figures.names import GAP
from farm.report.figures.style import Datum, Spec, by_width

STEP = 20  # pixels a row

LINE = 20  # letters of a name that have room in one line where it is narrow

_LOOK: Spec = {"title": None, "ticks": False, "domain": False, "labelPadding": by_width(4, 8)}
_HEADING = f"split(datum.label, '{GAP}').length < 2"
_NAME = f"({_HEADING} ? datum.label : split(datum.label, '{GAP}')[1])"
_BREAK = f"regexp('^(.{{6,{LINE - 1}}}[ ,{{=/])')"  # after the last such sign that is in the line
_LINES = f"narrow && length({_NAME}) > {LINE} ? split(replace({_NAME}, {_BREAK}, '$1\\n'), '\\n') : {_NAME}"
_TWO = f"narrow && length({_NAME.replace('label', 'value')}) > {LINE}"
_NOTE = f"{_HEADING} || narrow ? '' : split(datum.label, '{GAP}')[2]"


def label(group: str, name: str, note: str = "") -> str:
    """What stands for a row in the data's `row`. note: for the right side."""
    return GAP.join((group, name, note))


def grouped(rows: Sequence[Datum]) -> list[Datum]:
    """Rows of one `group` one after another, groups in the order of their first sight."""
    order = list(dict.fromkeys(str(row["group"]) for row in rows))
    return sorted(rows, key=lambda row: order.index(str(row["group"])))


def domain_of(rows: Sequence[Datum]) -> list[str]:
    """The axis of grouped rows from top to bottom: each group's name, then the labels of its rows."""
    return list(dict.fromkeys(str(text) for row in rows for text in (row["group"], row["row"])))


def axis(domain: list[str], *, grid: bool = True) -> alt.Y:
    """The rows' names on the left, groups' in bold; long ones in two lines where it is narrow."""
    bold = alt.condition(_HEADING.replace("label", "value"), alt.value("bold"), alt.value("normal"))
    raised = alt.condition(_TWO, alt.value(-5), alt.value(0))
    return bare(
        domain,
        alt.Axis(
            labelExpr=_LINES,
            labelLimit=by_width(130, 300),
            labelLineHeight=10,
            labelOffset=raised,
            labelFontWeight=bold,
            grid=grid,
            **_LOOK,
        ),
    )


def notes(domain: list[str]) -> alt.Y:
    """The rows' notes on the right, where there is room."""
    return bare(domain, alt.Axis(labelExpr=_NOTE, orient="right", grid=False, **_LOOK))


def bare(domain: list[str], axis: alt.Axis | None = None) -> alt.Y:
    """The rows without their names, for layers over the one that has them."""
    return alt.Y("row:N", scale=alt.Scale(domain=domain), axis=axis)
