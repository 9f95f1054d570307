"""Stages as an engine gets them, with what the grid's settings say of their kinds. Knows nodes by what fits them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from farm.drive.placing import Need, Placing
from farm.drive.tries import Tries
from farm.engine import Work
from farm.grid.settings import Settings
from farm.plan import Effort, Plan, Stage
from farm.plan.parameters import device_of
from farm.spec import StageSpec
from farm.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    """Makes those of a run. stages, stale: as `Driver` has them."""

    plan: Plan
    store: Store
    session: str
    stages: Mapping[str, StageSpec]
    settings: Settings
    stale: Collection[str]
    tries: Tries
    placing: Placing

    def of(self, uri: str, gpus: float | None = None) -> Work:
        """A stage as the engine gets it. A GPU that was asked for stays so: the engine refuses what it has not.

        gpus: what it gets of one; None for what it would get on the nodes that there are now.
        """
        stage, settings = self.plan.stages[uri], self.settings
        spec, device = self.stages[stage.kind], device_of(stage.parameters)
        threads = device.threads if device else None
        memory_gib = settings.memory_gib.get(stage.kind, spec.memory_gib)
        return Work(
            stage=stage,
            function=spec.function,
            store=self.store,
            session=self.session,
            cores=threads if spec.exclusive else settings.cores.get(stage.kind, 1),
            exclusive=spec.exclusive,
            per_node=settings.measure.per_node if spec.exclusive else 1,
            effort=self.plan.effort if spec.exclusive else None,
            fresh=uri in self.stale,
            node=device.node if device else None,
            timeout_s=settings.timeout_s.get(stage.kind, spec.timeout_s),
            memory_gib=memory_gib * 2.0 ** self.tries.of(uri, "oom"),
            gpus=self._gpus(stage) if gpus is None else gpus,
        )

    def typical_s(self, kind: str) -> float:
        """What a stage of a kind takes as a rule."""
        return (self.plan.effort or Effort()).typical_s if self.stages[kind].exclusive else self.stages[kind].typical_s

    def asks_for_gpu(self, uri: str) -> bool:
        """Whether the grid's settings say what share of a GPU such a stage takes."""
        return self.plan.stages[uri].kind in self.settings.gpus

    def _gpus(self, stage: Stage) -> float:
        """What a stage gets of a GPU: its share, where a node has one, or one was asked for and may yet come."""
        share = self.settings.gpus.get(stage.kind, 1.0) if stage.equipped else 0.0
        need = Need("gpu", self.settings.cores.get(stage.kind, 1), share)
        there = share and any(need.fits(place) for place in self.placing.places.values())
        return share if there or stage.kind in self.settings.gpus else 0.0
