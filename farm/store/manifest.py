"""What is written down of an artefact beside its files, last of all. Knows JSON, not where it lies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from farm.codec import decode
from farm.damage import reading
from farm.files import is_plain
from farm.plan.facts import today
from farm.store.names import MANIFEST

T = TypeVar("T")

REMEDY = "remove it, and run the grid again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where an artefact was made, as in `farm.host.facts`."""

    host: str
    cpu_model: str = ""
    isa: str = ""
    cores: int = 0
    memory_gib: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of an artefact."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An artefact. copy: the folder of the copy that counts; it, uri and files are filled in by the store.

    parameters, facts: of its kind, see `farm.plan.parameters` and `farm.plan.facts`; as JSON once they are read.
    inputs: uris by role. contents: SHA-256 of its local files by role. libraries: whose versions are in its key;
    versions: all that took part. wall_s: of the stage's process alone.
    """

    uri: str = ""
    copy: str = ""
    files: Mapping[str, File] = field(default_factory=dict)
    label: str = ""
    parameters: Any = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    facts: Any = field(default_factory=dict)
    host: Host | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    wall_s: float = 0.0
    peak_rss_mib: float | None = None
    started_at: str = ""
    finished_at: str = ""

    def facts_as(self, kind: type[T]) -> T:
        """The facts as their type. Raises DamageError where something lacks, or is of another type."""
        with reading(f"{MANIFEST} of {self.uri}", REMEDY, self.uri):
            return decode(kind, today(self.facts))

    def check(self, uri: str) -> None:
        """Raises ValueError if it is not this artefact's, or names files that lie elsewhere."""
        if self.uri != uri:
            raise ValueError(f"it is the manifest of {self.uri!r}")
        for name in (self.copy, *self.files):
            if not is_plain(name):
                raise ValueError(f"{name!r:.80} is no plain name of a file")
