"""How many calibration images are enough: the score by how many calibrated, within one source."""

from collections.abc import Mapping, Sequence

import altair as alt

from farm.analysis.families import together
from farm.analysis.sizes import Sized, by_size, unsized
from farm.record import accuracy_of
from farm.report.figures.bounds import foremost, of_many
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, names_of
from farm.report.figures.style import GREY, Datum, Spec, colours, legend, shapes, side_by_side, tooltip
from farm.report.metric import Metric
from farm.report.numbers import count

HEIGHT = 300
MOST = 40  # lines


def sizes(material: Material) -> Plot | None:
    """A line a source and model, of those that were calibrated with two numbers of images or more."""
    records = list(map(unsized, material.analysis.run.records))
    every = together(((point.family, point.source), point) for point in by_size(material.analysis))
    if not every:
        return None
    chosen = foremost({line: abs(of[-1].score - of[0].score) for line, of in every.items()}, MOST)
    names, points = names_of(records), [point for line in chosen for point in every[line]]
    metric = Metric(material.analysis.metric)
    rows = [_row(point, names, metric) for point in points]
    groups = list(dict.fromkeys(str(row["group"]) for row in rows))
    fp32: list[Datum] = [
        {"group": group, "fp32": metric.scaled(score)}
        for record in records
        if (group := names.group(record.model, record.device)) in groups
        if record.algorithm == "ir" and (score := accuracy_of(record)) is not None
    ]
    ticks = sorted({point.size for point in points})
    which = of_many(len(chosen), len(every), "lines of model and set that change most from few images to many")
    return Plot(
        caption=which + _caption(points, metric),
        alt=_alt(points, len(chosen), metric),
        chart=_chart(rows, fp32, groups, ticks, metric),
    )


def _row(point: Sized, names: Names, metric: Metric) -> Datum:
    ends = point.interval
    low, high = (ends.low, ends.high) if ends else (None, None)
    if ends and metric.in_percent:
        low, high = max(0.0, ends.low), min(1.0, ends.high)
    return {
        "group": names.group(point.family.model, point.family.device),
        "series": names.series(point.source, point.family.algorithm), "size": point.size, "seeds": point.seeds,
        "score": metric.scaled(point.score), "low": None if low is None else metric.scaled(low),
        "high": None if high is None else metric.scaled(high), "basis": _bases(metric)[point.basis],
    }  # fmt: skip


def _bases(metric: Metric) -> Mapping[str | None, str]:
    """What an interval is over, in words."""
    whose = metric.method.score.removesuffix("'s")
    return {"seeds": "seeds (Student's t)", "images": f"test images ({whose})", None: "none"}


def _chart(
    rows: Sequence[Datum], fp32: Sequence[Datum], groups: Sequence[str], ticks: Sequence[int], metric: Metric
) -> alt.LayerChart | alt.FacetChart:
    series = list(dict.fromkeys(str(row["series"]) for row in rows))
    axis = alt.Axis(values=list(ticks), format=",d", labelOverlap="greedy")
    x = alt.X("size:Q", title="images that calibrated", scale=alt.Scale(type="log", nice=False, padding=14), axis=axis)
    look: Spec = {"title": None, "legend": legend(series)}
    colour = alt.Color("series:N", scale=colours(series), **look)
    shape = alt.Shape("series:N", scale=shapes(series), **look)
    base = alt.Chart().transform_filter("isValid(datum.size)").encode(x=x, color=colour)
    tooltips = tooltip(
        ("group", "model"), ("series", "calibration"), ("size", "images", ""), ("score", metric.axis, metric.format),
        ("low", "95 % interval from", metric.format), ("high", "to", metric.format), ("basis", "interval over"),
        ("seeds", "seeds", ""),
    )  # fmt: skip
    line = base.mark_line(strokeWidth=2).encode(y=_y("score", metric))
    interval = base.mark_rule(strokeWidth=1.5).encode(y=_y("low", metric), y2="high:Q")
    point = base.mark_point(size=70, filled=True, opacity=1)
    point = point.encode(y=_y("score", metric), shape=shape, tooltip=tooltips)
    ir = alt.Chart().transform_filter("isValid(datum.fp32)")
    rule = ir.mark_rule(color=GREY, strokeDash=[2, 2]).encode(y=_y("fp32", metric))
    return side_by_side([rule, interval, line, point], [*rows, *fp32], groups, HEIGHT)


def _y(name: str, metric: Metric) -> alt.Y:
    return alt.Y(f"{name}:Q", title=metric.axis, scale=alt.Scale(zero=False))


def _caption(points: Sequence[Sized], metric: Metric) -> str:
    bases = list(dict.fromkeys(_bases(metric)[point.basis] for point in points if point.interval))
    lines = f" Vertical lines are 95 % intervals over {' or '.join(bases)}." if bases else ""
    return (
        f"{metric.title} of the quantized model by the number of images that calibrated it (logarithmic axis); where "
        f"there are several seeds of a set, their mean.{lines} The dotted grey line is the FP32 IR."
    )


def _alt(points: Sequence[Sized], lines: int, metric: Metric) -> str:
    least, most = (choose(point.size for point in points) for choose in (min, max))
    small, large = ([point.score for point in points if point.size == size] for size in (least, most))
    few, many = (f"{metric.number(min(of))} to {metric.score(max(of))}" for of in (small, large))
    return (
        f"{metric.title} of {count(lines, 'line')} of model and source: {few} with {count(least, 'image')}, {many} "
        f"with {count(most, 'image')}."
    )
