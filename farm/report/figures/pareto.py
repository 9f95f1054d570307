"""What speed costs in accuracy: top-1 against FPS, and who is beaten by nobody in both."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from farm.analysis.ranking import front
from farm.record import Record, source_of
from farm.report.figures import points
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, distinct, names_of, plain, short
from farm.report.figures.style import GREY, colours, field, shapes, side_by_side
from farm.report.numbers import count, listed

HEIGHT = 380
ACROSS, LINES = 40, 18  # letters and lines of text that a panel has room for
WIDE = 4.0  # a spread of speeds above this takes a logarithmic axis


def pareto(material: Material) -> Plot | None:
    """A point a cell, and the front of each device on each host."""
    every = material.analysis.run.records
    records = [record for record in every if record.fps and record.top1 is not None and record.verdict != "invalid"]
    if not records:
        return None
    entries = _rows(records, names_of(every), material)
    return Plot(caption=_caption(entries, records), alt=_alt(entries), chart=_chart(entries, _place(records)))


def _rows(records: Sequence[Record], names: Names, material: Material) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for record in records:
        accuracy = material.analysis.accuracies.get(record.cell)
        low, high = (100 * accuracy.top1.low, 100 * accuracy.top1.high) if accuracy else (None, None)
        series = names.series(source_of(record), record.algorithm)
        rows.append({
            "group": names.place(record), "model": short(record.model), "series": series, "cell": plain(record.cell),
            "fps": record.fps, "top1": 100 * (record.top1 or 0), "verdict": points.word(record.verdict),
            "low": low, "high": high,
        })  # fmt: skip
    for group in distinct(row["group"] for row in rows):
        inside = [row for row in rows if row["group"] == group]
        best = front([(row["fps"], row["top1"]) for row in inside])
        for index, row in enumerate(inside):
            row["front"] = index in best
        _label([inside[index] for index in best], inside)
    return rows


def _place(records: Sequence[Record]) -> str:
    """Where all of it ran; nothing, where there are several places, each with its panel."""
    places = distinct(f" on {record.device} of {record.host}" for record in records)
    return plain(places[0]) if len(places) == 1 else ""


def _label(best: Sequence[dict[str, Any]], inside: Sequence[dict[str, Any]]) -> None:
    """Name the sets on a front, from the fastest on, where there is room; which model it is, the mark says."""
    across, up = _placed([math.log(row["fps"]) for row in inside]), _placed([row["top1"] for row in inside])
    taken: list[tuple[float, float, int]] = []
    for row in sorted(best, key=lambda row: -row["fps"]):
        x, y, letters = across(math.log(row["fps"])), up(row["top1"]), len(row["series"])
        free = all(abs(x - a) * ACROSS > (letters + there) / 2 or abs(y - b) * LINES > 1 for a, b, there in taken)
        row["label"] = row["series"] if free else ""
        taken += [(x, y, letters)] if free else []


def _placed(values: Sequence[float]) -> Callable[[float], float]:
    """Where a value lies between the least, 0, and the greatest, 1."""
    least, span = min(values), (max(values) - min(values)) or 1.0
    return lambda value: (value - least) / span


def _chart(entries: Sequence[dict[str, Any]], place: str) -> alt.LayerChart | alt.FacetChart:
    groups, models = (distinct(row[name] for row in entries) for name in ("group", "model"))
    by = "model" if len(models) > 1 else "series"
    title = points.heading(row["verdict"] for row in entries)
    x = alt.X("fps:Q", title=f"images a second{place}", scale=_scale(entries), axis=alt.Axis(tickCount=6))
    y = alt.Y("top1:Q", title="top-1, %", scale=alt.Scale(zero=False))
    base = alt.Chart().encode(x=x, tooltip=_tooltip())
    named = distinct(row[by] for row in entries)
    colour, shape = colours(named), shapes(named)
    lines = base.mark_rule(strokeWidth=1.5).encode(
        y=alt.Y("low:Q", title="top-1, %"), y2="high:Q", stroke=alt.Stroke(f"{by}:N", scale=colour, title=title)
    )
    step = (
        base.transform_filter("datum.front")
        .mark_line(interpolate="step-before", color=GREY, strokeDash=[5, 3])
        .encode(y=y)
    )
    marks = points.measured(base.encode(y=y), colour, shape, title, by, len(entries))
    return side_by_side([step, lines, *marks, *_labels(base.encode(y=y))], entries, groups, HEIGHT)


def _labels(base: alt.Chart) -> list[alt.Chart]:
    """The names of the front, on white, so that no line crosses them. Above a front there is no other mark."""
    named = base.transform_filter("datum.label").encode(text="label:N")
    look: dict[str, Any] = {"dy": -14, "fontSize": 11}
    return [named.mark_text(stroke="white", strokeWidth=4, **look), named.mark_text(color="black", **look)]


def _scale(entries: Sequence[dict[str, Any]]) -> alt.Scale:
    speeds = [row["fps"] for row in entries]
    if max(speeds) > WIDE * min(speeds):
        return alt.Scale(type="log", domain=[min(speeds) / 1.15, max(speeds) * 1.25], nice=False)
    room = max(speeds) - min(speeds) or max(speeds)
    return alt.Scale(domain=[max(0, min(speeds) - room / 8), max(speeds) + room / 5], nice=False)


def _tooltip() -> list[alt.Tooltip]:
    return [
        field("cell", "cell"), field("fps", "images a second", "Q", format=",.1f"),
        field("top1", "top-1, %", "Q", format=".2f"), field("low", "95 % interval from", "Q", format=".2f"),
        field("high", "to", "Q", format=".2f"), field("verdict", "measurement"), field("front", "on the front"),
    ]  # fmt: skip


def _caption(entries: Sequence[dict[str, Any]], records: Sequence[Record]) -> str:
    hosts = distinct(f"{record.host} ({record.cpu_model}, {record.cores} cores)" for record in records)
    lines = "Vertical lines are Wilson's 95 % intervals over test images. " if entries[0]["low"] is not None else ""
    hollow = points.caption(row["verdict"] for row in entries)
    return (
        "Each mark is a cell; up and right is better. The dashed line is the Pareto front: no cell beats those on it "
        f"in both speed and accuracy; their sets are named where there is room. {lines}Speeds of one host only may be "
        f"compared.{hollow} Measured on {plain(listed(hosts))}."
    )


def _alt(entries: Sequence[dict[str, Any]]) -> str:
    best = sorted((row for row in entries if row["front"]), key=lambda row: -row["fps"])
    named = [
        f"{row['model']}, {row['series']} ({row['fps']:,.0f} images a second, {row['top1']:.2f} %)" for row in best
    ]
    fronts = "fronts" if len({row["group"] for row in entries}) > 1 else "front"
    return (
        f"Of {count(len(entries), 'cell')}, {len(best)} on the Pareto {fronts} of accuracy and speed: {listed(named)}."
    )
