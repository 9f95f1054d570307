"""A table as text, the same on the terminal and in Markdown. Knows no records."""

from dataclasses import dataclass
from typing import Literal

from rich.console import Group
from rich.table import Table
from rich.text import Text

from farm.report.formats import as_markdown
from farm.report.numbers import NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's heading. group: over it, the quantity that it is of, with the columns beside it; may be empty.

    kind: ``name`` on the left, and folded where there is no room; ``number`` on the right; ``word`` on the left.
    """

    heading: str
    group: str = ""
    kind: Literal["name", "number", "word"] = "number"

    @property
    def whole(self) -> str:
        """The heading on one line: ``top-1 fractal``."""
        return f"{self.group} {self.heading}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What stands in one place of a table. text: for people. marks: before it. style: Rich's.

    value: for programs, exact and without marks; None where there is nothing.
    """

    text: str = NOTHING
    marks: str = ""
    style: str = ""
    value: float | str | None = None

    @property
    def marked(self) -> str:
        """The text with its marks."""
        return f"{self.marks} {self.text}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """Columns, rows of an entry a column, and below them what the marks mean and what else must be known."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    legend: tuple[str, ...] = ()

    def headings(self) -> list[str]:
        """One heading a column."""
        return [column.whole for column in self.columns]

    def drawn(self) -> Group:
        """For the terminal: each group once, over its first column."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        grouped = any(column.group for column in self.columns)
        before = ""
        for column in self.columns:
            over = f"{column.group if column.group != before else ''}\n" if grouped else ""
            before = column.group
            table.add_column(
                Text(f"{over}{column.heading}"),
                justify="right" if column.kind == "number" else "left",
                no_wrap=column.kind != "name",
                overflow="fold" if column.kind == "name" else "ellipsis",
            )
        for row in self.rows:
            table.add_row(*(Text(entry.marked, style=entry.style) for entry in row))
        return Group(table, *map(Text, self.legend))

    def markdown(self) -> str:
        """GitHub's table, without the legend."""
        numbers = {index for index, column in enumerate(self.columns) if column.kind == "number"}
        return as_markdown(self.headings(), [[entry.marked for entry in row] for row in self.rows], numbers)
