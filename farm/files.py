"""Files that appear whole or not at all, and locks that end with their holder. Knows paths, no form of any file."""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from farm.errors import InputError

LONGEST_NAME = 255  # bytes
NO_LOCK = "{} is to be a lock, and is no regular file: remove it"


def is_plain(name: object) -> bool:
    """Whether a text is the name of one file or folder, and no path: what it stands for lies where it is looked for."""
    if not isinstance(name, str) or name in ("", ".", "..") or not name.isprintable():
        return False
    return not {"/", "\\"} & set(name) and len(name.encode()) <= LONGEST_NAME


@contextmanager
def replaced(path: Path, *, first: bool = False, durable: bool = True) -> Iterator[Path]:
    """A new name beside a file. What is written under it takes the file's place at the end; on any error it is removed.

    So a reader, or a machine that stops, finds the old or the new file whole. first: raise FileExistsError if there is
    a file already. durable: wait until it is on the disk, about 10 ms; for what cannot be made again.
    """
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.new")
    try:
        yield new
        if durable:
            sync(new)
        if first:
            os.link(new, path)
        else:
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def replaced_for(option: str, path: Path) -> Iterator[Path]:
    """As `replaced`, for a file that a user names by an option. Raises InputError if it cannot be written."""
    try:
        with replaced(path) as new:
            new.touch()
            yield new
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error  # Arrow's own words name the new file
        raise InputError(f"cannot write {path}: {reason}; choose another {option}") from error


def write_whole(path: Path, content: bytes, *, first: bool = False, durable: bool = True) -> None:
    """Write a file whole. first, durable: as `replaced`."""
    with replaced(path, first=first, durable=durable) as new:
        new.write_bytes(content)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Where to make a folder of this name, which then appears whole, unless another process was first: theirs stays."""
    scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield scratch / path.name
        try:
            (scratch / path.name).rename(path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def sha256(*paths: Path) -> str:
    """SHA-256 of files' content, one after another, in hex."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Have a file on the disk before something else vouches for it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock file, made if it is not there, or a folder. The kernel drops the lock of a killed holder.

    What was locked is what lies there still: a holder may remove the file. Raises BlockingIOError where another holds
    it, unless told to wait; InputError, at once, for a link, a pipe, or anything else that is no regular file.
    """
    while True:
        handle = _opened(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _lies_at(path, handle):
                yield
                return
        finally:
            os.close(handle)


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """A folder, made if it is not there, that no other process writes to. Raises InputError where that cannot be."""
    with ExitStack() as lock:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.enter_context(locked(folder.resolve()))
        except BlockingIOError as error:
            raise InputError(f"another process writes to {folder}: wait for it, or choose another --out") from error
        except OSError as error:
            raise InputError(f"cannot make the folder {folder}: {error.strerror}; choose another --out") from error
        yield


def _opened(path: Path) -> int:
    """A lock file's descriptor; nothing is followed, waited for or changed."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:  # without O_CREAT: in a shared sticky folder the kernel refuses that to all but an existing file's owner
        handle = os.open(path, flags)
    except FileNotFoundError:
        handle = os.open(path, flags | os.O_CREAT, 0o666)
        if os.fstat(handle).st_uid == os.getuid():
            os.fchmod(handle, 0o666)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):  # a link, a socket
            raise
        raise InputError(NO_LOCK.format(path)) from error
    mode = os.fstat(handle).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        os.close(handle)
        raise InputError(NO_LOCK.format(path))
    return handle


def _lies_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
