"""A run as it stands now, from its plan and the store: gathered in memory, nothing is written."""

from dataclasses import dataclass, replace
from datetime import UTC

import pyarrow.parquet as pq

from farm.plan import Plan
from farm.record import RETRIES, Record
from farm.results import tables
from farm.results.folder import PLAN, Folder
from farm.results.gather import records_of
from farm.results.reading import Predicted, Run
from farm.results.speed import with_pytorch_speedup
from farm.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a run is.

    run: as if it were gathered now. done: stages that are in the store, of all that it needs. ended: cells that are
    ok, or that failed for good.
    """

    run: Run
    done: int
    stages: int
    ended: frozenset[str]

    @property
    def over(self) -> bool:
        """Whether each cell has ended, well or not."""
        return all(record.cell in self.ended for record in self.run.records)


class Watch:
    """Reads a run again and again, and of it only what may have changed: a host that measures is left alone.

    ok: a cell whose artefacts are all there. It is not read again unless one of them is discarded.

    failed for good: a cell of which each missing stage lacks an input file, needs a stage that failed for good, or
    failed since plan.json was written as often as `RETRIES` allows.

    Plan and store cannot say whether a run is under way at all, so one that was ended halfway is not over; which cells
    were asked for, so a run with --only is not over while others are missing; which artefacts --fresh will make again,
    so they count as done until then; nor how far the clocks of hosts and storage differ.
    """

    def __init__(self, folder: Folder, store: Store) -> None:
        """folder: of the grid, with its plan.json. store: that the run writes to."""
        self.folder = folder
        self.store = store
        self.planned_at = ""
        self.plan = Plan()
        self.finished: dict[str, Record] = {}  # cell -> its record, once it is ok
        self.seen: dict[str, Predicted] = {}
        self.last: Run | None = None

    def look(self) -> Status:
        """How it stands now, with the same run as before where nothing has changed. Raises InputError without plan."""
        plan = self._planned()
        present = self.store.present(plan.stages)
        run = Run(
            name=plan.grid,
            folder=self.folder,
            records=tuple(self._records(plan, present)),
            claims=plan.claims,
            command=plan.command,
            predictions=self._predictions(plan, present),
        )
        if self.last is None or not _same(run, self.last):
            self.last = run
        ended = self._ended(plan, self.last, present)
        return Status(run=self.last, done=len(present), stages=len(plan.stages), ended=ended)

    def _planned(self) -> Plan:
        """The plan, read again where it was written again."""
        planned_at = self._planned_at()
        changed = planned_at != self.planned_at
        if changed or not planned_at:
            self.plan = self.folder.read_plan()
        if changed:
            self.planned_at, self.finished = planned_at, {}
        return self.plan

    def _planned_at(self) -> str:
        """When plan.json was written, as attempts tell their time; empty, which is before all, if nothing tells."""
        try:
            modified = self.folder.fs.modified(f"{self.folder.root}/{PLAN}")
        except (FileNotFoundError, NotImplementedError):
            return ""
        return str(modified.astimezone(UTC).isoformat(timespec="milliseconds"))

    def _records(self, plan: Plan, present: set[str]) -> list[Record]:
        """All cells' records; only those that were not ok, or that lost an artefact, are read."""
        whole = {cell.name for cell in plan.cells if present.issuperset(cell.stages.values())}
        self.finished = {name: record for name, record in self.finished.items() if name in whole}
        cells = tuple(cell for cell in plan.cells if cell.name not in self.finished)
        read = {record.cell: record for record in records_of(replace(plan, cells=cells), self.store, present)}
        self.finished |= {name: record for name, record in read.items() if record.outcome == "ok"}
        found = read | self.finished
        return with_pytorch_speedup([found[cell.name] for cell in plan.cells])

    def _predictions(self, plan: Plan, present: set[str]) -> dict[str, Predicted]:
        self.seen = {uri: said for uri, said in self.seen.items() if uri in present}
        cells = {cell.name: uri for cell in plan.cells if (uri := cell.stages.get("evaluate")) in present}
        for uri in cells.values():
            if uri not in self.seen:
                table = pq.read_table(self.store.open(uri) / f"{tables.PREDICTIONS}.parquet")
                columns = {name: table[name].to_numpy() for name in ("label", "prediction", "score")}
                self.seen[uri] = Predicted(**columns)
        return {cell: self.seen[uri] for cell, uri in cells.items()}

    def _ended(self, plan: Plan, run: Run, present: set[str]) -> frozenset[str]:
        """Cells that are ok, and those of which nothing more will come. Reads attempts of cells that failed only."""
        failed = {record.cell for record in run.records if record.outcome == "failed"}
        lacking = {cell.name: set(cell.stages.values()) - present for cell in plan.cells if cell.name in failed}
        lost = self._lost(plan, set().union(*lacking.values()))
        return frozenset({*self.finished, *(cell for cell, uris in lacking.items() if uris and uris <= lost)})

    def _lost(self, plan: Plan, uris: set[str]) -> set[str]:
        """Those of the stages that will not come."""
        found: set[str] = set()
        for uri, stage in plan.stages.items():  # inputs come before what needs them
            if uri not in uris:
                continue
            if stage.missing or found.intersection(stage.inputs.values()) or self._given_up(uri):
                found.add(uri)
        return found

    def _given_up(self, uri: str) -> bool:
        """Whether its last attempt failed since the plan was written, and there will be no other."""
        tried = [each for each in self.store.attempts(uri) if each.finished_at >= self.planned_at]
        if not tried or tried[-1].ok:
            return False
        cause = tried[-1].error_class
        return sum(each.error_class == cause for each in tried) > RETRIES.get(str(cause), 0)


def _same(run: Run, other: Run) -> bool:
    if (run.records, run.claims, run.predictions.keys()) != (other.records, other.claims, other.predictions.keys()):
        return False
    return all(said is other.predictions[cell] for cell, said in run.predictions.items())
