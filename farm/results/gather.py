"""From plan.json and the store to ``results/<grid>/*.parquet``, part by part. Can always be done again."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from farm.errors import DamageError, DataError
from farm.measuring.round import TURNS
from farm.plan import Plan, PlannedCell
from farm.record import Record
from farm.results import parts, tables
from farm.results.cell import record_of
from farm.results.folder import Folder
from farm.results.parts import Gathered, Part
from farm.results.reader import Damage, Reader
from farm.results.speed import alone, among
from farm.store import Store
from farm.tasks.classification import PREDICTIONS
from farm.tasks.detection.rows import CLASSES, DETECTIONS, RESAMPLES

ROWS = (  # table, role and file that its rows are from, and the column that counts them
    (tables.PREDICTIONS, "evaluate", PREDICTIONS, "position"),
    (tables.DETECTIONS, "evaluate", DETECTIONS, "position"),
    (tables.CLASSES, "evaluate", CLASSES, None),
    (tables.RESAMPLES, "evaluate", RESAMPLES, "resample"),
    (tables.LATENCIES, "measure", TURNS, None),
)

Report = Callable[[int, int], None]  # is told how many cells are gathered, and of how many


def gather(folder: Folder, store: Store, plan: Plan | None = None) -> list[Record]:
    """Write records, attempts, predictions, latencies and samples; returns the records, in the grid's order.

    A cell that has a damaged artefact has failed, as `damaged`. plan: that was run; None for the one that lies there,
    which is of the run that began last.
    """
    return gathered(folder, store, plan or folder.read_plan())[0]


def gathered(
    folder: Folder, store: Store, plan: Plan, *, fresh: bool = False, report: Report = lambda *_: None
) -> tuple[list[Record], Mapping[str, Damage]]:
    """The same: the records, and which artefacts are damaged. What has not changed since the last time is not read.

    fresh: read all of it again.
    """
    before = Before() if fresh else Before.of(folder)
    reader = Reader(plan=plan, store=store, seen=store.listed(plan.stages))
    now = _Gathering(folder=folder, plan=plan, before=before, reader=reader)
    now.gather(report)
    return now.written(), reader.damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was gathered before, as far as it is still there. records: by cell, each as if it were alone.

    marks: of the folder's files as they are now. attempts, samples: None where they are not what was gathered.
    """

    index: Gathered = field(default_factory=Gathered)
    marks: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)
    attempts: pa.Table | None = None
    samples: pa.Table | None = None

    @classmethod
    def of(cls, folder: Folder) -> "Before":
        """That of a folder; nothing where its records or attempts are not what was gathered."""
        index, marks = parts.read(folder), folder.marks()
        if not index.parts or not parts.untouched(index, marks, (tables.RECORDS, tables.ATTEMPTS)):
            return cls(marks=marks)
        try:
            records, attempts = (folder.read(name) for name in (tables.RECORDS, tables.ATTEMPTS))
            samples = folder.read(tables.SAMPLES) if parts.untouched(index, marks, (tables.SAMPLES,)) else None
        except DataError:  # it has rotted where it lay
            return cls(marks=marks)
        if {tables.gathered_from(records), tables.gathered_from(attempts)} != {index.whole}:
            return cls(marks=marks)  # of another gathering at the same time
        if samples is not None and tables.gathered_from(samples) != index.whole:
            samples = None
        found = {record.cell: record for record in alone(tables.records_from(records))}
        return cls(index=index, marks=marks, records=found, attempts=attempts, samples=samples)

    def holds(self, part: Part, token: str) -> bool:
        """Whether a part was gathered from just what there is now, and all of it is still there."""
        if self.index.parts.get(part.name) != token or any(cell.name not in self.records for cell in part.cells):
            return False
        return parts.untouched(self.index, self.marks, [_file(name, part, token) for name, *_ in ROWS])


