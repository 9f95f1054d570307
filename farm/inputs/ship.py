"""A local input as one file, and taken out of it on another host. Knows paths and content, not how it travels."""

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from farm.errors import DataError
from farm.files import new_folder
from farm.inputs.content import HashMemo
from farm.inputs.here import astray, place
from farm.inputs.locate import CODE, Input
from farm.inputs.tree import Entry, entries

MOST_BYTES = 100 << 20  # of one input
NOWHERE = "nowhere"  # where links lead to that led nowhere


class TooLargeError(DataError):
    """An input that is too large to be shipped."""


def packed(file: Input) -> bytes:
    """Its files, folders and links, under their names. Raises TooLargeError, and OSError of what cannot be read.

    What is packed is what its content is made of: of code the modules alone, of a folder nothing hidden.
    """
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", dereference=True) as tar:
        for entry in _entries(file):
            size = entry.path.stat().st_size if entry.kind == "file" else 0
            if sink.tell() + size > MOST_BYTES:
                raise TooLargeError(f"{place(file)} is larger than {MOST_BYTES >> 20} MiB")
            if entry.kind == "file":
                tar.add(entry.path, entry.name)
            else:
                tar.addfile(_member(entry))
    return sink.getvalue()


def unpacked(file: Input, content: bytes, cache: Path) -> Input:
    """The input as it lies on this host now: in a folder of the cache, once. content: as it was `packed`.

    Raises DataError if that is damaged.
    """
    target = cache / "shipped" / file.sha256
    if target.exists() and astray(_there(file, target), HashMemo(None)):  # swept in part, or of another's making
        shutil.rmtree(target)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(target) as new:
            new.mkdir(mode=0o700)
            try:
                with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                    tar.extractall(new, filter="data")
            except tarfile.TarError as error:
                raise DataError(f"{place(file)}, as it was shipped, is damaged: {error}; run it again") from error
    return _there(file, target)


def _there(file: Input, target: Path) -> Input:
    """The input as it lies in a folder into which it was unpacked."""
    paths = [str(target / name) for _, name in _tops(file)]
    if file.code:
        return replace(file, path=str(target), beside=tuple(paths))
    return replace(file, path=paths[0], beside=tuple(paths[1:]))


def _tops(file: Input) -> Iterator[tuple[Path, str]]:
    """What it consists of, each with its name."""
    main = Path(place(file))
    yield main, main.name
    for other in () if file.code else file.beside:
        yield Path(other), os.path.relpath(other, main.parent)


def _entries(file: Input) -> Iterator[Entry]:
    """All that is in it, under their names in the whole."""
    for path, name in _tops(file):
        if path.is_file():
            yield Entry(path=path, name=name, kind="file")
            continue
        for entry in entries(path):
            if file.code and not (entry.kind == "folder" or (entry.kind == "file" and entry.path.suffix in CODE)):
                continue
            yield replace(entry, name=os.path.normpath(f"{name}/{entry.name}"))


def _member(entry: Entry) -> tarfile.TarInfo:
    """A folder, or a link to one that has another name, or to nowhere."""
    member = tarfile.TarInfo(entry.name)
    if entry.kind == "folder":
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        return member
    member.type = tarfile.SYMTYPE
    top = entry.name.partition("/")[0]
    target = os.path.normpath(f"{top}/{entry.of}")
    member.linkname = os.path.relpath(target, Path(entry.name).parent) if entry.kind == "again" else NOWHERE
    return member
