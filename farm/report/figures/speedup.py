"""What int8 buys: speed-up over PyTorch and over the FP32 IR, by model and calibration set (the study's Figure 3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import altair as alt

from farm.analysis.families import together
from farm.record import Record, is_fp32_ir, source_of
from farm.report.figures import points, rows
from farm.report.figures.bounds import foremost, of_many, rows_of
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, plain
from farm.report.figures.style import BLUE, GREY, ORANGE, Datum, data, scale, tooltip, wide
from farm.report.numbers import count, times
from farm.report.verdicts import sentence, states
from farm.stats.ratios import Ratio

OVER_IR, OVER_PYTORCH = OVER = ("over the FP32 IR", "over PyTorch")
STEP = 26  # pixels a row: two marks beneath each other
WIDE = 4.0  # a spread of speed-ups above this takes a logarithmic axis
TOOLTIP = tooltip(
    ("cell", "cell"), ("over", "speed-up"), ("value", "times as fast", ".3f"), ("low", "99 % interval from", ".3f"),
    ("high", "to", ".3f"), ("verdict", "measurement"), ("why", "because"), ("fps", "FPS", ",.1f"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """One of a cell's two speed-ups. verdict: on this one."""

    record: Record
    over: str
    ratio: Ratio
    verdict: str


def speedup(material: Material) -> Plot | None:
    """A row a set, with a mark and its 99 % interval for each of the two speed-ups of each of its cells."""
    analysis, records = material.analysis, material.analysis.run.records
    shown = [record for record in records if record.runtime != "pytorch" and record.verdict != "invalid"]
    every = [one for record in shown for one in _speedups(record, analysis.over_pytorch[record.cell])]
    if not every:
        return None
    sets = together((_names(one, material.names), one) for one in every)
    slowest = {name: -min(one.ratio.value for one in of) for name, of in sets.items()}
    chosen = foremost(slowest, rows_of(3 * max(map(len, sets.values()))))
    speedups = [one for name in chosen for one in sets[name]]
    listed = rows.grouped([_row(one, material.names) for one in speedups])
    several = len({one.record.cell for one in speedups}) > len(chosen)
    caption = _caption([one.verdict for one in speedups], records, several=several)
    which = of_many(len(chosen), len(sets), "models and sets with the least speed-up")
    return Plot(caption=which + caption, alt=_alt(every), chart=_chart(listed, speedups))


def _speedups(record: Record, over_pytorch: str | None) -> Iterator[Speedup]:
    """Those of one cell. over_pytorch: the verdict on one of them, which rests on the baseline too."""
    ir = (record.speedup_ir, record.speedup_ir_low, record.speedup_ir_high)
    pytorch = (record.speedup_pytorch, record.speedup_pytorch_low, record.speedup_pytorch_high)
    for over, (value, low, high), verdict in ((OVER_IR, ir, record.verdict), (OVER_PYTORCH, pytorch, over_pytorch)):
        if value is not None and not (over == OVER_IR and is_fp32_ir(record)):
            ratio = Ratio(value=value, low=low, high=high)
            yield Speedup(record=record, over=over, ratio=ratio, verdict=verdict or points.UNJUDGED)


def _names(one: Speedup, names: Names) -> tuple[str, str]:
    return names.measured(one.record), names.series(source_of(one.record), one.record.algorithm)


def _row(one: Speedup, names: Names) -> Datum:
    record, (group, name) = one.record, _names(one, names)
    return {
        "group": group, "name": name, "row": rows.label(group, name), "cell": plain(record.cell), "over": one.over,
        "value": one.ratio.value, "low": one.ratio.low, "high": one.ratio.high, "verdict": one.verdict,
        "fps": record.fps, "why": plain("; ".join(filter(None, (sentence([record], ""), states(record))))),
    }  # fmt: skip


def _chart(listed: Sequence[Datum], speedups: Sequence[Speedup]) -> alt.LayerChart:
    colour, shape = scale(OVER, (BLUE, ORANGE)), scale(OVER, ("circle", "square"))
    offset = alt.YOffset("over:N", scale=alt.Scale(domain=list(OVER)), sort=list(OVER))
    y = rows.axis(rows.domain_of(listed), grid=False)
    base = alt.Chart().encode(y=y, yOffset=offset, tooltip=TOOLTIP)
    x = alt.X("low:Q", title="times as fast", scale=_scale(speedups), axis=alt.Axis(format="~g", labelOverlap="greedy"))
    title = points.heading(one.verdict for one in speedups)
    stroke = alt.Stroke("over:N", scale=colour, title=title)
    lines = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q", stroke=stroke)
    nothing = alt.Chart(data([{"at": 1}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="at:Q")
    marks = points.measured(base.encode(x="value:Q"), colour, shape, title, "over", len(listed))
    return wide([nothing, lines, *marks], listed, alt.Step(step=STEP, **{"for": "position"}))


def _scale(speedups: Sequence[Speedup]) -> alt.Scale:
    ratios = [one.ratio for one in speedups]
    values = [1.0, *(value for ratio in ratios for value in (ratio.value, ratio.low, ratio.high) if value)]
    low, high = min(values), max(values)
    if high > WIDE * low:
        return alt.Scale(type="log", domain=[low / 1.08, high * 1.08], nice=False)
    return alt.Scale(domain=[0, high * 1.05], nice=False)


def _caption(verdicts: Sequence[str], records: Sequence[Record], *, several: bool) -> str:
    hosts = sorted({f"{record.host} ({record.cpu_model})" for record in records if record.fps is not None})
    invalid = sum(record.verdict == "invalid" for record in records)
    seeds = " Several marks of one kind in a row are the seeds of its set." if several else ""
    out = f" {count(invalid, 'invalid measurement')} left out." if invalid else ""
    return (
        "How many times as fast as the FP32 IR, which ran in turn with it on the same cores, and as PyTorch, by way of "
        "that IR. Lines are 99 % intervals of the paired ratios; at 1 (dashed) nothing is gained."
        f"{seeds}{points.caption(verdicts)}{out} Measured on {plain('; '.join(hosts))}."
    )


def _alt(speedups: Sequence[Speedup]) -> str:
    parts = []
    for over in OVER:
        values = [one.ratio.value for one in speedups if one.over == over]
        if values:
            span = f"{times(min(values))} to {times(max(values))} (median {times(median(values))})"
            parts.append(f"{over} {span} in {count(len(values), 'measurement')}")
    return f"Speed-up {'; '.join(parts)}."
