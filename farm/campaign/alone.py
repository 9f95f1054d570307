"""One stage that no grid has, run as any other: a set made as files, a generator trained. Knows neither."""

from collections.abc import Mapping

from farm.campaign.execute import execute
from farm.campaign.listener import Listener
from farm.catalog.stages import ALONE
from farm.errors import DamageError, DataError, InputError
from farm.grid.settings import Settings
from farm.host.versions import version_of
from farm.inputs import Input
from farm.plan import Plan, Stage, recipe
from farm.plan.parameters import StageParameters
from farm.record import Outcome
from farm.store import Store

BAD_INPUT = {error.__name__ for error in (DataError, DamageError, InputError)}


def stage_of(
    kind: str, label: str, parameters: StageParameters, files: Mapping[str, Input], *, equipped: bool
) -> Stage:
    """A stage of a kind of `ALONE`, as `Stage` has it."""
    libraries = {name: version_of(name) for name in ALONE[kind].libraries}
    return recipe(kind, ALONE[kind].version, parameters, files, libraries).completed(label, {}, equipped=equipped)


def carried_out(
    stage: Stage,
    store: Store,
    cores: int | None,
    listener: Listener,
    *,
    engine: str = "inline",
    address: str | None = None,
) -> Outcome:
    """Do the stage, again if it is there already. cores: None for one; engine, address: as `execute` takes them."""
    plan, uris = Plan(grid=stage.kind, stages={stage.uri: stage}), {stage.uri}
    settings = Settings(cores={stage.kind: cores} if cores else {})
    return execute(
        plan, uris, store, ALONE, settings, stale=uris, engine=engine, address=address, listener=listener
    )[stage.uri]  # fmt: skip


def is_bad_input(outcome: Outcome) -> bool:
    """Whether the stage failed because of what the user gave."""
    return outcome.error_type in BAD_INPUT
