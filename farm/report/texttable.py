"""A table as text, the same on the terminal and in Markdown. Knows no records."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from farm.report.formats import as_markdown
from farm.report.numbers import NOTHING

GAP = 2  # columns between two
Kind = Literal["name", "number", "word"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A column's heading. group: over it, the quantity that it is of, with the columns beside it; may be empty.

    kind: ``name`` on the left, and folded where there is no room; ``number`` on the right; ``word`` on the left.
    """

    text: str
    group: str = ""
    kind: Kind = "number"


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
    """Headings, rows of an entry a heading, and below them what the marks mean and what else must be known."""

    headings: tuple[Heading, ...]
    rows: tuple[tuple[Entry, ...], ...]
    legend: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """One heading a column, on one line: ``top-1 fractal``."""
        return [f"{heading.group} {heading.text}".strip() for heading in self.headings]

    def markdown(self) -> str:
        """GitHub's table, without the legend."""
        numbers = {index for index, heading in enumerate(self.headings) if heading.kind == "number"}
        return as_markdown(self.names(), [[entry.marked for entry in row] for row in self.rows], numbers)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType | Segment]:
        """For the terminal. Where all has room it is laid out here, which takes a twentieth of Rich's time."""
        lines = self._lines()
        widths = _widths(lines)
        if _total(widths) <= options.max_width and not any("\n" in text for line in lines for text, _ in line):
            for line in lines:
                yield from self._laid_out(line, widths, console)
        else:
            yield self._folded(lines)
        yield from map(Text, self.legend)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as it would be."""
        del console
        widest = max([_total(_widths(self._lines())), *map(cell_len, self.legend)])
        return Measurement(1, min(widest, options.max_width))

    def _heads(self) -> list[list[tuple[str, str]]]:
        """The lines of headings: each group once, over its first column."""
        before = ("", *(heading.group for heading in self.headings))
        after = zip(self.headings, before, strict=False)
        groups = [heading.group if heading.group != last else "" for heading, last in after]
        heads = [groups] if any(groups) else []
        return [[(text, "bold") for text in line] for line in (*heads, [heading.text for heading in self.headings])]

    def _lines(self) -> list[list[tuple[str, str]]]:
        """Texts with their styles, headings first; without control characters that move a terminal's cursor."""
        rows = [[(Text(entry.marked).plain, entry.style) for entry in row] for row in self.rows]
        return [*self._heads(), *rows]

    def _laid_out(self, line: list[tuple[str, str]], widths: list[int], console: Console) -> Iterator[Segment]:
        """One line of text; nothing follows its last word."""
        last = len(line) - 1
        for index, ((text, style), width, heading) in enumerate(zip(line, widths, self.headings, strict=True)):
            room = " " * (width - cell_len(text))
            right = heading.kind == "number"
            look = console.get_style(style) if style else None
            yield Segment(f"{room}{text}" if right else text, look)
            if index < last:
                yield Segment(("" if right else room) + " " * GAP)
        yield Segment.line()

    def _folded(self, lines: list[list[tuple[str, str]]]) -> Table:
        """Rich's table, which folds names where there is no room for them."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        heads = len(self._heads())
        for index, heading in enumerate(self.headings):
            table.add_column(
                Text("\n".join(line[index][0] for line in lines[:heads])),
                justify="right" if heading.kind == "number" else "left",
                no_wrap=heading.kind != "name",
                overflow="fold" if heading.kind == "name" else "ellipsis",
            )
        for line in lines[heads:]:
            table.add_row(*(Text(text, style=style) for text, style in line))
        return table


def _widths(lines: list[list[tuple[str, str]]]) -> list[int]:
    return [max(cell_len(text) for text, _ in column) for column in zip(*lines, strict=True)]


def _total(widths: list[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
