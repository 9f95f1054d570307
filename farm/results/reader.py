"""What a store holds of a grid, and what is damaged of it: each manifest, attempt and table read once, many at once."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.catalog.tasks import DETECTION
from farm.damage import reading
from farm.errors import DamageError
from farm.measuring.round import TURNS
from farm.plan import Plan, PlannedCell
from farm.plan.parameters import Evaluate, Measure
from farm.record import Outcome
from farm.results import migrate, parquet, tables
from farm.store import Store
from farm.store.listing import Seen
from farm.store.manifest import REMEDY, Manifest
from farm.tasks.classification import PREDICTIONS
from farm.tasks.detection.rows import CLASSES, DETECTIONS, RESAMPLES

T = TypeVar("T")
R = TypeVar("R")
Answers: TypeAlias = NDArray[np.int32] | pa.Table  # classes of the test images, (n,), or a row of detections each

SAMPLES = 64
OLDER = {TURNS: "rounds.parquet"}  # files that had another name
LEFT: Mapping[str, Sequence[type]] = {  # by stages: file -> what its rows are
    TURNS: tables.ROWS[tables.LATENCIES][1:],
    PREDICTIONS: tables.ROWS[tables.PREDICTIONS][1:],
    DETECTIONS: tables.ROWS[tables.DETECTIONS][1:],
    CLASSES: tables.ROWS[tables.CLASSES][1:],
    RESAMPLES: tables.ROWS[tables.RESAMPLES][1:],
}
OF_TASKS = {  # tables that an evaluation leaves, what it says of each image first; None: classification
    None: (PREDICTIONS,),
    DETECTION: (DETECTIONS, CLASSES, RESAMPLES),
}


class Damage(NamedTuple):
    """What shows that an artefact is damaged, and in which of its copies; empty of a manifest that cannot be read."""

    why: str
    copy: str


def artefact(store: Store, uri: str, file: str, manifest: Manifest | None = None) -> pa.Table:
    """A table that a stage of any version left, as one of today. Raises DamageError if it is damaged."""
    content = store.read(uri, file, OLDER.get(file, file), manifest=manifest)
    with reading(f"{file} of {uri}", REMEDY, uri):
        return parquet.conformed(migrate.today(parquet.parsed(content)), LEFT[file])


@dataclass(slots=True, kw_only=True)
class Reader:
    """A store as a plan sees it.

    present: uris of which it has an artefact; it is not asked for others. seen: what was listed; None: it is asked.
    damaged: uri -> why. Such an artefact counts as missing.
    """

    plan: Plan
    store: Store
    present: Collection[str] | None = None
    seen: Mapping[str, Seen] | None = None
    damaged: dict[str, Damage] = field(default_factory=dict)
    manifests: dict[str, Manifest | None] = field(default_factory=dict)
    outcomes: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    tables: dict[tuple[str, str], pa.Table] = field(default_factory=dict)
    predictions: dict[str, Answers] = field(default_factory=dict)  # of FP32 IRs only

    def read_ahead(self, cells: Iterable[PlannedCell]) -> None:
        """Read what the records of these cells need, of a remote store many files at once."""
        roles = [(role, uri) for cell in cells for role, uri in cell.stages.items()]
        uris = dict.fromkeys(uri for _, uri in roles)
        self._read(self.manifests, [uri for uri in uris if uri not in self.manifests], self._manifest)
        self._read(self.outcomes, [uri for uri in uris if uri not in self.outcomes], self._attempts)
        files = dict.fromkeys((uri, file) for uri in uris for file in self.left(uri)[:1])
        wanted = [(uri, file) for uri, file in files if self.manifest(uri) and uri not in self.predictions]
        self._read(self.tables, [each for each in wanted if each not in self.tables], self._table)

    def forget(self, uris: Collection[str]) -> None:
        """Have no more in memory of these stages, nor any table."""
        self.tables.clear()
        for uri in uris:
            self.manifests.pop(uri, None)
            self.outcomes.pop(uri, None)

    def manifest(self, uri: str) -> Manifest | None:
        """Of an artefact; None if it is not there, whole. Raises DamageError where it turns out damaged."""
        if uri in self.damaged:
            return None
        if uri not in self.manifests:
            self.manifests[uri] = self._manifest(uri)
        return self.manifests[uri]

    def attempts(self, uri: str) -> tuple[Outcome, ...]:
        """Of a stage, oldest first."""
        if uri not in self.outcomes:
            self.outcomes[uri] = self._attempts(uri)
        return self.outcomes[uri]

    def table(self, uri: str, file: str) -> pa.Table:
        """A table that a stage left. Raises DamageError where it turns out damaged."""
        if (uri, file) not in self.tables:
            self.tables[uri, file] = self._table((uri, file))
        return self.tables[uri, file]

    def left(self, uri: str) -> tuple[str, ...]:
        """The tables that a stage leaves, the one that a record needs first."""
        parameters = self.plan.stages[uri].parameters
        if isinstance(parameters, Evaluate):
            return OF_TASKS[parameters.task.name if parameters.task else None]
        return (TURNS,) if isinstance(parameters, Measure) else ()

    def answers(self, uri: str) -> Answers:
        """What an evaluation says of the test images, as far as two are held against each other."""
        file = self.left(uri)[0]
        table = self.table(uri, file)
        return np.asarray(table["prediction"].to_numpy()) if file == PREDICTIONS else table

    def answers_of_fp32(self, uri: str) -> Answers:
        """The same of an FP32 IR, which many cells are held against."""
        if uri not in self.predictions:
            self.predictions[uri] = self.answers(uri)
        return self.predictions[uri]

    def note(self, error: DamageError) -> None:
        """Remember which artefact is damaged. Raises what is no artefact's."""
        if not error.uri or error.uri in self.damaged:
            raise error
        manifest = self.manifests.get(error.uri)
        self.damaged[error.uri] = Damage(str(error), manifest.copy if manifest else "")

    def first_images(self, uri: str) -> list[tuple[bytes, int]]:
        """The first images of a shard as PNG bytes, with their labels; none of one that is gone, or damaged."""
        try:
            manifest = self.manifest(uri)
            if manifest is None:
                return []
            try:
                with reading(f"images of {uri}", REMEDY, uri):
                    return list(tables.first_images(self.store.open(uri, manifest), SAMPLES))
            except OSError:  # Arrow's, of a page that it cannot unpack, or the disk's
                self.store.check(uri)
                raise
        except DamageError as error:
            self.note(error)
            return []

    def _read(self, into: dict[T, R], keys: Sequence[T], read: Callable[[T], R]) -> None:
        """Read what is not there yet; what turns out damaged is noted."""

        def found(key: T) -> R | DamageError:
            try:
                return read(key)
            except DamageError as error:
                return error

        for key, value in zip(keys, self.store.files.each(found, keys), strict=True):
            if isinstance(value, DamageError):
                if value.uri not in self.damaged:
                    self.note(value)
            else:
                into[key] = value

    def _manifest(self, uri: str) -> Manifest | None:
        present = self.present if self.seen is None else (uri,) if self.seen[uri].there else ()
        return self.store.whole(uri) if present is None or uri in present else None

    def _attempts(self, uri: str) -> tuple[Outcome, ...]:
        return self.store.attempts.of(uri, None if self.seen is None else self.seen[uri].attempts)

    def _table(self, what: tuple[str, str]) -> pa.Table:
        uri, file = what
        return artefact(self.store, uri, file, self.manifest(uri))
