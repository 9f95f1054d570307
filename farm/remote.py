"""File systems of results and stores. One that cannot be reached for a while is waited for. Knows no file's meaning."""

import errno
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, cast
from weakref import WeakSet

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from farm.errors import AwayError, InputError
from farm.shown import redacted

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 32  # requests
PATIENCE_S = 300.0  # that an operation is tried again
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)  # between tries; the last one again and again
# What libraries of object stores raise, none of which farm imports, when no answer comes; by names of their classes.
NO_ANSWER = frozenset({
    "ConnectionError", "TimeoutError", "HTTPClientError", "ClientConnectionError", "ServerTimeoutError",
    "ClientPayloadError", "ProtocolError", "IncompleteRead", "HTTPException", "CredentialRetrievalError",
})  # fmt: skip
LIBRARIES = frozenset({"botocore", "aiobotocore", "s3fs", "aiohttp", "google", "gcsfs", "azure", "adlfs"})
LOCAL = re.compile(r"(?!\w+://)|file://|local://")
MARKS = (  # of S3, Google's and Azure's stores, and of a local disk or the memory
    "size", "ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "updated", "mtime", "ino",
    "created",
)  # fmt: skip
UNREACHED = frozenset({
    errno.EIO, errno.EBUSY, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN,
    errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ESTALE,
})  # fmt: skip

_reached: "WeakSet[AbstractFileSystem]" = WeakSet()  # by this process, or by the one that it works for
_hurried: list[bool] = []
log = logging.getLogger(__name__)


def opened(url: str, *, reached: bool = False) -> tuple[AbstractFileSystem, str]:
    """The file system of a local path or an fsspec URL, and the path in it. Raises InputError if there is none.

    reached: whether the process has reached it that this one works for.
    """
    how = {} if LOCAL.match(url) else {"use_listings_cache": False}  # others write there too
    try:
        fs, root = fsspec.core.url_to_fs(url, **how)
    except (ImportError, ValueError) as error:
        raise InputError(f"cannot open {redacted(url)}: {error}") from error
    if not isinstance(fs, LocalFileSystem):
        fs = cast("AbstractFileSystem", Patient(fs, redacted(url), reached=reached))
    return fs, str(root).rstrip("/")


def read_whole(fs: AbstractFileSystem, path: str) -> bytes:
    """All of a file, in one request. Raises FileNotFoundError."""
    how = {"max_concurrency": 1} if "s3" in fs.protocol else {}  # s3fs would ask for the size first
    return bytes(fs.cat_file(path, **how))


@contextmanager
def hurried() -> Iterator[None]:
    """While a run is closed, nothing is waited for: nobody could end that."""
    _hurried.append(True)
    try:
        yield
    finally:
        _hurried.pop()


def is_away(error: BaseException) -> bool:
    """Whether an error says that no answer came, not that the answer was no."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, AwayError):
        return True
    return not names.isdisjoint(NO_ANSWER) or (isinstance(error, OSError) and error.errno in UNREACHED)


def each(fs: AbstractFileSystem, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """What a function that asks a file system gives for each item, in order.

    Many are asked at once where waiting for answers is most of it. Raises what the function raises.
    """
    items = list(items)
    if isinstance(fs, LocalFileSystem) or len(items) < 2:  # noqa: PLR2004
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(AT_ONCE, len(items))) as threads:
        return list(threads.map(function, items))


def mark(info: Mapping[str, Any]) -> str:
    """What tells a file from another that takes its place, of what a listing says of it. info: as fsspec has it."""
    return " ".join(str(info[name]) for name in MARKS if info.get(name) is not None)


class Patient:
    """A remote file system, whose operations are tried again for some minutes while no answer comes.

    One that was never reached is not waited for: it is misnamed, as a rule. Raises AwayError when patience ends.
    """

    def __init__(
        self,
        fs: AbstractFileSystem,
        name: str,
        *,
        reached: bool = False,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """name: for messages. reached: as `opened` has it."""
        self._fs = fs
        self._name = name
        if reached:
            _reached.add(fs)
        self._pause = pause
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        """An operation of the file system, which is patient; any other attribute as it is."""
        attribute = getattr(self._fs, name)
        return partial(self._tried, name, attribute) if callable(attribute) else attribute

    def _tried(self, name: str, operation: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
        begun, tries = self._clock(), 0
        while True:
            try:
                answer = operation(*arguments, **how)
            except FileNotFoundError:
                _reached.add(self._fs)
                if tries and name.startswith("rm"):
                    return None  # the try before removed it, and its answer was lost
                raise
            except Exception as error:
                if not is_away(error):
                    if type(error).__module__.partition(".")[0] in LIBRARIES and not isinstance(error, OSError):
                        raise OSError(f"{self._name}: {error}") from error
                    raise
                why = f"{self._name} cannot be reached: {str(error) or type(error).__name__}"
                pause_s = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
                if _hurried or self._fs not in _reached or self._clock() - begun + pause_s > PATIENCE_S:
                    _reached.discard(self._fs)  # what is tried next need not wait again
                    raise AwayError(why) from error
                log.warning("%s; trying again in %.0f s", why, pause_s)
                self._pause(pause_s)
                tries += 1
            else:
                _reached.add(self._fs)
                return answer
