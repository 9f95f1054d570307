"""Images in a folder, one file each. Owns which files count and what class they have; knows no model.

One subfolder a class, their sorted names numbered from 0; a source may also be one flat folder of images
without classes. Hidden files and folders are left out. Images are decoded when they are read.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from farm.errors import DataError
from farm.images.imageset import (
    UNLABELLED,
    Block,
    Files,
    ImageSet,
    Labels,
    Parameters,
    check_range,
    draw,
    first,
)
from farm.images.picture import check_size, decode

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
LOOKED_FOR = f"looked for {', '.join(EXTENSIONS)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Image files in order. labels: int64 (n,), -1 throughout a flat folder."""

    paths: tuple[Path, ...]
    labels: Labels
    size: tuple[int, int]
    classes: int | None

    def __len__(self) -> int:
        """How many image files there are."""
        return len(self.paths)

    def block(self, start: int, stop: int) -> Block:
        """The files start, ..., stop - 1. Raises DataError, with the file, for an unusable image."""
        check_range(start, stop, len(self))
        images = np.empty((stop - start, *self.size, 3), np.uint8)
        for place, path in zip(images, self.paths[start:stop], strict=True):
            pixels = decode(_content(path), str(path))
            check_size(pixels, self.size, str(path))
            place[:] = pixels
        return Block(images, self.labels[start:stop])


def dataset(parameters: Parameters, files: Files) -> ImageSet:
    """The first `count` images of ``files["images"]``, or all, class after class.

    Raises DataError if it is no folder with one subfolder a class, a subfolder has no images, or an
    image cannot be used.
    """
    folder = open_folder(files["images"])
    if folder.classes is None:
        text = f"{files['images']}: no subfolders: a dataset needs one subfolder a class, named after it"
        raise DataError(text)
    return first(folder, parameters["count"])


def source(parameters: Parameters, files: Files) -> ImageSet:
    """`count` images of ``files["images"]``, class by class where there are subfolders.

    Raises DataError as `dataset`, and if there are too few images.
    """
    folder = open_folder(files["images"])
    labels = None if folder.classes is None else folder.labels
    return draw(folder, labels, parameters["count"], parameters["seed"])


def open_folder(path: Path) -> Folder:
    """List the images and read the first. Raises DataError if there are none, or not where they should be."""
    if not path.is_dir():
        raise DataError(f"{path}: not a folder: give the folder that holds the images")
    subfolders = sorted(inner for inner in path.iterdir() if inner.is_dir() and not inner.name.startswith("."))
    loose = _pictures(path)
    if subfolders and loose:
        text = f"{path}: both subfolders and images ({loose[0].name}): move these into their class's subfolder"
        raise DataError(text)
    groups = [_pictures(inner) for inner in subfolders] or [loose]
    for folder, group in zip(subfolders or [path], groups, strict=True):
        if not group:
            raise DataError(f"{folder}: no images ({LOOKED_FOR}): add some, or remove the folder")
    paths = tuple(picture for group in groups for picture in group)
    numbers = np.arange(len(subfolders)) if subfolders else np.array([UNLABELLED])
    labels = np.repeat(numbers, [len(group) for group in groups]).astype(np.int64)
    size = decode(_content(paths[0]), str(paths[0])).shape[:2]
    return Folder(paths=paths, labels=labels, size=(size[0], size[1]), classes=len(subfolders) or None)


def _pictures(folder: Path) -> list[Path]:
    """The image files directly in a folder, sorted by name."""
    named = (inner for inner in folder.iterdir() if inner.suffix.lower() in EXTENSIONS)
    return sorted(inner for inner in named if inner.is_file() and not inner.name.startswith("."))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        text = f"{path}: cannot be read ({error.strerror}): check that it exists and may be read"
        raise DataError(text) from error
