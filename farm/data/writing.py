"""Files that are replaced whole, and folders that one process writes to. Knows no form of any."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from farm.errors import InputError


def replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a machine that stops, finds the old or the new one whole."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """A folder, made if it is not there, that this process alone writes to meanwhile; a killed one lets go of it.

    Raises InputError if it cannot be made, or if another process writes to it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror}; choose another --out") from error
    try:
        if not _lock(handle):
            raise InputError(f"another process writes to {path}: wait for it, or choose another --out")
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
