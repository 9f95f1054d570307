"""Which model breaks with which set: the drop by model and calibration source."""

import math
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean, mode

import altair as alt

from farm.analysis.families import Family, together
from farm.analysis.replicates import drops_of
from farm.record import Record, source_of
from farm.report.figures import squares
from farm.report.figures.bounds import ALL, foremost_square
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names
from farm.report.figures.style import Datum, Value, tooltip
from farm.report.metric import Metric
from farm.report.numbers import count, span
from farm.stats.shares import Estimate

Square = tuple[Family, str]  # and calibration source
Drop = tuple[float | None, Estimate | None]  # its mean, None where no cell has one, with its interval over seeds

STEP = 34  # pixels a row
COLUMN, COUNTED = 50, 68  # pixels a column, for its numbers to fit, and with seeds in brackets
MOST_COLUMNS = 30
BRACKETED = "bracketed"  # of a square's row, where its column has another number of seeds


def drops(material: Material) -> Plot | None:
    """A square a model and source: the mean drop over its seeds, in percentage points of a share."""
    records, metric = material.analysis.run.records, Metric(material.analysis.metric)
    over_seeds = {(one.family, one.source): one.drop for one in material.analysis.sources}
    sets = [(source, record) for record in records if (source := source_of(record)) is not None]
    every = together(((Family.of(record), source), record) for source, record in sets)
    known = {square: fmean(lost) for square, cells in every.items() if (lost := drops_of(cells))}
    if not known:
        return None
    chosen, which = _foremost(every, known)
    shown = {square: every[square] for square in chosen}
    means = {square: known[square] for square in chosen if square in known}
    seeds = {square: len(drops_of(shown[square])) for square in means}
    rows = {
        square: _row(square, cells, (means.get(square), over_seeds.get(square)), material.names, metric)
        for square, cells in shown.items()
    }
    listed = list((rows if len({*seeds.values()}) == 1 else _counted(rows, seeds)).values())
    return Plot(
        caption=which + _caption(list(seeds.values()), listed, metric),
        alt=_alt(means, rows, metric),
        chart=_chart(listed, metric),
    )


def _foremost(every: Collection[Square], means: Mapping[Square, float]) -> tuple[list[Square], str]:
    """The squares of the models and sets that lose most, and what the caption says where they are not all."""
    weights = {(_model(square), _set(square)): means.get(square, -math.inf) for square in every}
    models, sets = foremost_square(weights, MOST_COLUMNS)
    chosen = [square for square in every if _model(square) in models and _set(square) in sets]
    of_models, of_sets = (
        count(len({row for row, _ in weights}), "model"),
        count(len({name for _, name in weights}), "set"),
    )
    which = f"The {len(models)} of {of_models} and {len(sets)} of {of_sets} that lose most{ALL}. "
    return chosen, which if len(chosen) < len(every) else ""


def _model(square: Square) -> tuple[str, str]:
    """Its row: the model and the device."""
    return square[0].model, square[0].device


def _set(square: Square) -> tuple[str, str]:
    """Its column: the source and the algorithm."""
    return square[1], square[0].algorithm


def _row(square: Square, cells: Sequence[Record], drop: Drop, names: Names, metric: Metric) -> Datum:
    """Numbers are percentage points of a share."""
    (family, source), failed = square, sum(record.outcome == "failed" for record in cells)
    (mean, ends), text, interval = drop, "failed" if failed else "not run", ""
    if mean is not None:
        text, interval = metric.number(mean), "one seed: none"
    if mean is not None and ends is not None:
        interval = f"{metric.number(ends.low)} to {metric.number(ends.high)}"
    name = names.series(source, family.algorithm)
    return {
        "group": names.group(family.model, family.device), "set": name, "column": name,
        "seeds": len(drops_of(cells)), "failed": failed, "drop": None if mean is None else metric.scaled(mean),
        "text": text, "interval": interval,
    }  # fmt: skip


def _counted(rows: Mapping[Square, Datum], seeds: Mapping[Square, int]) -> Mapping[Square, Datum]:
    """The rows with how many seeds a column has, and in brackets how many a square has, where that is another number.

    seeds: of each square with a number; a column has as many as most of its squares.
    """
    columns = together((_set(square), number) for square, number in seeds.items())
    counted: dict[Square, dict[str, Value]] = {}
    for square, row in rows.items():
        usual = mode(columns.get(_set(square), [0]))
        column = f"{row['set']} ({count(usual, 'seed')})" if usual else row["set"]
        counted[square] = {**row, "column": column}
        if seeds.get(square, usual) != usual:
            counted[square] |= {"text": f"{row['text']} ({seeds[square]})", BRACKETED: seeds[square]}
    return counted


def _chart(rows: Sequence[Datum], metric: Metric) -> alt.LayerChart:
    tooltips = tooltip(
        ("group", "model"), ("set", "calibration"), ("text", ", ".join(filter(None, ["mean drop", metric.points]))),
        ("interval", "95 % interval over seeds"), ("seeds", "seeds", ""), ("failed", "failed", ""),
    )  # fmt: skip
    sets, groups = (list(dict.fromkeys(str(row[name]) for row in rows)) for name in ("column", "group"))
    y = alt.Y("group:N", sort=groups, title=None, axis=squares.axis("left"))
    width = COUNTED if any(map(_bracketed, rows)) else COLUMN
    return squares.heatmap(
        alt.Chart().encode(y=y, tooltip=tooltips), ("column", sets), rows, width, STEP, points=metric.in_percent
    )


def _bracketed(row: Datum) -> bool:
    return BRACKETED in row


def _caption(seeds: Sequence[int], rows: Sequence[Datum], metric: Metric) -> str:
    several = max(seeds) > 1
    mean = f"the mean over {span(seeds)} seeds of the set" if several else "of one seed of the set"
    counted = (
        " In brackets: of so many seeds, where a column's others have another number."
        if any(map(_bracketed, rows))
        else ""
    )
    end = " `farm show` and the page's table over several seeds have the means' 95 % intervals." if several else ""
    return (
        f"The FP32 IR's {metric.word} minus the quantized model's{metric.in_points}: {mean}. "
        f"{squares.colours(points=metric.in_percent)}{counted}{end}"
    )


def _alt(means: Mapping[Square, float], rows: Mapping[Square, Datum], metric: Metric) -> str:
    missing = len(rows) - len(means)
    rest = f" ({missing} more without a number)" if missing else ""
    best, worst = (rows[choose(means, key=means.__getitem__)] for choose in (min, max))
    least = " ".join(filter(None, [str(best["text"]), metric.points]))
    return (
        f"Drops of {metric.word} of {count(len(means), 'square')} of model and set{rest}: from {least} "
        f"({best['group']} with {best['set']}) to {worst['text']} ({worst['group']} with {worst['set']})."
    )
