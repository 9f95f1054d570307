"""What speed costs in accuracy: the score against FPS, and who is beaten by nobody in both."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np

from farm.analysis.families import together
from farm.record import Record, accuracy_of, source_of
from farm.report.figures import points
from farm.report.figures.bounds import foremost, of_many
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, plain
from farm.report.figures.style import GREY, Datum, Spec, by_width, colours, shapes, side_by_side, tooltip
from farm.report.metric import Metric
from farm.report.numbers import count, listed

HEIGHT = 380
MOST = 300  # cells
ACROSS, LINES = 40, 18  # letters and lines of text that a panel has room for
WIDE = 4.0  # a spread of speeds above this takes a logarithmic axis


def pareto(material: Material) -> Plot | None:
    """A point a cell, and the front of each device on each host."""
    names = material.names
    every = [
        record
        for record in material.analysis.run.records
        if record.fps and accuracy_of(record) is not None and record.verdict != "invalid"
    ]
    if not every:
        return None
    records = _nearest(every, names)
    labels: dict[str, str] = {}
    for group in list(dict.fromkeys(map(names.place, records))):
        labels |= _labels([record for record in records if names.place(record) == group], names)
    rows = [_row(record, names, material, labels) for record in records]
    best = sorted((record for record in records if record.cell in labels), key=lambda record: -(record.fps or 0))
    groups = list(dict.fromkeys(str(row["group"]) for row in rows))
    intervals, metric = rows[0]["low"] is not None, Metric(material.analysis.metric)
    return Plot(
        caption=_caption(records, len(every), metric, intervals=intervals),
        alt=_alt(best, names, len(every), len(groups), metric),
        chart=_chart(rows, records, groups, metric),
    )


def _nearest(records: Sequence[Record], names: Names) -> list[Record]:
    """Of many cells those on the front of their place, on the front that is left without these, and so on."""
    if len(records) <= MOST:
        return list(records)
    weights: dict[str, float] = {}
    for here in together((names.place(record), record) for record in records).values():
        ranks = fronts([(record.fps or 0.0, accuracy_of(record) or 0.0) for record in here])
        weights |= {record.cell: -rank for record, rank in zip(here, ranks, strict=True)}
    chosen = set(foremost(weights, MOST))
    return [record for record in records if record.cell in chosen]


def _row(record: Record, names: Names, material: Material, labels: Mapping[str, str]) -> Datum:
    """A mark. labels: of the cells on a front."""
    accuracy, scaled = material.analysis.accuracies.get(record.cell), Metric(material.analysis.metric).scaled
    low, high = (scaled(accuracy.score.low), scaled(accuracy.score.high)) if accuracy else (None, None)
    row = {
        "group": names.place(record), "model": names.model(record.model),
        "series": names.series(source_of(record), record.algorithm), "cell": plain(record.cell), "fps": record.fps,
        "score": scaled(accuracy_of(record) or 0.0), "low": low, "high": high,
        "verdict": record.verdict or points.UNJUDGED, "front": record.cell in labels,
    }  # fmt: skip
    return {**row, "label": labels[record.cell]} if record.cell in labels else row


def _labels(records: Sequence[Record], names: Names) -> dict[str, str]:
    """Of the cells on the front of these, the set's name, from the fastest on, where there is room; else nothing.

    Which model it is, the mark says.
    """
    speeds = np.array([record.fps or 0.0 for record in records])
    scores = np.array([accuracy_of(record) or 0.0 for record in records])
    across, up = (
        (values - values.min()) / (np.ptp(values) or 1.0) * room
        for values, room in ((np.log(speeds), ACROSS), (scores, LINES))
    )
    taken: list[tuple[float, float, int]] = []
    labels: dict[str, str] = {}
    for index in sorted(front(list(zip(speeds, scores, strict=True))), key=lambda index: -speeds[index]):
        name = names.series(source_of(records[index]), records[index].algorithm)
        x, y = across[index], up[index]
        free = all(abs(x - a) > (len(name) + letters) / 2 or abs(y - b) > 1 for a, b, letters in taken)
        labels[records[index].cell] = name if free else ""
        taken += [(x, y, len(name))] if free else []
    return labels


def front(both: Sequence[tuple[float, float]]) -> set[int]:
    """Which are beaten by none: no other is as good in both and better in one. both: (n, 2), more is better.

    >>> sorted(front([(1, 9), (2, 8), (2, 7), (3, 1)]))
    [0, 1, 3]
    """
    return {index for index, rank in enumerate(fronts(both)) if rank == 0}


def fronts(both: Sequence[tuple[float, float]]) -> list[int]:
    """On which front each is: 0, which none beats, 1, which none but those of 0 beat, and so on.

    >>> fronts([(1, 9), (2, 8), (2, 7), (3, 1)])
    [0, 0, 1, 0]
    """
    ranks: dict[tuple[float, float], int] = {}
    lows: list[float] = []  # of each front the greatest second value so far, negative, so that they ascend
    for x, y in sorted(set(both), reverse=True):
        ranks[x, y] = rank = bisect_right(lows, -y)
        lows[rank : rank + 1] = [-y]
    return [ranks[one] for one in both]


def _chart(
    rows: Sequence[Datum], records: Sequence[Record], groups: Sequence[str], metric: Metric
) -> alt.LayerChart | alt.FacetChart:
    by = "model" if len({row["model"] for row in rows}) > 1 else "series"
    places = list(dict.fromkeys(f" on {record.device} of {record.host}" for record in records))
    place = plain(places[0]) if len(places) == 1 else ""  # of several, each has its panel
    title = points.heading(str(row["verdict"]) for row in rows)
    named = list(dict.fromkeys(str(row[by]) for row in rows))
    colour, shape = colours(named), shapes(named)
    x = alt.X(
        "fps:Q",
        title=f"images a second{place}",
        scale=_scale(records),
        axis=alt.Axis(tickCount=6, labelOverlap="greedy"),
    )
    tooltips = tooltip(
        ("cell", "cell"), ("fps", "images a second", ",.1f"), ("score", metric.axis, metric.format),
        ("low", "95 % interval from", metric.format), ("high", "to", metric.format), ("verdict", "measurement"),
        ("front", "on the front"),
    )  # fmt: skip
    base = alt.Chart().encode(x=x, tooltip=tooltips)
    lines = base.mark_rule(strokeWidth=1.5).encode(
        y=alt.Y("low:Q", title=metric.axis), y2="high:Q", stroke=alt.Stroke(f"{by}:N", scale=colour, title=title)
    )
    both = base.encode(y=alt.Y("score:Q", title=metric.axis, scale=alt.Scale(zero=False)))
    dashed: Spec = {"interpolate": "step-before", "color": GREY, "strokeDash": [5, 3]}
    step = both.transform_filter("datum.front").mark_line(**dashed)
    marks = points.measured(both, colour, shape, title, by, len(rows))
    # The front's names, on white, so that no line crosses them. Above a front there is no other mark.
    label = both.transform_filter("datum.label").encode(text="label:N")
    text: Spec = {"dy": -14, "fontSize": by_width(9, 11), "limit": by_width(90, 300)}
    white = label.mark_text(stroke="white", strokeWidth=4, **text)
    black = label.mark_text(color="black", **text)
    return side_by_side([step, lines, *marks, white, black], rows, groups, HEIGHT)


def _scale(records: Sequence[Record]) -> alt.Scale:
    speeds = [record.fps for record in records if record.fps]
    least, most = min(speeds), max(speeds)
    if most > WIDE * least:
        return alt.Scale(type="log", domain=[least / 1.15, most * 1.25], nice=False)
    room = most - least or most
    return alt.Scale(domain=[max(0, least - room / 8), most + room / 5], nice=False)


def _caption(records: Sequence[Record], cells: int, metric: Metric, *, intervals: bool) -> str:
    """cells: of which these are shown."""
    hosts = list(dict.fromkeys(f"{record.host} ({record.cpu_model}, {record.cores} cores)" for record in records))
    lines = f"Vertical lines are {metric.method.score} 95 % intervals over test images. " if intervals else ""
    hollow = points.caption(record.verdict or points.UNJUDGED for record in records)
    which = of_many(len(records), cells, "cells that lie nearest the front")
    return (
        f"{which}Each mark is a cell; up and right is better. The dashed line is the Pareto front: no cell beats those "
        f"on it in both speed and accuracy; their sets are named where there is room. {lines}Speeds of one host only "
        f"may be compared, and were measured one after another: x IR compares more surely.{hollow} "
        f"Measured on {plain(listed(hosts))}."
    )


def _alt(best: Sequence[Record], names: Names, cells: int, fronts: int, metric: Metric) -> str:
    named = [
        f"{names.model(record.model)}, {names.series(source_of(record), record.algorithm)} "
        f"({record.fps or 0:,.0f} images a second, {metric.score(accuracy_of(record) or 0.0)})"
        for record in best
    ]
    word = "fronts" if fronts > 1 else "front"
    return f"Of {count(cells, 'cell')}, {len(best)} on the Pareto {word} of accuracy and speed: {listed(named)}."
