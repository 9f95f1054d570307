"""Images in a folder, one file each, decoded when they are read. Owns which files count and what class they have.

One subfolder a class, their sorted names numbered from 0, with images at any depth; a source may also be one flat
folder without classes. Hidden files and folders are left out; other files that are no images are told of.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from farm.data import real
from farm.data.imageset import Arguments, Files, ImageSet
from farm.data.picture import EXTENSIONS, decode
from farm.data.sampling import some
from farm.data.setfolder import INVENTORY
from farm.errors import DataError
from farm.inputs.tree import Entry, entries

WHY = {"file": "", "again": " (the folder {} again)", "other": " (a link that leads nowhere, or no file)"}
LOOKED_FOR = "looked for .png, .jpg, .tif and whatever else Pillow reads"


def dataset(parameters: Arguments, files: Files) -> ImageSet:
    """`count` images of ``files["images"]``, class by class, or all. Raises DataError without classes."""
    pictures = open_folder(files["images"])
    if pictures.labels is None:
        raise DataError(f"{files['images']}: no subfolders: a dataset needs one subfolder a class, named after it")
    return real.dataset(pictures, parameters)


def source(parameters: Arguments, files: Files) -> ImageSet:
    """`count` images of ``files["images"]``, class by class where there are subfolders. Raises DataError if too few."""
    return real.source(open_folder(files["images"]), parameters)


def open_folder(path: Path) -> real.Pictures:
    """The image files in order; without labels in a flat folder. Raises DataError for what is missing or misplaced."""
    if not path.is_dir():
        raise DataError(f"{path}: not a folder: give the folder that holds the images")
    groups, others = _sorted(path)
    loose, names = groups.pop(""), tuple(sorted(groups))
    if names and loose:
        where = f"both subfolders and images ({loose[0].name})"
        raise DataError(f"{path}: {where}: move these into their class's subfolder")
    for name in names or ("",):
        if not groups.get(name, loose):
            raise DataError(f"{path / name}: no images ({LOOKED_FOR}): add some, or remove the folder")
    paths = tuple(file for name in names for file in groups[name]) or tuple(loose)
    labels = np.repeat(np.arange(len(names), dtype=np.int64), [len(groups[name]) for name in names])
    return real.Pictures(
        count=len(paths),
        read=partial(_read, paths),
        labels=labels if names else None,
        classes=len(names) or None,
        names=names,
        note=_left_out(others),
    )


def _sorted(path: Path) -> tuple[dict[str, list[Path]], list[Entry]]:
    """The image files by class, of each subfolder, and of none in ``""``; and what else lies there."""
    groups: dict[str, list[Entry]] = {}
    others = []
    for entry in _entries(path):
        top, _, below = entry.name.partition("/")
        if entry.kind == "file" and entry.path.suffix.lower() in EXTENSIONS:
            groups.setdefault(top if below else "", []).append(entry)
        elif entry.kind == "folder":
            groups.setdefault("" if top == "." else top, [])
        elif entry.name != INVENTORY:
            others.append(entry)
        if entry.kind == "again" and not below:
            groups.setdefault(top, [])
    order = {name: sorted(group, key=lambda entry: entry.name.rpartition("/")[::2]) for name, group in groups.items()}
    return {name: [entry.path for entry in group] for name, group in order.items()}, others


def _entries(path: Path) -> Iterator[Entry]:
    try:
        yield from entries(path)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}): check that it may be read") from error


def _left_out(others: list[Entry]) -> str:
    """What is not used, in words; empty if there is nothing."""
    names = (f"{one.name}{WHY[one.kind].format(one.of)}" for one in others)
    what = "1 file is" if len(others) == 1 else f"{len(others):,} files are"
    return f"{what} no image and left out: {some(names, len(others))}" if others else ""


def _read(paths: tuple[Path, ...], start: int, stop: int) -> Iterator[real.Picture]:
    for file in paths[start:stop]:
        yield real.Picture(decode(_content(file), str(file)), str(file))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): check that it exists and may be read") from error
