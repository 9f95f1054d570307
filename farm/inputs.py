"""Local inputs: where they lie, what their content is, how official ones are fetched.

Knows paths, hashes and URLs, not what a file means.
"""

import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from farm.errors import DataError
from farm.spec import Wanted

CHUNK = 1 << 20
SETTLED_S = 2.0  # a file younger than this may still change within its mtime's tick: not memoised

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where the server says


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One located input of a stage.

    path: where it is or will be. sha256: of its content (hex). url: fetched from there if it is not
    at path. missing: why there is none, and how to supply it; such a stage can never run.
    """

    role: str
    path: str = ""
    sha256: str = ""
    url: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where inputs are looked for: the grid's folder, then data folders, then the cache of downloads."""

    grid: Path
    data: tuple[Path, ...]
    cache: Path


def cache_folder() -> Path:
    """``$FARM_CACHE``, else ``$XDG_CACHE_HOME/farm``, else ``~/.cache/farm``."""
    chosen = os.environ.get("FARM_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farm"


def default_places(grid_file: Path) -> Places:
    """The grid's folder, ``$FARM_DATA``, the package's own weights, and the cache folder."""
    chosen = os.environ.get("FARM_DATA")
    shipped = Path(__file__).parent / "models"
    data = (*((Path(chosen).resolve(),) if chosen else ()), shipped)
    return Places(grid=grid_file.resolve().parent, data=data, cache=cache_folder())


def locate(
    wanted: Wanted, parameters: Mapping[str, Any], names: Mapping[str, str], places: Places, memo: "HashMemo"
) -> Input | None:
    """Find one wanted input; None if it is optional and not asked for.

    names: what ``{dataset}`` and ``{name}`` stand for in the patterns.
    """
    asked = parameters.get(wanted.parameter) if wanted.parameter else None
    if wanted.code:
        return _code(wanted, str(asked), places, memo)
    if asked is None and wanted.optional:
        return None
    patterns = (str(asked),) if asked is not None else tuple(p.format(**names) for p in wanted.among)
    tried = tuple(_tried(patterns, places, literal=asked is not None))
    for path in tried:
        if path.exists():
            return Input(role=wanted.role, path=str(path), sha256=memo.content(path))
    if wanted.url and wanted.sha256:
        target = places.cache / "downloads" / wanted.url.rpartition("/")[2]
        return Input(role=wanted.role, path=str(target), sha256=wanted.sha256, url=wanted.url)
    looked = ", ".join(str(path) for path in tried) or "nowhere"
    text = f"no {wanted.role} of {names.get('name', 'it')}: looked for {looked}; {wanted.hint}".rstrip("; ")
    return Input(role=wanted.role, path=str(tried[0]) if tried else "", missing=text)


def fetch(found: Input, progress: Progress | None = None) -> Path:
    """The input's path on this host, downloaded and checked first if it is not there.

    Two processes may fetch at once; the first to finish wins. Raises DataError if the source cannot be
    reached or sends something else than the expected content.
    """
    path = Path(found.path)
    if path.exists() or not found.url:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        with temporary.open("xb") as target:
            digest = _download(found.url, target.write, progress)
        if digest != found.sha256:
            raise DataError(f"{found.url} sent other content than expected: SHA-256 {digest}, not {found.sha256}")
        temporary.replace(path)
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"cannot download {found.url}: {reason}; fetch it by hand to {path}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


class HashMemo:
    """SHA-256 of files, remembered by path, size, mtime and inode, in one JSON file of the cache."""

    def __init__(self, file: Path | None) -> None:
        """file: where hashes are remembered between runs; None remembers them for this process only."""
        self.file = file
        self.changed = False
        self.known: dict[str, list[Any]] = {}
        if file is not None and file.exists():
            try:
                known = json.loads(file.read_text(encoding="utf-8"))
            except ValueError:
                known = None
            self.known = known if isinstance(known, dict) else {}  # a torn memo only costs time

    def content(self, path: Path, suffixes: tuple[str, ...] = ()) -> str:
        """The hash of a file, or of a folder's files with their relative names, in hex.

        suffixes: only a folder's files that end so; hidden files and folders are left out.
        """
        if path.is_file():
            return self._file(path)
        digest = hashlib.sha256()
        for inner in sorted(_files_below(path)):
            name = inner.relative_to(path)
            hidden = any(part.startswith((".", "__pycache__")) for part in name.parts)
            if not hidden and (not suffixes or inner.suffix in suffixes):
                digest.update(f"{name.as_posix()}\0{self._file(inner)}\n".encode())
        return digest.hexdigest()

    def save(self) -> None:
        """Write the memo, if it learnt something; a read-only cache is no fault."""
        if self.file is None or not self.changed or not _writable(self.file.parent):
            return
        temporary = _beside(self.file)
        temporary.write_text(json.dumps(self.known), encoding="utf-8")
        temporary.replace(self.file)

    def _file(self, path: Path) -> str:
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        known = self.known.get(str(path))
        if known is not None and known[:3] == stamp:
            return str(known[3])
        digest = _digest(path)
        if time.time() - status.st_mtime > SETTLED_S:
            self.known[str(path)] = [*stamp, digest]
            self.changed = True
        return digest


def _beside(path: Path) -> Path:
    """A new name in the same folder, from which a finished file is renamed."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def _files_below(folder: Path) -> Iterator[Path]:
    """All files of a folder, those behind linked folders too, each linked folder once."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        status = os.stat(place)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from (Path(place, name) for name in names if Path(place, name).is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _tried(patterns: tuple[str, ...], places: Places, *, literal: bool) -> Iterator[Path]:
    for pattern in patterns:
        if pattern.startswith("~"):
            pattern = os.path.expanduser(pattern)  # noqa: PLW2901, PTH111 - leaves an unknown user's ~ as it is
        if Path(pattern).is_absolute():
            yield Path(pattern)
            continue
        for folder in (places.grid, *places.data):
            yield from sorted(folder.glob(pattern)) if "*" in pattern and not literal else (folder / pattern,)


def _code(wanted: Wanted, function: str, places: Places, memo: HashMemo) -> Input:
    """The source of the top-level package that a ``package.module:function`` lies in. Imports nothing."""
    top = function.partition(":")[0].partition(".")[0]
    if not top or ":" not in function:
        return Input(role=wanted.role, missing=f"{function!r} must be written package.module:function")
    spec = PathFinder.find_spec(top, [str(places.grid), str(Path.cwd()), *sys.path])
    if spec is None or not (spec.origin or spec.submodule_search_locations):
        text = f"no module {top!r} for {function!r}: looked in {places.grid}, {Path.cwd()} and the installed packages"
        return Input(role=wanted.role, missing=text)
    if spec.submodule_search_locations:
        package = Path(next(iter(spec.submodule_search_locations)))
        return Input(role=wanted.role, path=str(package.parent), sha256=memo.content(package, (".py",)))
    origin = Path(str(spec.origin))
    return Input(role=wanted.role, path=str(origin.parent), sha256=memo.content(origin))


def _download(url: str, write: Callable[[bytes], Any], progress: Progress | None) -> str:
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=60) as source:  # noqa: S310 - https from a literal table
        length = source.headers.get("Content-Length")
        while chunk := source.read(CHUNK):
            write(chunk)
            digest.update(chunk)
            if progress is not None:
                progress(len(chunk), int(length) if length else None)
    return digest.hexdigest()
