"""A run as it stands now, from its plan and the store: gathered in memory, nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from farm.grid.cell import Claims
from farm.results import tables
from farm.results.folder import Folder
from farm.results.gather import records_of
from farm.results.reading import Predicted, Run
from farm.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """How far a run is. run: as if it were gathered now. done: stages that are in the store, of all that it needs."""

    run: Run
    done: int
    stages: int

    @property
    def over(self) -> bool:
        """Whether each cell has ended, well or not."""
        return all(record.outcome != "pending" for record in self.run.records)


class Watch:
    """Reads a run again and again. Keeps the predictions that it has read, which under one key never change."""

    def __init__(self, folder: Folder, store: Store) -> None:
        """folder: of the grid, with its plan.json. store: that the run writes to."""
        self.folder = folder
        self.store = store
        self.seen: dict[str, Predicted] = {}

    def look(self) -> Stand:
        """How it stands now. Raises InputError if there is no plan."""
        plan = self.folder.read_plan()
        records = tuple(records_of(plan, self.store))
        present = self.store.present(plan["stages"])
        run = Run(
            name=plan["grid"],
            folder=self.folder,
            records=records,
            claims=Claims(**plan.get("claims", {})),
            predictions=self._predictions(plan, present),
        )
        return Stand(run=run, done=len(present), stages=len(plan["stages"]))

    def _predictions(self, plan: Mapping[str, Any], present: set[str]) -> dict[str, Predicted]:
        cells = {cell["cell"]: uri for cell in plan["cells"] if (uri := cell["stages"].get("evaluate")) in present}
        for uri in cells.values():
            if uri not in self.seen:
                table = pq.read_table(self.store.open(uri) / f"{tables.PREDICTIONS}.parquet")
                columns = {name: table[name].to_numpy() for name in ("label", "prediction", "score")}
                self.seen[uri] = Predicted(**columns)
        return {cell: self.seen[uri] for cell, uri in cells.items()}
