"""Where a wanted input is looked for, and where it lies: on this host, or at an address. Imports no user's code."""

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from farm.errors import DataError
from farm.files import is_plain
from farm.inputs.content import HashMemo, hash_in_name
from farm.shown import redacted
from farm.spec import InputSpec, resolve

WEIGHTS = "weights"  # the role, and the folder in which files lie that were fetched by hand
SHA256_DIGITS = 64
CODE = (".py",)  # what of a package is its code
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One located input of a stage.

    path: where it is or will be. sha256: of its content (hex); only its start, or nothing, while that is
    all that is known of a file at its url. url: fetched from there if it is not at path. beside: the other
    files that it consists of. code: a user's module, which `beside` names; path is the folder it is imported from.
    missing: why there is none, and how to supply it; such a stage can never run. shipped: whether the run's store has
    it too, for hosts that have not.
    """

    role: str
    path: str = ""
    sha256: str = ""
    url: str = ""
    beside: tuple[str, ...] = ()
    code: bool = False
    missing: str = ""
    shipped: bool = False

    @property
    def settled(self) -> bool:
        """Whether its whole content is known, so that it can make a key."""
        return bool(self.missing) or len(self.sha256) == SHA256_DIGITS


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPath:
    """Where inputs are looked for: the grid's folder, then data folders, then the cache of downloads."""

    grid: Path
    data: tuple[Path, ...]
    cache: Path


def cache_folder() -> Path:
    """``$FARM_CACHE``, else ``$XDG_CACHE_HOME/farm``, else ``~/.cache/farm``."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("FARM_CACHE") or caches / "farm")


def default_search(grid_file: Path) -> SearchPath:
    """The grid's folder, ``$FARM_DATA``, the package's own weights, and the cache folder."""
    chosen = os.environ.get("FARM_DATA")
    shipped = (Path(__file__).parents[1] / part for part in ("models", "generators"))
    data = (*((Path(chosen).resolve(),) if chosen else ()), *shipped)
    return SearchPath(grid=grid_file.resolve().parent, data=data, cache=cache_folder())


def locate(
    wanted: InputSpec, parameters: Mapping[str, object], names: Mapping[str, str], search: SearchPath, memo: HashMemo
) -> Input | None:
    """Find one wanted input; None if it is optional and no file is asked for. What cannot be read is missing.

    names: what ``{dataset}`` and ``{name}`` stand for in the patterns.
    """
    try:
        return _found(wanted, parameters, names, search, memo)
    except OSError as error:
        text = f"{error.filename} cannot be read ({error.strerror}): check that it may be read"
        return Input(role=wanted.role, path=str(error.filename), missing=text)


def _found(
    wanted: InputSpec, parameters: Mapping[str, object], names: Mapping[str, str], search: SearchPath, memo: HashMemo
) -> Input | None:
    value = parameters.get(wanted.parameter or "")
    given = value if isinstance(value, str) else ""
    if wanted.code:
        return _code(wanted, given, search, memo)
    if not given and wanted.optional:
        return None
    given = wanted.shipped.get(given, given)
    digest = str(parameters.get("sha256") or "")
    if ADDRESS.match(given):
        return _at_address(wanted, given, digest, search, memo)
    patterns = [pattern.format_map(names) for pattern in wanted.patterns]
    tried = tuple(_tried([given] if given else patterns, search, literal=bool(given)))
    for path in tried:
        if path.exists():
            return _checked(wanted, path, digest or (hash_in_name(path.name) if wanted.role == WEIGHTS else ""), memo)
    released = wanted.released.get(names.get("dataset", ""), "")
    url, start = (released, hash_in_name(released)) if released else (wanted.url, wanted.sha256)
    if not given and url and start:
        return _remote(wanted, url, digest or start, search, memo)
    places = ", ".join(map(str, tried)) or "nowhere"
    text = f"no {wanted.role} of {names.get('name', 'it')}: looked for {places}; {wanted.hint}".rstrip("; ")
    return Input(role=wanted.role, path=str(tried[0]) if tried else "", missing=text)


def _at_address(wanted: InputSpec, url: str, digest: str, search: SearchPath, memo: HashMemo) -> Input:
    if url.startswith(("https://", "http://")):
        return _remote(wanted, url, digest or hash_in_name(_name_of(url)), search, memo)
    text = f"{redacted(url)} is an address that farm does not read: fetch it, and name the file"
    return Input(role=wanted.role, path=url, missing=text)


def _name_of(url: str) -> str:
    """The file's name at an address, without a query; empty if it names none."""
    name = PurePosixPath(urlsplit(url).path).name
    return name if is_plain(name) else ""


