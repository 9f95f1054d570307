"""What int8 buys: speed-up over PyTorch and over the FP32 IR, by model and calibration set (the study's Figure 3)."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import altair as alt

from farm.record import Record, is_fp32_ir, source_of
from farm.report.figures import points, rows
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, names_of, plain
from farm.report.figures.style import BLUE, GREY, ORANGE, data, field, wide
from farm.report.numbers import count, times
from farm.report.verdicts import sentence

OVER_IR, OVER_PYTORCH = OVER = ("over the FP32 IR", "over PyTorch")
STEP = 26  # pixels a row: two marks beneath each other
WIDE = 4.0  # a spread of speed-ups above this takes a logarithmic axis


def speedup(material: Material) -> Plot | None:
    """A row a set, with a mark and its 99 % interval for each of the two speed-ups of each of its cells."""
    analysis, records = material.analysis, material.analysis.run.records
    shown = [record for record in records if record.runtime != "pytorch" and record.verdict != "invalid"]
    names = names_of(records)
    entries = [row for record in shown for row in _rows(record, names, analysis.over_pytorch[record.cell])]
    if not entries:
        return None
    entries = rows.grouped(entries)
    left_out = sum(record.verdict == "invalid" for record in records)
    return Plot(caption=_caption(entries, left_out, records), alt=_alt(entries), chart=_chart(entries))


def _rows(record: Record, names: Names, over_pytorch: str | None) -> Iterator[dict[str, Any]]:
    """The speed-ups of one cell. over_pytorch: the verdict on one of them, which rests on the baseline too."""
    group, name = names.measured(record), names.series(source_of(record), record.algorithm)
    speedups = (
        (OVER_IR, record.speedup_ir, record.speedup_ir_low, record.speedup_ir_high, record.verdict),
        (OVER_PYTORCH, record.speedup_pytorch, record.speedup_pytorch_low, record.speedup_pytorch_high, over_pytorch),
    )
    for over, value, low, high, verdict in speedups:
        if value is not None and not (over == OVER_IR and is_fp32_ir(record)):
            row = {"group": group, "name": name, "key": rows.key((group, name, "")), "cell": plain(record.cell)}
            yield {
                **row,
                "over": over,
                "value": value,
                "low": low,
                "high": high,
                "verdict": points.word(verdict),
            } | _more(record)


def _more(record: Record) -> dict[str, Any]:
    return {"fps": record.fps, "why": plain(sentence([record], ""))}


def _chart(entries: Sequence[dict[str, Any]]) -> alt.LayerChart:
    domain = rows.keys((row["group"], row["name"], "") for row in entries)
    colour = alt.Scale(domain=list(OVER), range=[BLUE, ORANGE])
    shape = alt.Scale(domain=list(OVER), range=["circle", "square"])
    offset = alt.YOffset("over:N", scale=alt.Scale(domain=list(OVER)), sort=list(OVER))
    base = alt.Chart().encode(y=rows.axis(domain, grid=False), yOffset=offset, tooltip=_tooltip())
    x = alt.X("low:Q", title="times as fast", scale=_scale(entries), axis=alt.Axis(format="~g"))
    title = points.heading(row["verdict"] for row in entries)
    lines = base.mark_rule(strokeWidth=2).encode(
        x=x, x2="high:Q", stroke=alt.Stroke("over:N", scale=colour, title=title)
    )
    one = alt.Chart(data([{"at": 1}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="at:Q")
    marks = points.measured(base.encode(x="value:Q"), colour, shape, title, "over", len(entries))
    return wide([one, lines, *marks], entries, alt.Step(step=STEP, **{"for": "position"}))


def _scale(entries: Sequence[dict[str, Any]]) -> alt.Scale:
    values = [value for row in entries for value in (row["value"], row["low"], row["high"]) if value]
    low, high = min(*values, 1.0), max(*values, 1.0)
    if high > WIDE * low:
        return alt.Scale(type="log", domain=[low / 1.08, high * 1.08], nice=False)
    return alt.Scale(domain=[0, high * 1.05], nice=False)


def _tooltip() -> list[alt.Tooltip]:
    return [
        field("cell", "cell"), field("over", "speed-up"), field("value", "times as fast", "Q", format=".3f"),
        field("low", "99 % interval from", "Q", format=".3f"), field("high", "to", "Q", format=".3f"),
        field("verdict", "measurement"), field("why", "because"), field("fps", "FPS", "Q", format=",.1f"),
    ]  # fmt: skip


def _caption(entries: Sequence[dict[str, Any]], left_out: int, records: Sequence[Record]) -> str:
    hosts = sorted({f"{record.host} ({record.cpu_model})" for record in records if record.fps is not None})
    several = len({row["cell"] for row in entries}) > len({row["key"] for row in entries})
    seeds = " Several marks of one kind in a row are the seeds of its set." if several else ""
    out = f" {count(left_out, 'invalid measurement')} left out." if left_out else ""
    hollow = points.caption(row["verdict"] for row in entries)
    return (
        "How many times as fast as the FP32 IR, which ran in turn with it on the same cores, and as PyTorch, by way of "
        f"that IR. Lines are 99 % intervals of the paired ratios; at 1 (dashed) nothing is gained.{seeds}{hollow}{out} "
        f"Measured on {plain('; '.join(hosts))}."
    )


def _alt(entries: Sequence[dict[str, Any]]) -> str:
    parts = []
    for over in OVER:
        values = [row["value"] for row in entries if row["over"] == over]
        if values:
            span = f"{times(min(values))} to {times(max(values))} (median {times(median(values))})"
            parts.append(f"{over} {span} in {count(len(values), 'measurement')}")
    return f"Speed-up {'; '.join(parts)}."
