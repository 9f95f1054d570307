"""A run as it stands now, from what its driver noted and the store: gathered in memory, nothing is written."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from farm.errors import DamageError
from farm.plan.parameters import Evaluate
from farm.plan.state import State, state_of
from farm.record import Record
from farm.results.cell import records_of
from farm.results.events import LastRun, Reader
from farm.results.folder import Folder
from farm.results.reader import artefact
from farm.results.reading import OfClasses, Predicted, Run, scores_of
from farm.results.speed import among
from farm.store import Store
from farm.tasks.classification import PREDICTIONS
from farm.tasks.detection.rows import CLASSES, RESAMPLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a run is.

    run: as if it were gathered now. states: of all the grid's stages by uri. words: what each stage at the engine is,
    and how far. retried: failed cells whose missing stages may all still be done. end: ``over``, ``interrupted``, or
    empty while it goes on.
    """

    run: Run
    states: Mapping[str, State]
    words: tuple[str, ...]
    retried: frozenset[str]
    end: str


class Watch:
    """Reads a run again and again, and of it only what events say has changed: a host that measures is left alone."""

    def __init__(self, folder: Folder, store: Store) -> None:
        """folder: of the grid, with its plan.json. store: that the run writes to."""
        self.folder = folder
        self.store = store
        self.events = Reader(folder)
        self.name = ""  # of the run that was seen last
        self.plan = folder.read_plan()
        self.present: set[str] = set()
        self.records: dict[str, Record] = {}
        self.predictions: dict[str, Predicted] = {}
        self.of_classes: dict[str, OfClasses] = {}
        self.resamples: dict[str, NDArray[np.float64]] = {}
        self.run: Run | None = None

    def look(self) -> Standing | None:
        """How it stands now, with the same `run` as before where nothing has changed; None if no run left events."""
        seen = self.events.look()
        if seen is None:
            return None
        if seen.run != self.name:  # another run than before, if any: its plan may be another
            self.name, self.plan, self.records = seen.run, self.folder.read_plan(), {}
            seen.touched = set(self.plan.stages)
        if seen.touched or self.run is None:
            self._read(seen.touched)
            seen.touched = set()  # not before: what cannot be read now is read at the next look
            self.run = Run(
                name=self.plan.grid, folder=self.folder,
                records=tuple(among([self.records[cell.name] for cell in self.plan.cells])),
                claims=self.plan.claims, predictions=dict(self.predictions), command=self.plan.command,
                of_classes=dict(self.of_classes), resamples=dict(self.resamples),
            )  # fmt: skip
        states = {uri: self._state(uri, seen) for uri in self.plan.stages}
        return Standing(
            run=self.run, states=states, words=tuple(self._words(uri, words) for uri, words in seen.running.items()),
            retried=frozenset() if seen.end else self._retried(states), end=seen.end,
        )  # fmt: skip

    def _read(self, touched: set[str]) -> None:
        """Read what has changed of these stages, and of the cells that need them."""
        self.present = (self.present - touched) | self.store.present(touched & self.plan.stages.keys())
        cells = [cell for cell in self.plan.cells if not touched.isdisjoint(cell.stages.values())]
        changed = replace(self.plan, cells=tuple(cells))
        self.records |= {record.cell: record for record in records_of(changed, self.store, self.present)}
        for cell in cells:
            uri = cell.stages.get("evaluate", "")
            for said in (self.predictions, self.of_classes, self.resamples):
                said.pop(cell.name, None)
            if uri in self.present and self.records[cell.name].error_class != "damaged":
                with suppress(DamageError):  # its next gathering says so
                    self._answers(cell.name, uri)

    def _answers(self, cell: str, uri: str) -> None:
        """Read what an evaluation says of the test images."""
        if self.plan.stages[uri].parameters_as(Evaluate).task is None:
            self.predictions[cell] = Predicted.of(artefact(self.store, uri, PREDICTIONS))
        else:
            self.of_classes[cell] = OfClasses.of(artefact(self.store, uri, CLASSES))
            self.resamples[cell] = scores_of(artefact(self.store, uri, RESAMPLES))

    def _words(self, uri: str, words: str) -> str:
        stage = self.plan.stages.get(uri)
        return f"{stage.kind} {stage.label}{f': {words}' if words else ''}" if stage else words

    def _state(self, uri: str, seen: LastRun) -> State:
        return state_of(
            done=uri in self.present,
            missing=self.plan.stages[uri].missing,
            failed=uri in seen.failures,
            running=uri in seen.running,
        )

    def _retried(self, states: Mapping[str, State]) -> frozenset[str]:
        gone = {uri for uri, state in states.items() if state in (State.FAILED, State.MISSING_INPUT)}
        failed = {name for name, record in self.records.items() if record.outcome == "failed"}
        return frozenset(
            cell.name for cell in self.plan.cells if cell.name in failed and gone.isdisjoint(cell.stages.values())
        )
