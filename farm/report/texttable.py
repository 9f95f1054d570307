"""A table as text, the same on the terminal and in Markdown. Knows no records.

Where it has no room, numbers are never cut short: columns go whole, the least needed first; then names fold; then the
other columns go, the last first. A line says which are gone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.text import Text

from farm.errors import InputError
from farm.report.formats import as_markdown
from farm.report.numbers import NOTHING, listed
from farm.shown import shortened, visible
from farm.suggest import did_you_mean

GAP = 2  # columns between two
MOST_LETTERS = 400  # of a name
NARROWEST = 8  # of a name that is folded
MOST_GONE = 9  # columns that are named where there is no room for them
PARTS, PIECES = re.compile(r"(?<=[ /])|(?=\{)"), re.compile(r"(?<=[,=])")  # of a name, between which it is folded
Kind = Literal["name", "number", "word"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A column's heading. group: over it, the quantity that it is of, with the columns beside it; may be empty.

    kind: ``name`` on the left, and folded where there is no room; ``number`` on the right; ``word`` on the left.
    name: for programs, where that is another. rank: where there is no room, the greatest goes first, before names fold;
    0 after that.
    """

    text: str
    group: str = ""
    kind: Kind = "number"
    name: str = ""
    rank: int = 0

    @property
    def full(self) -> str:
        """On one line: ``top-1 fractal``."""
        return f"{self.group} {self.text}".strip()


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
    """Headings, rows of an entry a heading, and below them what the marks mean and what else must be known.

    more: what to type to see columns that have no room.
    """

    headings: tuple[Heading, ...]
    rows: tuple[tuple[Entry, ...], ...]
    legend: tuple[str, ...] = ()
    more: str = "--wide shows all, --columns chooses"

    def names(self) -> list[str]:
        """One heading a column, on one line."""
        return [heading.full for heading in self.headings]

    def markdown(self) -> str:
        """GitHub's table, without the legend."""
        numbers = {index for index, heading in enumerate(self.headings) if heading.kind == "number"}
        return as_markdown(self.names(), [[entry.marked for entry in row] for row in self.rows], numbers)

    def only(self, names: Sequence[str]) -> "TextTable":
        """The columns of names, and of the others those named here, in this order: names fold before the last one goes.

        A heading's text or its name for programs means it; the legend says which are not there.
        """
        chosen = [index for index, heading in enumerate(self.headings) if heading.kind == "name"]
        for name in names:
            chosen += [i for i, one in enumerate(self.headings) if name in (one.full, one.name) and i not in chosen]
        table = self._columns(chosen)
        headings = tuple(replace(heading, rank=0) for heading in table.headings)
        missing = [name for name in names if not any(name in (one.full, one.name) for one in self.headings)]
        legend = (f"nothing to show of {listed(missing)}",) if missing else ()
        return replace(table, headings=headings, legend=(*self.legend, *legend))

    def fitted(self, width: int) -> "TextTable":
        """As many columns as have room; a last line of the legend says which have not.

        Those with a rank have it beside whole names, the others beside folded ones; of these, names go last.
        """
        here = list(range(len(self.headings)))
        ranked = sorted((i for i in here if self.headings[i].rank), key=lambda i: self.headings[i].rank)
        others = sorted((i for i in here if not self.headings[i].rank), key=lambda i: self.headings[i].kind != "name")
        for going, bounds in ((ranked, self._bounds()), (others, self._bounds(folded=True))):
            while going and len(here) > 1 and _total([bounds[index][0] for index in here]) > width:
                here.remove(going.pop())
        if len(here) == len(self.headings):
            return self
        fitting, gone = self._columns(here), [one for i, one in enumerate(self.headings) if i not in here]
        groups = {one.group for one in fitting.headings}
        names = dict.fromkeys(one.full if one.group in groups else one.group for one in gone)
        line = f"no room for {listed([*names], MOST_GONE)}: {self.more}"
        return replace(fitting, legend=(*self.legend, line))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType | Segment]:
        """For the terminal: what has room there. Rich's own table would take twenty times as long."""
        fitted = self.fitted(options.max_width)
        if fitted is not self:
            yield fitted
            return
        widths = self._widths(options.max_width)
        for line in self._lines():
            yield from self._laid_out(line, widths, console)
        yield from map(Text, self.legend)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as it would be."""
        del console
        widest = max([_total([high for _, high in self._bounds()]), *map(cell_len, self.legend)])
        return Measurement(1, min(widest, options.max_width))

    def _columns(self, chosen: Sequence[int]) -> "TextTable":
        """These of its columns, in this order."""
        rows = tuple(tuple(row[index] for index in chosen) for row in self.rows)
        return replace(self, headings=tuple(self.headings[index] for index in chosen), rows=rows)

    def _heads(self) -> list[list[tuple[str, str]]]:
        """The lines of headings: each group once, over its first column."""
        before = ("", *(heading.group for heading in self.headings))
        after = zip(self.headings, before, strict=False)
        groups = [heading.group if heading.group != last else "" for heading, last in after]
        heads = [groups] if any(groups) else []
        return [[(text, "bold") for text in line] for line in (*heads, [heading.text for heading in self.headings])]

    def _lines(self) -> list[list[tuple[str, str]]]:
        """Texts with their styles, headings first; without control characters that move a terminal's cursor."""
        rows = [[(_plain(entry.marked), entry.style) for entry in row] for row in self.rows]
        return [*self._heads(), *rows]

    def _bounds(self, *, folded: bool = False) -> list[tuple[int, int]]:
        """Of each column how wide it must be, with names folded or not, and how wide it is with nothing folded.

        What stands under a group are names over numbers, which may fold.
        """
        columns = list(zip(*self._lines(), strict=True))
        widths = [max(cell_len(text) for text, _ in column) for column in columns]
        heads = len(self._heads())
        least = [
            max([*(cell_len(text) for text, _ in column[heads:]), *map(cell_len, _pieces(heading.text, 0))])
            if heading.group
            else width
            for heading, column, width in zip(self.headings, columns, widths, strict=True)
        ]
        if folded:
            kinds = [heading.kind for heading in self.headings]
            least = [min(low, NARROWEST) if kind == "name" else low for kind, low in zip(kinds, least, strict=True)]
        return list(zip(least, widths, strict=True))

    def _widths(self, room: int) -> list[int]:
        """Of each column, the widest folded first where there is no room for all; of names only where they must."""
        bounds = self._bounds()
        if _total([least for least, _ in bounds]) > room:
            bounds = self._bounds(folded=True)
        widths = [most for _, most in bounds]
        for level in range(max(widths, default=0), 0, -1):
            if _total(widths) <= room:
                break
            widths = [max(least, min(most, level)) for least, most in bounds]
        return widths

    def _laid_out(self, line: list[tuple[str, str]], widths: list[int], console: Console) -> Iterator[Segment]:
        """One row, in as many lines of text as its names fold to; nothing follows a line's last word."""
        columns = [_folded(text, width) for (text, _), width in zip(line, widths, strict=True)]
        for texts in zip_longest(*columns, fillvalue=""):
            last = max((index for index, text in enumerate(texts) if text), default=0)
            for index, (text, width) in enumerate(zip(texts[: last + 1], widths, strict=False)):
                room = " " * (width - cell_len(text))
                right, style = self.headings[index].kind == "number", line[index][1]
                yield Segment(f"{room}{text}" if right else text, console.get_style(style) if style else None)
                if index < last:
                    yield Segment(("" if right else room) + " " * GAP)
            yield Segment.line()


