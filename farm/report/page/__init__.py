"""The page: one HTML file that answers before it shows, and needs no network. Knows runs, not where they come from."""

from farm.report.page.document import document
from farm.report.page.picture import Picture, pictures
from farm.report.page.section import Section, section

__all__ = ["Picture", "Section", "document", "pictures", "section"]
