"""A text file that tells the class of each image: one a line, by its name. Knows names, no images."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from farm.data.classes import lines_of
from farm.data.imageset import Labels
from farm.errors import DataError

SEPARATORS = ",;\t "  # the first of them that the first line has
FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_id", "img", "path", "name", "id")
LABEL_COLUMNS = ("label", "class", "category", "target")
COLUMNS = 2
PLAIN, NUMBER = re.compile(r"[0-9]{1,9}"), re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:e[-+]?[0-9]+)?", re.IGNORECASE)


def read(path: Path) -> dict[str, str]:
    """Image -> label, as the file writes them.

    A line has a file's name and its class, separated by a comma, a semicolon, a tab or a space; a first line of column
    names may say where they stand. Raises DataError for a line without them, or an image of two classes.
    """
    lines = {number: line for number, line in enumerate(lines_of(path), 1) if line}
    if not lines:
        raise DataError(f"{path}: no lines: give one an image, with its name and its class")
    labels: dict[str, str] = {}
    for number, name, label in _named(path, lines):
        if labels.setdefault(name, label) != label:
            raise DataError(f"{path}: {name!r} is of {labels[name]!r} and, in line {number}, of {label!r}: keep one")
    if not labels:
        raise DataError(f"{path}: no lines but the names of columns: give one an image, with its name and its class")
    return labels


def numbered(path: Path, words: Sequence[str]) -> tuple[Labels, tuple[str, ...]]:
    """Labels as numbers, int64 (n,), and the names of these numbers: none where the file gives numbers itself.

    Names are numbered in their order. Raises DataError for numbers that are none of a class.
    """
    if all(map(PLAIN.fullmatch, words)):
        return np.array(list(map(int, words)), np.int64), ()
    if any(map(NUMBER.fullmatch, words)):
        odd = next(word for word in words if not PLAIN.fullmatch(word))
        raise DataError(f"{path}: the label {odd!r} is no number of a class: number the classes from 0 up, or name all")
    names = sorted(set(words))
    places = {name: number for number, name in enumerate(names)}
    return np.array([places[word] for word in words], np.int64), tuple(names)


def _named(path: Path, lines: Mapping[int, str]) -> Iterator[tuple[int, str, str]]:
    """The number of a line, and the name and the label in it."""
    first = next(iter(lines.values()))
    separator = next((one for one in SEPARATORS if one in first), ",")
    head = _fields(path, first, separator)
    columns = _columns(head)
    count, (file, label) = (len(head), columns) if columns else (COLUMNS, (0, 1))
    for number, line in lines.items():
        fields = _fields(path, line, separator)
        if columns and line is first:
            continue
        if len(fields) != count or not fields[file] or not fields[label]:
            wanted = "a name and a class" if count == COLUMNS else f"{count} fields as the first line"
            text = f"line {number}, {line[:80]!r}, has not {wanted}, separated by {separator!r}"
            raise DataError(f"{path}: {text}: write it so, or name the columns in the first line: file, label")
        yield number, fields[file].removeprefix("./"), fields[label]


def _fields(path: Path, line: str, separator: str) -> list[str]:
    try:
        (row,) = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise DataError(f"{path}: {line[:80]!r} is no line of names and classes ({error}): mend it") from error
    return [field.strip() for field in row]


def _columns(fields: Sequence[str]) -> tuple[int, int] | None:
    """Where a first line of column names says that names and classes stand; None if it is none."""
    words = [field.lower() for field in fields]
    file, label = (
        next((words.index(word) for word in known if word in words), None) for known in (FILE_COLUMNS, LABEL_COLUMNS)
    )
    return None if file is None or label is None or len(words) < COLUMNS else (file, label)
