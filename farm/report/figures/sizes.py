"""How many calibration images are enough: top-1 by the number that calibrated, within one source."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from farm.analysis.sizes import Sized, by_size, unsized
from farm.record import Record
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, distinct, names_of
from farm.report.figures.style import GREY, colours, field, legend, shapes, side_by_side
from farm.report.numbers import count

HEIGHT = 300
BASES = {"seeds": "seeds (Student's t)", "images": "test images (Wilson)", None: "none"}


def sizes(material: Material) -> Plot | None:
    """A line a source and model, of those that were calibrated with two numbers of images or more."""
    records = material.analysis.run.records
    names = names_of(list(map(unsized, records)))
    entries = [_row(point, names) for point in by_size(material.analysis)]
    if not entries:
        return None
    fp32 = _fp32(records, names, {row["group"] for row in entries})
    return Plot(caption=_caption(entries), alt=_alt(entries), chart=_chart(entries, fp32))


def _row(point: Sized, names: Names) -> dict[str, Any]:
    low, high = (100 * point.interval.low, 100 * point.interval.high) if point.interval else (None, None)
    return {
        "group": names.group(point.family.model, point.family.device),
        "series": names.series(point.source, point.family.algorithm), "size": point.size, "seeds": point.seeds,
        "top1": 100 * point.top1, "low": low, "high": high, "basis": BASES[point.basis],
    }  # fmt: skip


def _fp32(records: Sequence[Record], names: Names, groups: set[str]) -> list[dict[str, Any]]:
    rows = [
        {"group": names.group(record.model, record.device), "fp32": 100 * record.top1}
        for record in records
        if record.algorithm == "ir" and record.top1 is not None
    ]
    return [row for row in rows if row["group"] in groups]


def _chart(entries: Sequence[dict[str, Any]], fp32: Sequence[dict[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    series = distinct(row["series"] for row in entries)
    ticks = sorted({row["size"] for row in entries})
    x = alt.X(
        "size:Q", title="images that calibrated", scale=alt.Scale(type="log", nice=False, padding=14), axis=_axis(ticks)
    )
    base = (
        alt.Chart()
        .transform_filter("isValid(datum.size)")
        .encode(x=x, color=alt.Color("series:N", scale=colours(series), title=None, legend=legend(series)))
    )
    line = base.mark_line(strokeWidth=2).encode(y=_y("top1"))
    interval = base.mark_rule(strokeWidth=1.5).encode(y=_y("low"), y2="high:Q")
    point = base.mark_point(size=70, filled=True, opacity=1).encode(
        y=_y("top1"),
        shape=alt.Shape("series:N", scale=shapes(series), title=None, legend=legend(series)),
        tooltip=_tooltip(),
    )
    rule = (
        alt.Chart()
        .transform_filter("isValid(datum.fp32)")
        .mark_rule(color=GREY, strokeDash=[2, 2])
        .encode(y=_y("fp32"))
    )
    groups = distinct(row["group"] for row in entries)
    return side_by_side([rule, interval, line, point], [*entries, *fp32], groups, HEIGHT)


def _y(name: str) -> alt.Y:
    return alt.Y(f"{name}:Q", title="top-1, %", scale=alt.Scale(zero=False))


def _axis(ticks: Sequence[int]) -> alt.Axis:
    return alt.Axis(values=list(ticks), format=",d", labelOverlap="greedy")


def _tooltip() -> list[alt.Tooltip]:
    return [
        field("group", "model"), field("series", "calibration"), field("size", "images", "Q"),
        field("top1", "top-1, %", "Q", format=".2f"), field("low", "95 % interval from", "Q", format=".2f"),
        field("high", "to", "Q", format=".2f"), field("basis", "interval over"), field("seeds", "seeds", "Q"),
    ]  # fmt: skip


def _caption(entries: Sequence[dict[str, Any]]) -> str:
    bases = distinct(row["basis"] for row in entries if row["low"] is not None)
    lines = f" Vertical lines are 95 % intervals over {' or '.join(bases)}." if bases else ""
    return (
        "Top-1 of the quantized model by the number of images that calibrated it (logarithmic axis); where there are "
        f"several seeds of a set, their mean.{lines} The dotted grey line is the FP32 IR."
    )


def _alt(entries: Sequence[dict[str, Any]]) -> str:
    least, most = (choose(row["size"] for row in entries) for choose in (min, max))
    small, large = ([row["top1"] for row in entries if row["size"] == size] for size in (least, most))
    lines = len({(row["group"], row["series"]) for row in entries})
    return (
        f"Top-1 of {count(lines, 'line')} of model and source: {min(small):.2f} to {max(small):.2f} % with "
        f"{count(least, 'image')}, {min(large):.2f} to {max(large):.2f} % with {count(most, 'image')}."
    )