@dataclass(slots=True, kw_only=True)
class _Gathering:
    """One grid's files in the making.

    tokens: by part. same: parts that are as before; changed: the others. holds: the damage that a part was gathered
    with. files: of all parts. tried: stages whose attempts are in `attempts`. samples: set -> the shard it begins with.
    """

    folder: Folder
    plan: Plan
    before: Before
    reader: Reader
    tokens: dict[str, str] = field(default_factory=dict)
    same: list[Part] = field(default_factory=list)
    changed: list[Part] = field(default_factory=list)
    holds: dict[str, set[str]] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    files: dict[str, set[str]] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    attempts: list[pa.Table] = field(default_factory=list)
    samples: dict[str, str] = field(default_factory=dict)
    images: list[pa.Table] = field(default_factory=list)

    def gather(self, report: Report) -> None:
        """Take what has not changed as it is, and read the rest; again what turns out to hold damage at last."""
        for part in parts.parts_of(self.plan):
            self.tokens[part.name] = parts.token(part, self.plan, self.reader.seen or {})
            (self.same if self.before.holds(part, self.tokens[part.name]) else self.changed).append(part)
        for part in self.same:
            self.records |= {cell.name: self.before.records[cell.name] for cell in part.cells}
            names = {_file(name, part, self.tokens[part.name]) for name, *_ in ROWS}
            self.files[part.name] = names & self.before.index.files.keys()
        done, last = sum(len(part.cells) for part in self.same), _last_uses(self.changed)
        for part in self.changed:
            report(done, len(self.plan.cells))
            self._part(part)
            self.reader.forget(last[part.name])
            done += len(part.cells)
        report(done, len(self.plan.cells))
        self._sample()
        while spoilt := [part for part in (*self.same, *self.changed) if self._damage(part) != self._known(part)]:
            self.same = [part for part in self.same if part not in spoilt]
            self.changed += [part for part in spoilt if part not in self.changed]
            for part in spoilt:
                self._part(part)
            self._sample()

    def written(self) -> list[Record]:
        """Write what is of all cells, and at last what was gathered; returns the records."""
        plan, whole = self.plan, parts.whole(self.plan, self.tokens)
        records = among([self.records[cell.name] for cell in plan.cells])
        if self._is_as_before(whole):
            return records
        of_all = {
            tables.RECORDS: tables.records(records, plan.claims.model_dump(), plan.command),
            tables.ATTEMPTS: self._attempts(),
            tables.SAMPLES: tables.joined(tables.SAMPLES, self.images),
        }
        for name, table in of_all.items():
            self.folder.write(name, tables.gathered(table, whole))
        files = set().union(*self.files.values())
        for name, *_ in ROWS:
            self.folder.keep_only(name, files)
        marks = self.folder.marks()
        index = Gathered(
            farm=parts.this_farm(),
            whole=whole,
            parts={name: token for name, token in self.tokens.items() if not self.holds.get(name)},
            files={name: marks[name] for name in sorted((*files, *of_all)) if name in marks},
            samples=self.samples,
        )
        parts.write(self.folder, index)
        return records

    def _part(self, part: Part) -> None:
        """Read a part, and write its rows; once more without what turns out damaged."""
        self.reader.read_ahead(part.cells)
        known = -1
        while known < len(self.reader.damaged):
            known = len(self.reader.damaged)
            records = [record_of(self.reader, cell) for cell in part.cells]
            rows = {name: self._rows(part, records, name, role, file) for name, role, file, _ in ROWS}
        self.records |= {record.cell: record for record in records}
        self.files[part.name] = set()
        for name, _, _, counter in ROWS:
            if rows[name]:
                file = _file(name, part, self.tokens[part.name])
                self.folder.write(file, *tables.alike(name, rows[name]), counter=counter)
                self.files[part.name].add(file)
        tried = [outcome for uri in part.uris if uri not in self.tried for outcome in self.reader.attempts(uri)]
        self.attempts.append(tables.table_of(tables.ATTEMPTS, tried))
        self.tried |= part.uris.keys()
        self.holds[part.name] = self._damage(part)

    def _rows(self, part: Part, records: Sequence[Record], name: str, role: str, file: str) -> list[pa.Table]:
        """What a part's stages of a role left in a file, cell by cell, with whose it is."""
        found = []
        for cell, record in zip(part.cells, records, strict=True):
            uri = cell.stages.get(role, "")
            try:
                if uri and file in self.reader.left(uri) and self.reader.manifest(uri) is not None:
                    found.append(tables.of_cell(name, self.reader.table(uri, file), tables.whose(record)))
            except DamageError as error:
                self.reader.note(error)
        return found

    def _sample(self) -> None:
        """The first 64 images of each calibration set, as PNG bytes.

        Its first shard has them; sets may share it. Of a set that models take in several sizes, those of the first.
        """
        known = -1
        while known < len(self.reader.damaged):
            known = len(self.reader.damaged)
            self.samples = _first_shards(self.plan.cells, self._is_there)
            same = {uri for part in self.same for uri in part.uris}
            old, was = self.before.samples, self.before.index.samples
            kept = {name for name, uri in self.samples.items() if was.get(name) == uri and uri in same}
            again = set(self.samples.values()) if old is None else {
                uri for name, uri in self.samples.items() if name not in kept
            }  # fmt: skip
            images = dict(zip(again, self.reader.store.files.each(self.reader.first_images, again), strict=True))
            self.images = [
                tables.where(old, "calibration", [name]) if old is not None and name in kept
                else tables.samples(name, images[uri])
                for name, uri in self.samples.items()
            ]  # fmt: skip

    def _is_there(self, uri: str) -> bool:
        return bool(self.reader.seen and self.reader.seen[uri].there and uri not in self.reader.damaged)

    def _damage(self, part: Part) -> set[str]:
        """What of a part's artefacts is damaged."""
        return self.reader.damaged.keys() & part.uris.keys()

    def _known(self, part: Part) -> set[str]:
        """With which of that it was gathered."""
        return self.holds.get(part.name, set())

    def _attempts(self) -> pa.Table:
        """All attempts, stage by stage in the plan's order."""
        same = {uri for part in self.same for uri in part.uris} - self.tried
        old = [] if self.before.attempts is None else [tables.where(self.before.attempts, "uri", same)]
        return tables.in_order(tables.joined(tables.ATTEMPTS, [*old, *self.attempts]), "uri", list(self.plan.stages))

    def _is_as_before(self, whole: str) -> bool:
        """Whether all that would be written is there."""
        index, rows = self.before.index, tuple(f"{name}/" for name, *_ in ROWS)
        there = {name for name in self.before.marks if name.startswith(rows) and name.endswith(".parquet")}
        strangers = there - set().union(*self.files.values())
        is_same = whole == index.whole and self.samples == index.samples and self.before.samples is not None
        return is_same and not self.changed and not strangers


def _file(name: str, part: Part, token: str) -> str:
    """The file of a part's rows, which tells what they were gathered from: another gathering writes another file."""
    return f"{name}/{part.name}-{token[:12]}.parquet"


def _first_shards(cells: Sequence[PlannedCell], is_there: Callable[[str], bool]) -> dict[str, str]:
    """Of each set the first shard that is there."""
    found: dict[str, str] = {}
    for cell in cells:
        uri = cell.stages.get("calibration")
        if cell.calibration and uri and cell.calibration not in found and is_there(uri):
            found[cell.calibration] = uri
    return found


def _last_uses(used: Sequence[Part]) -> Mapping[str, Collection[str]]:
    """By part, what no later one needs."""
    found: dict[str, set[str]] = {part.name: set() for part in used}
    last = {uri: part.name for part in used for uri in part.uris}
    for uri, name in last.items():
        found[name].add(uri)
    return found