def named(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """The columns that ``--columns`` names, with commas between them. Raises InputError for none or an unknown one."""
    names = tuple(filter(None, map(str.strip, text.split(","))))
    if text and not names:
        raise InputError(f"--columns {text!r} names no column")
    for name in names:
        if name not in known:
            raise InputError(f"--columns {name}: no such column{did_you_mean(name, known)}")
    return names


def _folded(text: str, width: int) -> list[str]:
    """A text in lines of this width, broken between the parts of a name where that can be.

    >>> _folded("int8 accuracy-aware{budget_s=900.0}", 20)
    ['int8 accuracy-aware', '{budget_s=900.0}']
    """
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    for piece in _pieces(text, width):
        word = piece.rstrip()
        if cell_len((lines[-1] + word).rstrip()) > width:
            lines += chop_cells(word, width)
            lines[-1] += piece[len(word) :]
        else:
            lines[-1] += piece
    return [line.strip() for line in lines if line.strip()]


def _pieces(text: str, width: int) -> list[str]:
    """The parts of a name; in smaller pieces, where they are wider than this."""
    parts = [[part] if cell_len(part) <= width else PIECES.split(part) for part in PARTS.split(text)]
    return [piece for part in parts for piece in part]


def _plain(text: str) -> str:
    """In one line, without what Rich or a terminal would take for a command."""
    return shortened(text if text.isprintable() else visible(" ".join(text.splitlines())), MOST_LETTERS)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
