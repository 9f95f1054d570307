"""What an SVG really shows: its texts and its marks, parsed as XML."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from farm.report.figures import Figure, svg

_TREES: dict[int, tuple[Figure, ET.Element]] = {}  # by identity: a figure keeps its own
SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One mark: what it says of itself, and how it looks."""

    said: str
    look: dict[str, str]

    def number(self, name: str) -> float:
        """The number behind a name in what the mark says."""
        found = dict(part.split(": ", 1) for part in self.said.split("; ") if ": " in part)
        return float(found[name].replace("\N{MINUS SIGN}", "-").replace(",", "").removesuffix("%"))


def tree(figure: Figure) -> ET.Element:
    """The figure's SVG as XML; rendered once, for it takes a second."""
    if id(figure) not in _TREES:
        _TREES[id(figure)] = (figure, ET.fromstring(svg(figure)))  # noqa: S314 - our own SVG
    return _TREES[id(figure)][1]


def texts(figure: Figure) -> list[str]:
    """Every text in it, lines and all."""
    found = ["\n".join(each.itertext()) for each in tree(figure).iter(f"{SVG}text")]
    return [text for text in found if text]


def marks(figure: Figure, kind: str) -> list[Mark]:
    """The data's marks of a kind (symbol, rule, rect, text, line, area, image), those that say nothing left out."""
    groups = [each for each in tree(figure).iter(f"{SVG}g") if _has(each, kind)]
    paths = [path for group in groups for path in group if path.get("aria-label")]
    return [Mark(said=path.get("aria-label", ""), look=dict(path.attrib)) for path in paths]


def _has(element: ET.Element, kind: str) -> bool:
    names = element.get("class", "").split()
    return f"mark-{kind}" in names and "role-mark" in names
