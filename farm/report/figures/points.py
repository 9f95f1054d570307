"""Points of measurements: filled where the verdict is valid, hollow where it is not. Knows no records."""

from collections.abc import Iterable

import altair as alt

from farm.report.figures.style import Spec, legend

UNJUDGED = "not judged"  # in place of a verdict
SIZE, SMALL = 70, 36  # square pixels of a mark
CROWDED = 40  # marks, from which on they are small
HOLLOW = {
    "noisy": (
        "A hollow mark is a noisy measurement: its interval is wider than was asked for, "
        "or too few undisturbed pairs were measured."
    ),
    UNJUDGED: "A hollow mark is a measurement that nobody judged.",
}


def measured(
    base: alt.Chart, name: alt.Scale, shape: alt.Scale, title: str | None, by: str, count: int
) -> tuple[alt.Chart, alt.Chart]:
    """Two layers: white below, so that nothing shows through a hollow mark, and the points.

    base: has x and y. name, shape: scales of the field `by`, with its title. count: of points.
    The data has a `verdict`.
    """
    size = SIZE if count < CROWDED else SMALL
    look: Spec = {"title": title, "legend": legend(shape.to_dict()["domain"])}
    shaped = base.encode(shape=alt.Shape(f"{by}:N", scale=shape, **look))
    below = shaped.mark_point(size=size, fill="white", stroke="white", opacity=1, aria=False)
    above = shaped.mark_point(size=size, strokeWidth=1.6, opacity=1).encode(
        fill=alt.Fill(f"{by}:N", scale=name, **look),
        stroke=alt.Stroke(f"{by}:N", scale=name, **look),
        fillOpacity=alt.condition("datum.verdict === 'valid'", alt.value(1), alt.value(0)),
    )
    return below, above


def heading(verdicts: Iterable[str]) -> str | None:
    """What a legend's heading says of hollow marks, where there are any."""
    there = {*verdicts}
    words = [verdict for verdict in HOLLOW if verdict in there]
    return f"hollow: {' or '.join(words)}" if words else None


def caption(verdicts: Iterable[str]) -> str:
    """What a caption says of hollow marks, after a space, where there are any."""
    there = {*verdicts}
    return "".join(f" {sentence}" for verdict, sentence in HOLLOW.items() if verdict in there)
