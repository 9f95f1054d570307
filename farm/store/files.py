"""A store's files by their paths below its root, on a local disk or any fsspec URL. Knows no file's meaning."""

import errno
import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from fsspec.implementations.local import LocalFileSystem

from farm.errors import AwayError, InputError
from farm.files import write_whole
from farm.remote import each, opened, read_whole
from farm.shown import redacted

T = TypeVar("T")
R = TypeVar("R")

CHUNK = 8 << 20  # bytes read at once


class Files:
    """Those of one store. local: whether they lie on a disk of this host, or one that is mounted here."""

    def __init__(self, url: str, *, reached: bool = False) -> None:
        """url, reached: as `farm.remote.opened` takes them."""
        self.url = url
        self.fs, self.root = opened(url, reached=reached)
        self.local = isinstance(self.fs, LocalFileSystem)

    def path(self, name: str) -> str:
        """Where a file of the store lies, as its file system has it."""
        return f"{self.root}/{name}"

    def shown(self, name: str) -> str:
        """The same as one opens it: a local path, or a URL."""
        return self.path(name) if self.local else str(self.fs.unstrip_protocol(self.path(name)))

    def check_writable(self) -> None:
        """Raises InputError if nothing can be written, AwayError if no answer comes, before any work is done."""
        try:
            with self.probe():
                return
        except AwayError:
            raise
        except OSError as error:
            text = f"cannot write to {redacted(self.url)}: {error.strerror or error}; choose another --results"
            raise InputError(text) from error

    @contextmanager
    def probe(self) -> Iterator[str]:
        """A file in the store for as long as the context lasts; another host that `has` its name shares the store."""
        name = f".probe-{uuid.uuid4().hex}"
        self.fs.makedirs(self.root, exist_ok=True)
        self.fs.pipe_file(self.path(name), b"")
        try:
            yield name
        finally:
            self.fs.rm_file(self.path(name))

    def has(self, name: str) -> bool:
        """Whether there is such a file. Raises OSError where that cannot be told: of a mount that is away, say."""
        if not self.local:
            return bool(self.fs.exists(self.path(name)))
        try:
            os.stat(self.path(name))  # noqa: PTH116 - of ten thousands of stages
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def content(self, name: str) -> bytes:
        """All of a file. Raises FileNotFoundError."""
        if self.local:
            return Path(self.path(name)).read_bytes()
        return read_whole(self.fs, self.path(name))

    def names(self, folder: str) -> list[str]:
        """What lies in a folder; nothing where there is none."""
        try:
            if self.local:
                return os.listdir(self.path(folder))  # noqa: PTH208 - of ten thousands of stages
            return [str(path).rpartition("/")[2] for path in self.fs.ls(self.path(folder), detail=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """What a function gives for each item, as `farm.remote.each`."""
        return each(self.fs, function, items)

    def put(self, name: str, content: bytes, *, durable: bool = False) -> None:
        """Write a small file whole. durable: it must not be lost with the machine."""
        if self.local:
            self.make_folder(name)
            write_whole(Path(self.path(name)), content, durable=durable)
        else:
            self.fs.pipe_file(self.path(name), content)

    def put_once(self, name: str, content: bytes, *, durable: bool = True) -> bool:
        """Write a small file whole, unless there is one already; whether it is this one."""
        while not self.local:
            try:
                self.fs.pipe_file(self.path(name), content, mode="create")
            except FileExistsError:  # perhaps by a try of this very call, whose answer was lost
                with suppress(FileNotFoundError):  # it is gone already: once more
                    return bool(self.content(name) == content)
            else:
                return True
        self.make_folder(name)
        try:
            write_whole(Path(self.path(name)), content, first=True, durable=durable)
        except FileExistsError:
            return False
        return True

    def make_folder(self, name: str) -> None:
        """Have the folder that a file is to lie in."""
        self.fs.makedirs(self.path(name).rpartition("/")[0], exist_ok=True)

    def remove(self, folder: str) -> None:
        """Remove a folder, if it is there, with all that it holds."""
        if self.fs.exists(self.path(folder)):
            self.fs.rm(self.path(folder), recursive=True)

    def moved(self, name: str, target: str, content: bytes) -> bool:
        """Whether a file with this content was moved by this very call. One with another is put back."""
        self.make_folder(target)
        try:
            if self.content(name) != content:
                return False
            self.fs.mv(self.path(name), self.path(target))
        except FileNotFoundError:
            return False
        if (moved := self.content(target)) == content:
            return True
        self.put_once(name, moved)
        return False

    def is_sound(self, name: str, size: int, sha256: str, *, again: bool = True) -> bool:
        """Whether a file has this size, in bytes, and this SHA-256; of another size, nothing of it is read.

        A local disk that cannot give it back, twice, has lost it.
        """
        digest = hashlib.sha256()
        try:
            found = self.fs.info(self.path(name))
            if found["type"] != "file" or found["size"] != size:
                return False
            for start in range(0, size, CHUNK):
                digest.update(self.fs.cat_file(self.path(name), start=start, end=min(start + CHUNK, size)))
        except FileNotFoundError:
            return False
        except OSError as error:
            if not self.local or error.errno != errno.EIO:
                raise
            return again and self.is_sound(name, size, sha256, again=False)
        return digest.hexdigest() == sha256

    def fetched(self, name: str, size: int, sha256: str, target: Path) -> bool:
        """Copy a file to a local path, if it is sound, as `is_sound` has it; of its size before it is copied."""
        with suppress(FileNotFoundError):
            if not self.local and size <= CHUNK:
                content = self.content(name)
                target.write_bytes(content)
                return len(content) == size and hashlib.sha256(content).hexdigest() == sha256
            found = self.fs.info(self.path(name))
            if found["type"] == "file" and found["size"] == size:
                self.fs.get_file(self.path(name), str(target))
                with target.open("rb") as file:
                    return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        return False
