"""Input, and the places where one is looked for. Opens no file."""

import os
from dataclasses import dataclass
from pathlib import Path

SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One located input of a stage.

    path: where it is or will be. sha256: of its content (hex); only its start, or nothing, while that is
    all that is known of a file at its url. url: fetched from there if it is not at path. beside: the other
    files that it consists of. code: a user's module; path is the folder that it is imported from.
    missing: why there is none, and how to supply it; such a stage can never run.
    """

    role: str
    path: str = ""
    sha256: str = ""
    url: str = ""
    beside: tuple[str, ...] = ()
    code: bool = False
    missing: str = ""

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
