"""Which model breaks with which set: the drop of top-1 by model and calibration source."""

from collections.abc import Mapping, Sequence
from typing import Literal

import altair as alt

from farm.analysis.replicates import Drop, mean_drops
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, distinct, names_of
from farm.report.figures.style import ORANGE, PALE, SKY, WIDTH, Datum, Spec, tooltip, wide
from farm.report.numbers import count, points, span

STEP = 34  # pixels a row
COLUMN = 46  # pixels a column, at least, for its numbers to fit
LETTER = 8
FIT = WIDTH // COLUMN
EDGE = "#c8c8c8"
STEEP = 0.5  # points around zero in which colour is linear; beyond, logarithmic
LEAST = 1.0  # points at which colour is full, at least: noise shall not look like a loss
TOOLTIP = tooltip(
    ("group", "model"), ("set", "calibration"), ("text", "mean drop, points"), ("interval", "95 % interval over seeds"),
    ("seeds", "seeds", ""), ("failed", "failed", ""),
)  # fmt: skip


def drops(material: Material) -> Plot | None:
    """A square a model and source: the mean drop of top-1 over its seeds, in percentage points."""
    records = material.analysis.run.records
    names, squares = names_of(records), mean_drops(records, material.analysis.sources)
    means = {square: square.mean for square in squares if square.mean is not None}
    if not means:
        return None
    rows = [_row(square, names) for square in squares]
    return Plot(
        caption=_caption([square.seeds for square in means]),
        alt=_alt(means, len(squares) - len(means), names),
        chart=_chart(rows, 100 * max(map(abs, means.values()))),
    )


def _row(drop: Drop, names: Names) -> dict[str, str | float | None]:
    """A square; numbers are percentage points."""
    text, interval = "failed" if drop.failed else "not run", ""
    if drop.mean is not None:
        ends = drop.interval
        text, interval = points(drop.mean), f"{points(ends.low)} to {points(ends.high)}" if ends else "one seed: none"
    return {
        "group": names.group(drop.family.model, drop.family.device),
        "set": names.series(drop.source, drop.family.algorithm), "seeds": drop.seeds, "failed": drop.failed,
        "drop": None if drop.mean is None else 100 * drop.mean, "text": text, "interval": interval,
    }  # fmt: skip


def _chart(rows: Sequence[Datum], most: float) -> alt.LayerChart:
    sets, groups = (distinct(str(row[name]) for row in rows) for name in ("set", "group"))
    full = max(LEAST, most)
    ends, between = [-full, 0, full], [SKY, "white", ORANGE]
    scale = alt.Scale(type="symlog", constant=STEEP, domain=ends, range=between, interpolate="rgb")
    x = alt.X("set:N", sort=sets, title=None, axis=_axis("top", 0 if _fit(sets) else 35))
    base = alt.Chart().encode(x=x, y=alt.Y("group:N", sort=groups, title=None, axis=_axis("left")), tooltip=TOOLTIP)
    squares = base.mark_rect(stroke=EDGE).encode(color=alt.Color("drop:Q", scale=scale, legend=None))
    missing = base.transform_filter("!isValid(datum.drop)").mark_rect(color=PALE, stroke=EDGE)
    texts = base.mark_text(fontSize=12).encode(text="text:N")
    chart = wide([squares, missing, texts], rows, alt.Step(STEP))
    return chart if len(sets) <= FIT else chart.properties(width=alt.Step(COLUMN))


def _fit(sets: Sequence[str]) -> bool:
    """Whether the names would fit beside each other; else they stand aslant, to where the models' names leave room."""
    return max(map(len, sets)) * LETTER * len(sets) < WIDTH


def _axis(orient: Literal["left", "top"], angle: int = 0) -> alt.Axis:
    look: Spec = {"ticks": False, "domain": False, "grid": False, "labelPadding": 8, "labelOverlap": False}
    return alt.Axis(orient=orient, labelAngle=angle, **look)


def _caption(seeds: Sequence[int]) -> str:
    several = max(seeds) > 1
    mean = f"the mean over {span(seeds)} seeds of the set" if several else "of one seed of the set"
    end = " `farm show` and the page's table over several seeds have the means' 95 % intervals." if several else ""
    return (
        f"The FP32 IR's top-1 minus the quantized model's, in percentage points: {mean}. Orange is a loss, blue a "
        f"gain; colour is linear up to {STEEP:g} points and logarithmic beyond.{end}"
    )


def _alt(means: Mapping[Drop, float], missing: int, names: Names) -> str:
    rest = f" ({missing} more without a number)" if missing else ""
    best, worst = (_row(choose(means, key=means.__getitem__), names) for choose in (min, max))
    return (
        f"Drops of top-1 of {count(len(means), 'square')} of model and set{rest}: from {best['text']} "
        f"points ({best['group']} with {best['set']}) to {worst['text']} ({worst['group']} with {worst['set']})."
    )
