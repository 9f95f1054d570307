"""A figure as the page takes it: the live specification, and a static picture for browsers without scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert

from farm.record import Record
from farm.report import figures
from farm.report.figures.names import names_of

STILL_WIDTH = 800  # pixels of a picture that is as wide as its page
ROOM = {"left": 40, "right": 48, "top": 12, "bottom": 12}  # for texts in a wider font than they were measured in


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure as the page takes it. spec: Vega-Lite with its data. svg: the same where no script runs."""

    figure: figures.Figure
    spec: Mapping[str, Any]
    svg: str

    @property
    def photographs(self) -> bool:
        """Whether it shows images, whose light stays as it is in the dark."""
        return "<image" in self.svg


def pictures(of: Sequence[figures.Figure]) -> tuple[Picture, ...]:
    """A run's figures (`farm.report.figures`) as pictures."""
    made = []
    for figure in of:
        spec = figures.vega(figure)
        still = {**spec, "padding": ROOM} | ({"width": STILL_WIDTH} if spec.get("width") == "container" else {})
        svg = str(vl_convert.vegalite_to_svg(still, allowed_base_urls=[]))
        made.append(Picture(figure=figure, spec=spec, svg=svg))
    return tuple(made)


def models_of(records: Sequence[Record]) -> dict[str, str]:
    """By what a figure's rows call a model or a group: the model's name in the table."""
    names = names_of(records)
    models: dict[str, str] = {}
    for record in records:
        groups = (names.group(record.model, record.device), names.measured(record))
        models |= dict.fromkeys((names.model(record.model), *groups), record.model)
    return models
