"""Images in a folder, one file each, decoded when they are read. Owns which files count and what class they have.

One subfolder a class, their sorted names numbered from 0; a source may also be one flat folder without classes. Hidden
files and folders are left out.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from farm.data import real
from farm.data.imageset import Arguments, Files, ImageSet
from farm.data.picture import decode
from farm.errors import DataError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
LOOKED_FOR = f"looked for {', '.join(EXTENSIONS)}"


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
    groups, flat = _groups(path)
    paths = tuple(file for group in groups for file in group)

    def read(start: int, stop: int) -> Iterator[real.Picture]:
        for file in paths[start:stop]:
            yield real.Picture(decode(_content(file), str(file)), str(file))

    labels = None if flat else np.repeat(np.arange(len(groups), dtype=np.int64), [len(group) for group in groups])
    return real.Pictures(count=len(paths), read=read, labels=labels, classes=None if flat else len(groups))


def _groups(path: Path) -> tuple[list[list[Path]], bool]:
    """The image files of each class, and whether there are none but those of the flat folder."""
    if not path.is_dir():
        raise DataError(f"{path}: not a folder: give the folder that holds the images")
    subfolders = sorted(inner for inner in path.iterdir() if inner.is_dir() and not inner.name.startswith("."))
    loose = _image_files(path)
    if subfolders and loose:
        where = f"both subfolders and images ({loose[0].name})"
        raise DataError(f"{path}: {where}: move these into their class's subfolder")
    groups = {folder: _image_files(folder) for folder in subfolders} or {path: loose}
    for folder, group in groups.items():
        if not group:
            raise DataError(f"{folder}: no images ({LOOKED_FOR}): add some, or remove the folder")
    return list(groups.values()), not subfolders


def _image_files(folder: Path) -> list[Path]:
    named = (inner for inner in folder.iterdir() if inner.suffix.lower() in EXTENSIONS)
    return sorted(inner for inner in named if inner.is_file() and not inner.name.startswith("."))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): check that it exists and may be read") from error
