"""What lies in a folder, at any depth. Knows names and links, opens no file."""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["file", "folder", "again", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What lies in a folder. name: relative to it, with slashes; of the folder itself ``.``.

    kind: of what a link leads to. ``again``: a folder that has another name, `of`, here; ``other``: a link that leads
    nowhere, a pipe, a socket, a device.
    """

    path: Path
    name: str
    kind: Kind
    of: str = ""


def entries(folder: Path) -> Iterator[Entry]:
    """The folder and all in it, level by level and by name. Hidden ones, whose names begin with a dot, are left out.

    Links are followed, but each folder is entered once, by the first of its names: so nothing goes round in circles.
    Raises OSError for a folder that cannot be read.
    """
    names, level = {_identity(folder): "."}, deque([(folder, "")])
    yield Entry(path=folder, name=".", kind="folder")
    while level:
        place, above = level.popleft()
        with os.scandir(place) as listed:
            inner = sorted((one for one in listed if not one.name.startswith(".")), key=lambda one: one.name)
        for one in inner:
            path, name, kind = Path(one.path), f"{above}{one.name}", _kind(one)
            of = names.setdefault(_identity(path), name) if kind == "folder" else name
            if of != name:
                yield Entry(path=path, name=name, kind="again", of=of)
                continue
            yield Entry(path=path, name=name, kind=kind)
            if kind == "folder":
                level.append((path, f"{name}/"))


def _kind(one: os.DirEntry[str]) -> Kind:
    try:
        return "file" if one.is_file() else "folder" if one.is_dir() else "other"
    except OSError:
        return "other"  # a link that leads to itself


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
