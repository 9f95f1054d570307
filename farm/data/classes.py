"""The user's own order of classes: which number each has. Knows names and labels, no images."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import yaml

from farm.data.imageset import Arguments, Files
from farm.data.real import Picture, Pictures
from farm.data.sampling import some
from farm.errors import DataError


def order(parameters: Arguments, files: Files) -> tuple[str, ...]:
    """The classes by their numbers, from the grid or a file; empty where the user says nothing. Raises DataError."""
    path = files.get("classes")
    if path is None:
        return tuple(parameters.get("classes") or ())
    names = _in_yaml(path) if path.suffix in (".yaml", ".yml") else tuple(line for line in lines_of(path) if line)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or not names:
        text = f"{twice[0]!r} stands twice" if twice else "no names"
        raise DataError(f"{path}: {text}: give a file with a class a line, each once")
    return names


def _in_yaml(path: Path) -> tuple[str, ...]:
    """The names of a YAML file as YOLO's have them: under `names`, a list, or a mapping of numbers from 0 up."""
    try:
        document = yaml.safe_load(text_of(path))
    except yaml.YAMLError as error:
        raise DataError(f"{path}: no YAML ({str(error).splitlines()[0]}): give a file with a class a line") from error
    names = document.get("names") if isinstance(document, dict) else document
    if isinstance(names, dict):
        if names.keys() != {*range(len(names))}:
            raise DataError(f"{path}: `names` must number the classes from 0 up, without a gap")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not all(isinstance(name, str | int) for name in names):
        raise DataError(f"{path}: no `names`, a list or a mapping of numbers to names")
    return tuple(map(str, names))


def lines_of(path: Path) -> list[str]:
    """A text file's lines, without the space around them. Raises DataError as `text_of`."""
    return [line.strip() for line in text_of(path).split("\n")]


def text_of(path: Path) -> str:
    """A text file's content. Raises DataError if it cannot be read, or is no UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: no text in UTF-8 ({error.reason}): save it as such") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): check that it exists and may be read") from error


def in_order(pictures: Pictures, names: Sequence[str]) -> Pictures:
    """The pictures with labels by these names, or as they are where there are none.

    A picture's class is called as in ``pictures.names``, or else by its number. Raises DataError, at once or when a
    picture is read, for a class that is not among the names.
    """
    if not names or tuple(names) == pictures.names:
        return pictures
    numbers = {name: number for number, name in enumerate(names)}

    def number(label: int) -> int:
        name = pictures.names[label] if 0 <= label < len(pictures.names) else str(label)
        if name not in numbers:
            listed = some(map(repr, names), len(names))
            raise DataError(f"class {name!r} is not in `classes`, which has {listed}: name all classes there")
        return numbers[name]

    labels = pictures.labels
    if labels is not None:
        there, at = np.unique(labels, return_inverse=True)
        labels = np.array([number(label) for label in there.tolist()], np.int64)[at]
    read = partial(_read, pictures, number)
    return replace(pictures, read=read, labels=labels, classes=len(names), names=tuple(names))


def _read(pictures: Pictures, number: Callable[[int], int], start: int, stop: int) -> Iterator[Picture]:
    for picture in pictures.read(start, stop):
        yield picture if picture.label is None else picture._replace(label=number(picture.label))
