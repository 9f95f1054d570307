"""The page: one HTML file that answers before it shows, and needs no network. Knows runs, not where they come from."""

from farm.report.page.document import document
from farm.report.page.drawing import Drawing, drawings
from farm.report.page.section import Section, section

__all__ = ["Drawing", "Section", "document", "drawings", "section"]
