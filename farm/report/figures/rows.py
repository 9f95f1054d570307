"""The layout of figures that list: one row a calibration set, under the name of its model. Knows no records.

It is one axis, and not a panel a model, so that the figure is as wide as its page.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from farm.report.figures.names import GAP, distinct

STEP = 20  # pixels a row
Listed = tuple[str, str, str]  # what a row says: group, name, and a note for the right side

_HEADING = f"split(datum.label, '{GAP}').length < 2"
_NAME = f"{_HEADING} ? datum.label : split(datum.label, '{GAP}')[1]"
_NOTE = f"{_HEADING} ? '' : split(datum.label, '{GAP}')[2]"


def grouped(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one `group` one after another, groups in the order of their first sight."""
    order = distinct(row["group"] for row in entries)
    return sorted(entries, key=lambda row: order.index(row["group"]))


def key(row: Listed) -> str:
    """What stands for a row in the data."""
    return GAP.join(row)


def keys(rows: Iterable[Listed]) -> list[str]:
    """The axis from top to bottom: each group's name, then its rows, groups in the order of their first sight."""
    groups: dict[str, dict[str, None]] = {}
    for row in rows:
        groups.setdefault(row[0], {})[key(row)] = None
    return [name for group, inside in groups.items() for name in (group, *inside)]


def axis(domain: list[str], *, grid: bool = True) -> alt.Y:
    """The rows' names on the left, groups' in bold."""
    bold = alt.condition(_HEADING.replace("label", "value"), alt.value("bold"), alt.value("normal"))
    look = alt.Axis(
        labelExpr=_NAME, labelFontWeight=bold, title=None, ticks=False, domain=False, grid=grid, labelPadding=8
    )
    return alt.Y("key:N", scale=alt.Scale(domain=domain), axis=look)


def bare(domain: list[str]) -> alt.Y:
    """The rows without their names, for layers over the one that has them."""
    return alt.Y("key:N", scale=alt.Scale(domain=domain), axis=None)


def notes(domain: list[str]) -> alt.Y:
    """The rows' notes on the right."""
    look = alt.Axis(labelExpr=_NOTE, orient="right", title=None, ticks=False, domain=False, grid=False, labelPadding=8)
    return alt.Y("key:N", scale=alt.Scale(domain=domain), axis=look)
