"""How many calibration images are enough: top-1 by the number that calibrated, within one source."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import altair as alt

from farm.analysis.accuracy import Accuracy
from farm.record import Record, source_of
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, distinct, names_of
from farm.report.figures.style import GREY, colours, field, legend, shapes, side_by_side
from farm.report.numbers import count
from farm.stats.replicates import mean
from farm.stats.shares import Estimate

HEIGHT = 300
Line = tuple[str, str]  # group, series


def sizes(material: Material) -> Plot | None:
    """A line a source and model, of those that were calibrated with two numbers of images or more."""
    names = names_of([_unsized(record) for record in material.run.records])
    lines = _lines(material.run.records, names)
    found = [row for line, sized in lines.items() for row in _rows(line, sized, material.accuracies)]
    if not found:
        return None
    fp32 = _fp32(material.run.records, names, {row["group"] for row in found})
    return Plot(caption=_caption(found), alt=_alt(found), chart=_chart(found, fp32))


def without(label: str, *parameters: str) -> str:
    """A label that does not say these parameters.

    >>> without("fractal{count=300,maps=2}", "count")
    'fractal{maps=2}'
    """
    kept = label
    for name in parameters:
        kept = re.sub(rf"(?<=[{{,]){name}=[^,{{}}]*(,|(?=}}))", "", kept)
    return kept.replace(",}", "}").removesuffix("{}")


def _unsized(record: Record) -> Record:
    return replace(record, algorithm=without(record.algorithm, "subset_size"))


def _lines(records: Sequence[Record], names: Names) -> dict[Line, dict[int, list[Record]]]:
    """Cells by line and size; lines of one size only are left out."""
    lines: dict[Line, dict[int, list[Record]]] = {}
    for record in records:
        source = source_of(record)
        if source is None or record.subset_size is None or record.top1 is None:
            continue
        plain = _unsized(record)
        line = (names.group(record.model, record.device), names.series(without(source, "count"), plain.algorithm))
        lines.setdefault(line, {}).setdefault(record.subset_size, []).append(record)
    return {line: sized for line, sized in lines.items() if len(sized) > 1}


def _rows(
    line: Line, sized: Mapping[int, Sequence[Record]], accuracies: Mapping[str, Accuracy]
) -> list[dict[str, Any]]:
    group, series = line
    return [
        {"group": group, "series": series, "size": size, "draws": len(cells), **_accuracy(cells, accuracies)}
        for size, cells in sorted(sized.items())
    ]


def _accuracy(cells: Sequence[Record], accuracies: Mapping[str, Accuracy]) -> dict[str, Any]:
    values = [100 * cell.top1 for cell in cells if cell.top1 is not None]
    if len(values) > 1:
        step = 100 / (cells[0].n_images or math.inf)  # percent are multiples of it
        return _told(mean(values, resolution=step), "draws (Student's t)")
    known = accuracies.get(cells[0].cell)
    if known is None:
        return {"top1": values[0], "low": None, "high": None, "basis": "none"}
    return _told(_percent(known.top1), "test images (Wilson)")


def _told(found: Estimate, basis: str) -> dict[str, Any]:
    return {"top1": found.value, "low": found.low, "high": found.high, "basis": basis}


def _percent(share: Estimate) -> Estimate:
    return Estimate(value=100 * share.value, low=100 * share.low, high=100 * share.high)


def _fp32(records: Sequence[Record], names: Names, groups: set[str]) -> list[dict[str, Any]]:
    found = [
        {"group": names.group(record.model, record.device), "fp32": 100 * record.top1}
        for record in records
        if record.algorithm == "ir" and record.top1 is not None
    ]
    return [row for row in found if row["group"] in groups]


def _chart(found: Sequence[dict[str, Any]], fp32: Sequence[dict[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    series = distinct(row["series"] for row in found)
    ticks = sorted({row["size"] for row in found})
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
    groups = distinct(row["group"] for row in found)
    return side_by_side([rule, interval, line, point], [*found, *fp32], groups, HEIGHT)


def _y(name: str) -> alt.Y:
    return alt.Y(f"{name}:Q", title="top-1, %", scale=alt.Scale(zero=False))


def _axis(ticks: Sequence[int]) -> alt.Axis:
    return alt.Axis(values=list(ticks), format=",d", labelOverlap="greedy")


def _tooltip() -> list[alt.Tooltip]:
    return [
        field("group", "model"), field("series", "calibration"), field("size", "images", "Q"),
        field("top1", "top-1, %", "Q", format=".2f"), field("low", "95 % interval from", "Q", format=".2f"),
        field("high", "to", "Q", format=".2f"), field("basis", "interval over"), field("draws", "draws", "Q"),
    ]  # fmt: skip


def _caption(found: Sequence[dict[str, Any]]) -> str:
    bases = distinct(row["basis"] for row in found if row["low"] is not None)
    lines = f" Vertical lines are 95 % intervals over {' or '.join(bases)}." if bases else ""
    return (
        "Top-1 of the quantized model by the number of images that calibrated it (logarithmic axis); where there are "
        f"several draws of a set, their mean.{lines} The dotted grey line is the FP32 IR."
    )


def _alt(found: Sequence[dict[str, Any]]) -> str:
    least, most = (choose(row["size"] for row in found) for choose in (min, max))
    small, large = ([row["top1"] for row in found if row["size"] == size] for size in (least, most))
    lines = len({(row["group"], row["series"]) for row in found})
    return (
        f"Top-1 of {count(lines, 'pair')} of model and source: {min(small):.2f} to {max(small):.2f} % with "
        f"{count(least, 'image')}, {min(large):.2f} to {max(large):.2f} % with {count(most, 'image')}."
    )
