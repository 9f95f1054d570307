"""A text file that tells the class of each image: one a line, by its name. Knows names, no images."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from farm.data.classes import lines_of
from farm.errors import DataError

SEPARATORS = ",;\t "  # the first of them that the first line has
FILE_COLUMNS = ("file", "filename", "file_name", "image", "path", "name", "id")
LABEL_COLUMNS = ("label", "class", "category", "target")
COLUMNS = 2


def read(path: Path) -> dict[str, str]:
    """Image -> label, as the file writes them.

    A line has a file's name and its class, separated by a comma, a semicolon, a tab or a space; a first line of column
    names may say where they stand. Raises DataError for a line without them, or an image of two classes.
    """
    lines = [line for line in lines_of(path) if line]
    if not lines:
        raise DataError(f"{path}: no lines: give one an image, with its name and its class")
    labels: dict[str, str] = {}
    for number, (name, label) in enumerate(_pairs(path, lines), 1):
        if labels.setdefault(name, label) != label:
            raise DataError(f"{path}: {name!r} is of {labels[name]!r} and, in line {number}, of {label!r}: keep one")
    return labels


def _pairs(path: Path, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    separator = next((one for one in SEPARATORS if one in lines[0]), ",")
    columns = (0, 1)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        for number, row in enumerate(reader):
            words = [word.strip().lower() for word in row]
            if number == 0 and (named := _columns(words)):
                columns = named
                continue
            if len(row) <= max(columns) or not row[columns[0]].strip() or not row[columns[1]].strip():
                text = f"line {number + 1}, {lines[number][:80]!r}, has no name and class"
                raise DataError(f"{path}: {text}: write both, separated by {separator!r}")
            yield row[columns[0]].strip().removeprefix("./"), row[columns[1]].strip()
    except csv.Error as error:
        raise DataError(f"{path}: not a table of names and classes ({error})") from error


def _columns(words: Sequence[str]) -> tuple[int, int] | None:
    """Where a first line of column names says that names and classes stand; None if it is none."""
    file, label = (
        next((words.index(word) for word in known if word in words), None) for known in (FILE_COLUMNS, LABEL_COLUMNS)
    )
    return None if file is None or label is None or len(words) < COLUMNS else (file, label)
