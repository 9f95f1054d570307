"""What each class loses: the drop class by class, by model and calibration set, of a share of images."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from farm.analysis.by_class import ByClass, by_class
from farm.analysis.classes import Classes
from farm.report.figures import rows, squares
from farm.report.figures.bounds import foremost, of_many, rows_of
from farm.report.figures.figure import Material, Plot
from farm.report.figures.names import Names, apart
from farm.report.figures.style import Datum, tooltip
from farm.report.metric import Metric
from farm.report.numbers import count, signed, span

MOST = 20  # classes
ALL = "; of all others `predictions/` or `classes/` tells"
COLUMN, STEP = 38, 22  # pixels


def classes(material: Material) -> Plot | None:
    """A row a set under its model, a column a class: the mean drop over seeds, in percentage points."""
    there, sets = by_class(material.analysis.run)
    if there is None or not sets or len(there.number) == 1:
        return None
    lost = np.stack([one.lost for one in sets])
    columns = foremost(dict(enumerate(lost.max(axis=0).tolist())), MOST)
    chosen = foremost(dict(enumerate(lost[:, columns].max(axis=1).tolist())), rows_of(2 * len(columns)))
    shown, names = [sets[at] for at in chosen], _named(there, columns, material.classes)
    listed = rows.grouped([row for one in shown for row in _rows(one, there, names, material.names)])
    which = of_many(len(shown), len(sets), "models and sets that lose most in one class", ALL)
    metric = Metric(material.analysis.metric)
    return Plot(
        caption=which + _caption(shown, there, columns, metric),
        alt=_alt(listed, lost, len(sets), metric),
        chart=_chart(listed, list(names.values()), metric),
    )


def _named(there: Classes, columns: Sequence[int], known: Sequence[str]) -> dict[int, str]:
    """What the columns' classes are called: by name where that is known, else by number."""
    numbers = {column: int(there.number[column]) for column in columns}
    return apart({at: known[number] if 0 <= number < len(known) else f"{number}" for at, number in numbers.items()})


def _rows(one: ByClass, there: Classes, classes: Mapping[int, str], names: Names) -> list[Datum]:
    """A square a class. classes: what they are called, by column."""
    group, name = names.group(one.family.model, one.family.device), names.series(one.source, one.family.algorithm)
    return [
        {
            "group": group, "set": name, "row": rows.label(group, name), "class": called, "seeds": one.seeds,
            "images": int(there.images[column]), "drop": 100 * float(one.lost[column]),
            "text": _text(float(one.lost[column])),
        }
        for column, called in classes.items()
    ]  # fmt: skip


def _text(lost: float) -> str:
    """In points with one decimal: of a class's few images, one is more than the second."""
    return signed(f"{100 * lost:.1f}".replace("-0.0", "0.0"))


def _chart(listed: Sequence[Datum], names: Sequence[str], metric: Metric) -> alt.LayerChart:
    counted = "test images of the class" if metric.of_images else "objects of the class"
    tooltips = tooltip(
        ("group", "model"), ("set", "calibration"), ("class", "class"), ("drop", "mean drop, points", ".2f"),
        ("images", counted, ""), ("seeds", "seeds", ""),
    )  # fmt: skip
    y = rows.axis(rows.domain_of(listed), grid=False)
    return squares.heatmap(alt.Chart().encode(y=y, tooltip=tooltips), ("class", names), listed, COLUMN, STEP)


def _caption(shown: Sequence[ByClass], there: Classes, columns: Sequence[int], metric: Metric) -> str:
    seeds = [one.seeds for one in shown]
    mean = f", the mean over {span(seeds)} seeds of the set" if max(seeds) > 1 else ""
    images = [int(number) for number in there.images]
    which = (
        f"The {len(columns)} of {len(images):,} classes in which a set loses most. "
        if len(columns) < len(images)
        else ""
    )
    if not metric.of_images:
        return (
            f"{which}Of each class the FP32 IR's {metric.word} minus the quantized model's{metric.in_points}{mean}. "
            f"{squares.colours()} A class has {span(images)} objects in the test images: of few a loss is hardly more "
            "than chance, and among many classes some lose by chance."
        )
    one = span([100 / max(images), 100 / min(images)], "{:.2g}".format)
    unit = "point" if one == "1" else "points"
    return (
        f"{which}Of each class's test images the share that the FP32 IR gets right minus the quantized model's share, "
        f"in percentage points{mean}. {squares.colours()} A class has {span(images)} test images, so that one image is "
        f"{one} {unit}: intervals of single classes are wide, and among many classes some lose by chance."
    )


def _alt(listed: Sequence[Datum], lost: NDArray[np.float64], sets: int, metric: Metric) -> str:
    of = f"{count(lost.shape[1], 'class', 'classes')} by {count(sets, 'model and set', 'models and sets')}"
    worst = next(row for row in listed if row["drop"] == 100 * float(lost.max()))
    return (
        f"{metric.title} lost in {of}: the most is {worst['text']} points, in class {worst['class']} by "
        f"{worst['group']} with {worst['set']}."
    )
