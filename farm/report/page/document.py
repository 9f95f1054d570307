"""Sections as one HTML file. All that a user named is escaped; scripts and styles run only if the policy lists them.

Vega turns expressions into functions at run time, which would need 'unsafe-eval'; with vega-embed's `ast: true` its
interpreter walks them instead, so the page's Content-Security-Policy does without.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from farm import __version__
from farm.report import seeds
from farm.report.page.facts import HOST_COLUMNS
from farm.report.page.picture import Picture
from farm.report.page.section import Section
from farm.shown import visible

FIRST = 500  # cells of a table that stand in the page itself; the script shows more as they are scrolled to
GLOBALS = "window.vegaEmbed = vegaEmbed;"  # what the page's own script calls


def document(sections: Sequence[Section], *, lively: bool = True) -> str:
    """The page of one or several runs, whole.

    lively: figures with tooltips and a filter, which takes Vega's code into the page; else they are pictures.
    """
    vega = lively and any(section.pictures for section in sections)
    script = _inline(f"{_vega()}\n" if vega else "") + _inline(_own("page.js"))
    style = _own("page.css")
    environment = Environment(
        autoescape=True, finalize=_seen, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["address"] = address
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # of a tooltip, the order of fields is shown
    template = environment.from_string(_own("page.html.j2"))
    return template.render(
        sections=sections,
        lively=lively,
        title=f"{', '.join(section.name for section in sections)}: what int8 costs and buys",
        policy=policy(script, style),
        script=Markup(script),  # noqa: S704 - farm's own and Vega's, never a user's
        style=Markup(style),  # noqa: S704 - farm's own
        version=__version__,
        host_columns=HOST_COLUMNS,
        seeds=seeds,
        first=FIRST,
    )


def _seen(value: object) -> object:
    """What the page puts in a place: a user's text without marks that change what is read."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def policy(script: str, style: str) -> str:
    """What the browser may run and fetch: this script, this style, pictures that are inside the page."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def address(picture: Picture) -> str:
    """A picture as the address of an image, in which no script runs whatever its names are."""
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.svg.encode()).decode()}"


def _own(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _vega() -> str:
    """Vega's code for the page; the same each time, and bundling it takes seconds."""
    return str(vl_convert.javascript_bundle(GLOBALS))


def _inline(script: str) -> str:
    """A script that no HTML parser takes to end early, the same to JavaScript."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
