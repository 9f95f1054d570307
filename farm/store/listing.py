"""What lies in a store at one moment, stage by stage, from folders alone: no file is opened."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from farm.remote import mark
from farm.store import names
from farm.store.files import Files

FEW = 64  # stages, of which each is asked for by itself


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one stage. there: its artefact, whole. attempts: the names of their files.

    token: another once the artefact, one of its files, or an attempt is another.
    """

    there: bool = False
    attempts: tuple[str, ...] = ()
    token: str = ""


def listed(files: Files, uris: Collection[str], *, tried: bool = True) -> Mapping[str, Seen]:
    """What there is of these stages. A remote store is listed by kinds, a thousand files a request.

    tried: False leaves their attempts out.
    """
    if files.local:
        return {uri: _of(dict(_artefact(files, uri)), dict(_attempts(files, uri))) for uri in uris}
    if len(uris) <= FEW:
        return dict(zip(uris, files.each(lambda uri: _of(*_marks(files, uri)), uris), strict=True))
    kinds = sorted({uri.partition("/")[0] for uri in uris})
    folders = (*kinds, *((names.ATTEMPTS,) if tried else ()))
    marks = dict(zip(folders, files.each(lambda folder: _by_key(files, folder), folders), strict=True))
    found = {}
    for uri in uris:
        kind, _, key = uri.partition("/")
        found[uri] = _of(marks[kind].get(key, {}), marks.get(names.ATTEMPTS, {}).get(key, {}))
    return found


def _of(artefact: Mapping[str, str], attempts: Mapping[str, str]) -> Seen:
    told = [f"{name} {each}" for marks in (artefact, attempts) for name, each in sorted(marks.items())]
    return Seen(names.MANIFEST in artefact, tuple(sorted(attempts)), "\n".join(told))


def _artefact(files: Files, uri: str) -> Iterator[tuple[str, str]]:
    """The files of a local artefact by their names in its folder, and what tells each from another."""
    for entry in _entries(files.path(names.artefact(uri))):
        if entry.is_dir():
            yield from ((f"{entry.name}/{name}", one) for name, one in _files(entry.path))
        elif told := _mark(entry):
            yield entry.name, told


def _attempts(files: Files, uri: str) -> Iterator[tuple[str, str]]:
    return _files(files.path(names.attempts(uri)))


def _files(folder: str) -> Iterator[tuple[str, str]]:
    return ((entry.name, told) for entry in _entries(folder) if (told := _mark(entry)))


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    """What lies in a folder, but for files in the making."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _mark(entry: "os.DirEntry[str]") -> str:
    """What tells a file from another in its place; empty of one that was removed just now."""
    try:
        told = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return ""
    return f"{told.st_size} {told.st_mtime_ns} {told.st_ino}"


def _marks(files: Files, uri: str) -> tuple[dict[str, str], dict[str, str]]:
    artefact, attempts = (_below(files, folder) for folder in (names.artefact(uri), names.attempts(uri)))
    return artefact, attempts


def _by_key(files: Files, folder: str) -> Mapping[str, dict[str, str]]:
    """The files of all artefacts of a kind, or all attempts, by key: what each is called in its folder -> its mark."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    at = 0 if folder == names.ATTEMPTS else 1  # below two hex digits
    for name, each in _below(files, folder).items():
        parts = name.split("/")
        if len(parts) > at + 1:
            found[parts[at]]["/".join(parts[at + 1 :])] = each
    return found


def _below(files: Files, folder: str) -> dict[str, str]:
    """All files below a folder of a remote store, by their paths in it, and their marks."""
    try:
        found = files.fs.find(files.path(folder), detail=True)
    except FileNotFoundError:
        return {}
    return {path.removeprefix(files.path(folder)).lstrip("/"): mark(info) for path, info in found.items()}