def _checked(wanted: InputSpec, path: Path, digest: str, memo: HashMemo) -> Input:
    """The Input of a file that is there; `missing` if a file beside it is not, or if its hash is another."""
    lacking = partial(Input, role=wanted.role, path=str(path))
    try:
        beside: tuple[Path, ...] = resolve(wanted.beside)(path) if wanted.beside else ()
    except DataError as error:
        return lacking(missing=str(error))
    absent = [str(other) for other in beside if not other.is_file()]
    if absent:
        return lacking(missing=f"{path} needs {', '.join(absent)}: put it there, or save the model in one file")
    whole = memo.content(path)
    if not whole.startswith(digest):
        text = f"{path} is another file than its name or `sha256` says ({digest}): its SHA-256 is {whole}"
        return lacking(missing=f"{text}; fetch it again, or give it another name if it is a file of your own")
    content = memo.content(path, beside=beside)
    return Input(role=wanted.role, path=str(path), sha256=content, beside=tuple(map(str, beside)))


def _remote(wanted: InputSpec, url: str, start: str, search: SearchPath, memo: HashMemo) -> Input:
    """A file at an address whose content is known, in full or by its first digits; or fetched by hand."""
    role, name = wanted.role, _name_of(url)
    if wanted.beside:
        text = f"{url} is an address: download the file, and give `{wanted.parameter}: FILE`"
        return Input(role=role, url=url, missing=text)
    if not start or not name:
        text = f"{url} may change behind its address: give `sha256:` beside it, or a name that ends in its hash"
        return Input(role=role, url=url, missing=text if name else f"{url} names no file")
    for folder in (search.grid, *search.data) if role == WEIGHTS else ():
        path = folder / WEIGHTS / name
        if path.is_file():
            return _checked(wanted, path, start, memo)
    path = search.cache / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:12] / name
    content = memo.content(path) if path.exists() else start
    if not content.startswith(start):
        text = f"{path} is another file than {url} should give ({start}): its SHA-256 is {content}; remove it"
        return Input(role=role, path=str(path), missing=text)
    return Input(role=role, path=str(path), sha256=content, url=url)


def _tried(patterns: Sequence[str], search: SearchPath, *, literal: bool) -> Iterator[Path]:
    for pattern in patterns:
        if pattern.startswith("~"):
            pattern = os.path.expanduser(pattern)  # noqa: PLW2901, PTH111 - leaves an unknown user's ~ as it is
        if Path(pattern).is_absolute():
            yield Path(pattern)
            continue
        for folder in (search.grid, *search.data):
            yield from sorted(folder.glob(pattern)) if "*" in pattern and not literal else (folder / pattern,)


def _code(wanted: InputSpec, function: str, search: SearchPath, memo: HashMemo) -> Input:
    """The code of the top-level package that a ``package.module:function`` lies in. Imports nothing."""
    top = function.partition(":")[0].partition(".")[0]
    if not top or ":" not in function:
        return Input(role=wanted.role, missing=f"{function!r} must be written package.module:function")
    spec = PathFinder.find_spec(top, [str(search.grid), str(Path.cwd()), *sys.path])
    if spec is None or not (spec.origin or spec.submodule_search_locations):
        places = " and ".join(dict.fromkeys(map(str, (search.grid, Path.cwd()))))
        text = f"no module {top!r} for {function!r}: looked in {places}, and the installed packages"
        return Input(role=wanted.role, missing=text)
    place = Path(next(iter(spec.submodule_search_locations or ()), None) or str(spec.origin))
    content = memo.content(place, CODE)
    return Input(role=wanted.role, path=str(place.parent), sha256=content, beside=(str(place),), code=True)
