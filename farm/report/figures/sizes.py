"""How many calibration images are enough: top-1 by the number that calibrated, within one source."""

from collections.abc import Sequence

import altair as alt

from farm.analysis.families import together
from farm.analysis.sizes import Sized, by_size, unsized
from farm.report.figures.bounds import foremost, of_many
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, names_of
from farm.report.figures.style import GREY, Datum, Spec, colours, legend, shapes, side_by_side, tooltip
from farm.report.numbers import count

HEIGHT = 300
MOST = 40  # lines
BASES = {"seeds": "seeds (Student's t)", "images": "test images (Wilson)", None: "none"}
TOOLTIP = tooltip(
    ("group", "model"), ("series", "calibration"), ("size", "images", ""), ("top1", "top-1, %", ".2f"),
    ("low", "95 % interval from", ".2f"), ("high", "to", ".2f"), ("basis", "interval over"), ("seeds", "seeds", ""),
)  # fmt: skip


def sizes(material: Material) -> Plot | None:
    """A line a source and model, of those that were calibrated with two numbers of images or more."""
    records = list(map(unsized, material.analysis.run.records))
    every = together(((point.family, point.source), point) for point in by_size(material.analysis))
    if not every:
        return None
    chosen = foremost({line: abs(of[-1].top1 - of[0].top1) for line, of in every.items()}, MOST)
    names, points = names_of(records), [point for line in chosen for point in every[line]]
    rows = [_row(point, names) for point in points]
    groups = list(dict.fromkeys(str(row["group"]) for row in rows))
    fp32: list[Datum] = [
        {"group": group, "fp32": 100 * record.top1}
        for record in records
        if (group := names.group(record.model, record.device)) in groups
        if record.algorithm == "ir" and record.top1 is not None
    ]
    ticks = sorted({point.size for point in points})
    which = of_many(len(chosen), len(every), "lines of model and set that change most from few images to many")
    return Plot(
        caption=which + _caption(points), alt=_alt(points, len(chosen)), chart=_chart(rows, fp32, groups, ticks)
    )


def _row(point: Sized, names: Names) -> Datum:
    ends = point.interval
    return {
        "group": names.group(point.family.model, point.family.device),
        "series": names.series(point.source, point.family.algorithm), "size": point.size, "seeds": point.seeds,
        "top1": 100 * point.top1, "low": 100 * max(0.0, ends.low) if ends else None,
        "high": 100 * min(1.0, ends.high) if ends else None,
        "basis": BASES[point.basis],
    }  # fmt: skip


def _chart(
    rows: Sequence[Datum], fp32: Sequence[Datum], groups: Sequence[str], ticks: Sequence[int]
) -> alt.LayerChart | alt.FacetChart:
    series = list(dict.fromkeys(str(row["series"]) for row in rows))
    axis = alt.Axis(values=list(ticks), format=",d", labelOverlap="greedy")
    x = alt.X("size:Q", title="images that calibrated", scale=alt.Scale(type="log", nice=False, padding=14), axis=axis)
    look: Spec = {"title": None, "legend": legend(series)}
    colour = alt.Color("series:N", scale=colours(series), **look)
    shape = alt.Shape("series:N", scale=shapes(series), **look)
    base = alt.Chart().transform_filter("isValid(datum.size)").encode(x=x, color=colour)
    line = base.mark_line(strokeWidth=2).encode(y=_y("top1"))
    interval = base.mark_rule(strokeWidth=1.5).encode(y=_y("low"), y2="high:Q")
    point = base.mark_point(size=70, filled=True, opacity=1).encode(y=_y("top1"), shape=shape, tooltip=TOOLTIP)
    ir = alt.Chart().transform_filter("isValid(datum.fp32)")
    rule = ir.mark_rule(color=GREY, strokeDash=[2, 2]).encode(y=_y("fp32"))
    return side_by_side([rule, interval, line, point], [*rows, *fp32], groups, HEIGHT)


def _y(name: str) -> alt.Y:
    return alt.Y(f"{name}:Q", title="top-1, %", scale=alt.Scale(zero=False))


def _caption(points: Sequence[Sized]) -> str:
    bases = list(dict.fromkeys(BASES[point.basis] for point in points if point.interval))
    lines = f" Vertical lines are 95 % intervals over {' or '.join(bases)}." if bases else ""
    return (
        "Top-1 of the quantized model by the number of images that calibrated it (logarithmic axis); where there are "
        f"several seeds of a set, their mean.{lines} The dotted grey line is the FP32 IR."
    )


def _alt(points: Sequence[Sized], lines: int) -> str:
    least, most = (choose(point.size for point in points) for choose in (min, max))
    small, large = ([100 * point.top1 for point in points if point.size == size] for size in (least, most))
    return (
        f"Top-1 of {count(lines, 'line')} of model and source: {min(small):.2f} to {max(small):.2f} % with "
        f"{count(least, 'image')}, {min(large):.2f} to {max(large):.2f} % with {count(most, 'image')}."
    )
