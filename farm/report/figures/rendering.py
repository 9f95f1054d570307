"""Figures as Vega-Lite specs, SVG, PNG and files. Needs no network and no browser."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import vl_convert

from farm.errors import InputError
from farm.report.figures.figure import Figure
from farm.report.figures.style import BESIDE, PARAMETERS, THEME, WIDTH
from farm.suggest import did_you_mean

SUFFIXES = ("svg", "png", "json")
SCALE = 2  # pixels of a PNG for each of the figure


def vega(figure: Figure) -> dict[str, Any]:
    r"""The Vega-Lite spec for a page: its data inside, no title, and as wide as its place where that works.

    It holds users' names: who puts it into HTML must escape ``<`` (as ``\u003c``).
    """
    spec: dict[str, Any] = figure.chart.to_dict()
    columns = {"columns": _abreast(spec)} if "facet" in spec else {}
    return {**spec, **columns, "params": PARAMETERS, "description": figure.alt, "config": THEME}


def _abreast(spec: dict[str, Any]) -> dict[str, str]:
    """As many panels abreast as there is room for; of a figure that is no part of a page, as many as its chart says.

    Vega-Lite's schema wants a number; what it hands on to Vega may be a signal, where each panel has its own axes.
    """
    panel = spec["spec"]["width"] + BESIDE
    room = "containerSize()[0]"
    return {"signal": f"isFinite({room}) ? max(1, floor({room} / {panel})) : {spec['columns']}"}


def still(figure: Figure) -> dict[str, Any]:
    """The spec of a figure that stands alone: with its title, and of a width of its own."""
    own, spec = figure.chart.to_dict(), {**vega(figure), "title": figure.title}
    spec |= {name: own[name] for name in ("columns",) if name in own}
    return {**spec, "width": WIDTH} if spec.get("width") == "container" else spec


def svg(figure: Figure) -> str:
    """The figure as an SVG document."""
    return str(vl_convert.vegalite_to_svg(still(figure), allowed_base_urls=[]))


def png(figure: Figure) -> bytes:
    """The figure as a PNG, two pixels for each of the SVG's."""
    return bytes(vl_convert.vegalite_to_png(still(figure), scale=SCALE, allowed_base_urls=[]))


def write(figures: Sequence[Figure], folder: Path, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """Write each figure as NAME.svg, NAME.png and NAME.json (the spec), and say which files.

    folder: made where it is not there. suffixes: which of the three. Raises InputError for any other.
    """
    for suffix in suffixes:
        if suffix not in SUFFIXES:
            raise InputError(f"no figures as {suffix!r}{did_you_mean(suffix, SUFFIXES)}")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in figures:
        for suffix in suffixes:
            path = folder / f"{figure.name}.{suffix}"
            path.write_bytes(_content(figure, suffix))
            written.append(path)
    return written


def _content(figure: Figure, suffix: str) -> bytes:
    if suffix == "png":
        return png(figure)
    return (svg(figure) if suffix == "svg" else json.dumps(still(figure), ensure_ascii=False, indent=1)).encode()
