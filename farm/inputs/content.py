"""The content of files as SHA-256, remembered. Knows paths, not what a file is for."""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from farm.files import sha256, write_whole
from farm.inputs.tree import entries

HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.\w+$")
DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
SETTLED_S = 2.0  # a file younger than this may still change within its mtime's tick: not memoised


def hash_in_name(name: str) -> str:
    """``4118986f`` of ``resnet20-4118986f.pt``; empty where a name ends in no hash, or in a date."""
    match = HASH_IN_NAME.search(name)
    return match[1] if match and not DATE.fullmatch(match[1]) else ""


class HashMemo:
    """SHA-256 of files, remembered by path, size, mtime and inode, in one JSON file of the cache."""

    def __init__(self, file: Path | None) -> None:
        """file: where hashes are remembered between runs; None remembers them for this process only."""
        self.file = file
        self.changed = False
        self.entries: dict[str, list[int | str]] = {}
        if file is not None and file.exists():
            with suppress(ValueError):  # a torn memo only costs time
                entries = json.loads(file.read_text(encoding="utf-8"))
                self.entries = entries if isinstance(entries, dict) else {}

    def content(self, path: Path, suffixes: tuple[str, ...] = (), *, beside: Iterable[Path] = ()) -> str:
        """The hash of a file, or of what lies in a folder, in hex: names, contents, and which folders are one.

        suffixes: only a folder's files that end so; hidden files and folders are left out. beside: the
        other files that a file consists of. Raises OSError for what cannot be read.
        """
        if path.is_file():
            others = "".join(f"{other.name}\0{self._file(other)}\n" for other in beside)
            whole = self._file(path)
            return hashlib.sha256(f"{whole}\n{others}".encode()).hexdigest() if others else whole
        digest = hashlib.sha256()
        for entry in sorted(entries(path), key=lambda entry: entry.name.split("/")):
            if suffixes and not (entry.kind == "file" and entry.path.suffix in suffixes):
                continue
            what = self._file(entry.path) if entry.kind == "file" else f"{entry.kind} {entry.of}"
            digest.update(os.fsencode(f"{entry.name}\0{what}\n"))
        return digest.hexdigest()

    def save(self) -> None:
        """Write the memo, if it learnt something; a cache that cannot be written is no fault."""
        if self.file is not None and self.changed:
            with suppress(OSError):
                self.file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self.file, json.dumps(self.entries).encode(), durable=False)

    def _file(self, path: Path) -> str:
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        entry = self.entries.get(str(path))
        if isinstance(entry, list) and entry[:3] == stamp and len(entry) > len(stamp):
            return str(entry[-1])
        digest = sha256(path)
        if time.time() - status.st_mtime > SETTLED_S:
            self.entries[str(path)] = [*stamp, digest]
            self.changed = True
        return digest
