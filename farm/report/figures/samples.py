"""What the calibration sets look like: the first images of each."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
from PIL import Image

from farm.report.figures.figure import Material, Plot
from farm.report.figures.style import Datum, by_width, data, tooltip
from farm.report.numbers import count, listed

ACROSS = 14  # images of a set, at most
FEWEST = 4
TILE = 44  # pixels
STORED = 64  # pixels of an image's longer side, at most, in the figure's data
MOST_BYTES = 300_000  # of all images together, as they are written into the page
MOST_SETS = 24
NAMED = 6  # of them, in the sentence for readers who cannot see them
TOOLTIP = tooltip(("set", "set"), ("index", "image", ""), ("label", "class", ""))


def samples(material: Material) -> Plot | None:
    """A row a set, of one seed each; as many images as fit into the figure's bytes."""
    sets = _sets(material)
    if not sets:
        return None
    names = list(sets)[:MOST_SETS]
    stored = {name: [_stored(row) for row in sets[name][:ACROSS]] for name in names}
    across = _across(stored)
    rows = [
        {"set": name, "place": place, **image}
        for name, images in stored.items()
        for place, image in enumerate(images[:across])
    ]
    more = f" The first {MOST_SETS} of {len(sets)} sets." if len(sets) > MOST_SETS else ""
    return Plot(
        caption=f"The first images of each calibration set, a row a set; of several seeds, the first.{more}",
        alt=f"The first {count(len(rows), 'image')} of {count(len(names), 'calibration set')}: {listed(names, NAMED)}.",
        chart=_chart(rows, names),
    )


def _sets(material: Material) -> dict[str, list[Mapping[str, Any]]]:
    """Rows by set, of each source its first seed."""
    source = {record.calibration: record.calibration_source for record in material.analysis.run.records}
    first: dict[str, str] = {}
    sets: dict[str, list[Mapping[str, Any]]] = {}
    for row in material.samples:
        name = str(row["calibration"])
        if first.setdefault(source.get(name) or name, name) == name:
            sets.setdefault(material.names.calibration(name), []).append(row)
    return sets


def _stored(row: Mapping[str, Any]) -> Datum:
    """A sample with its image as a data URL, made smaller where it is large."""
    content = bytes(row["png"])
    image = Image.open(io.BytesIO(content))
    if max(image.size) > STORED:
        image.thumbnail((STORED, STORED), Image.Resampling.LANCZOS)
        sink = io.BytesIO()
        image.save(sink, format="PNG", optimize=True)
        content = sink.getvalue()
    url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return {"url": url, "index": row["index"], "label": row["label"]}


def _across(stored: Mapping[str, Sequence[Datum]]) -> int:
    """How many images of each set fit, all sets the same."""
    sizes = [[len(str(row["url"])) for row in rows] for rows in stored.values()]
    fits = [most for most in range(FEWEST, ACROSS + 1) if sum(sum(row[:most]) for row in sizes) <= MOST_BYTES]
    return max(fits, default=FEWEST)


def _chart(rows: Sequence[Datum], names: Sequence[str]) -> alt.Chart:
    look = alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=by_width(100, 220))
    x = alt.X("place:O", title=None, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    images = alt.Chart(data(rows)).mark_image(width=TILE - 4, height=TILE - 4, smooth=False)
    images = images.encode(x=x, y=alt.Y("set:N", title=None, sort=list(names), axis=look), url="url:N", tooltip=TOOLTIP)
    step = alt.Step(TILE)
    chart: alt.Chart = images.properties(width=step, height=step, view=alt.ViewConfig(stroke=None))
    return chart
