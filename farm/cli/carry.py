"""Carrying out a plan, for every command that has one: an engine, progress, and Ctrl-C that works."""

import uuid
from collections.abc import Collection, Mapping

from farm.cli import interrupt
from farm.cli.progress import Report, shown
from farm.cli.wiring import stderr
from farm.drive import Limits, Progress, drive
from farm.engine import Engine
from farm.errors import InputError
from farm.grid import Settings
from farm.plan import Plan, dependents
from farm.record import Outcome
from farm.spec import StageSpec
from farm.store import Store
from farm.suggest import did_you_mean


def carry_out(
    plan: Plan,
    wanted: set[str],
    store: Store,
    stages: Mapping[str, StageSpec],
    settings: Settings,
    *,
    stale: Collection[str] = (),
    engine: str = "inline",
    address: str | None = None,
    quiet: bool = False,
    failures: bool = True,
) -> dict[str, Outcome]:
    """Drive a plan on an engine, showing progress; the engine is closed whatever happens. The outcomes by uri.

    stages: the specs of all stage kinds. stale: stages to be done again although they are there. engine, address: as
    `farm run` takes them. failures: whether progress tells of them too; False for callers that do so afterwards.
    """
    limits = Limits(stages=stages, settings=settings, session=uuid.uuid4().hex[:12])
    lacking = dependents(plan, {uri for uri in wanted if plan.stages[uri].missing})
    with shown(stderr, quiet=quiet) as report:
        chosen_engine = _engine(engine if wanted - lacking else "inline", address, quiet=quiet)
        interrupt.listen()  # Ray has set handlers of its own
        heeded = interrupt.heeding(report if failures else _but_failures(report))
        try:
            return drive(plan, wanted, engine=chosen_engine, store=store, limits=limits, report=heeded, stale=stale)
        finally:
            with interrupt.held_off():
                chosen_engine.close()


def _but_failures(report: Report) -> Report:
    """The report without a stage's failure."""

    def reported(progress: Progress) -> None:
        if not (isinstance(progress.last, Outcome) and not progress.last.ok):
            report(progress)

    return reported


def _engine(name: str, address: str | None, *, quiet: bool) -> Engine:
    if name == "inline":
        from farm.engine.inline import InlineEngine  # noqa: PLC0415

        return InlineEngine()
    if name != "ray":
        raise InputError(f"--engine {name}: there are ray and inline{did_you_mean(name, ('ray', 'inline'))}")
    if not quiet:
        stderr.print("starting Ray ..." if address is None else f"joining Ray at {address} ...", style="dim")
    from farm.engine.ray import RayEngine  # noqa: PLC0415 - seconds that only a run with work to do pays

    return RayEngine(address)
