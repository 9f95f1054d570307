"""A plan carried out on an engine, whose end is certain. Knows engines by name, and who listens."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from types import MappingProxyType

from farm.campaign.listener import NOBODY, Listener
from farm.drive import PATIENCE_S, Driver, Progress
from farm.engine import Engine
from farm.errors import InputError
from farm.grid.settings import Settings
from farm.plan import Plan, dependents
from farm.record import Outcome
from farm.remote import hurried
from farm.results.events import Journal
from farm.spec import StageSpec
from farm.store import Store
from farm.store.claims import Claims
from farm.suggest import did_you_mean

ENGINES = ("ray", "inline")


def execute(
    plan: Plan,
    wanted: Collection[str],
    store: Store,
    stages: Mapping[str, StageSpec],
    settings: Settings,
    *,
    stale: Collection[str] = (),
    engine: str = "inline",
    address: str | None = None,
    wait_s: float = PATIENCE_S,
    listener: Listener = NOBODY,
    journal: Journal | None = None,
    past: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Outcome]:
    """Drive a plan on an engine, which is closed whatever happens. The outcomes by uri.

    stages: the specs of all stage kinds. stale: stages to be done again although they are there. engine: ``ray``, which
    is started only if a stage can run, or ``inline``. address: of a running Ray cluster. wait_s: how long a node is
    waited for. journal: notes what is seen. past: uri -> how many seconds such stages took before.
    """
    lacking = dependents(plan, {uri for uri in wanted if plan.stages[uri].missing})
    journal = journal or Journal()
    with journal.running(wanted), listener.progress() as report:

        def reported(progress: Progress) -> None:
            journal.flush()
            report(progress)

        running = _engine(engine if set(wanted) - lacking else "inline", address, wait_s, listener)
        listener.started()
        claims = Claims(store)
        try:
            driver = Driver(
                plan=plan, wanted=wanted, engine=running, store=store, stages=stages, settings=settings,
                stale=stale, note=journal.note, past=past, claims=claims, patience_s=wait_s,
            )  # fmt: skip
            return driver.drive(reported)
        finally:
            with listener.closing(), hurried():
                try:
                    running.close()
                finally:
                    with suppress(OSError):  # they lapse by themselves
                        claims.close()


def _engine(name: str, address: str | None, wait_s: float, listener: Listener) -> Engine:
    if name == "inline":
        from farm.engine.inline import InlineEngine  # noqa: PLC0415

        return InlineEngine()
    if name != "ray":
        raise InputError(f"--engine {name}: there are ray and inline{did_you_mean(name, ENGINES)}")
    listener.say("starting Ray ..." if address is None else f"joining Ray at {address} ...")
    from farm.engine.ray import RayEngine  # noqa: PLC0415 - seconds that only a run with work to do pays

    return RayEngine(address, wait_s=wait_s, say=listener.say)
