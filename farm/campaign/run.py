"""A grid carried out: what is missing, failed or stale of it, and only that; then gathered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from farm.campaign.execute import execute
from farm.campaign.listener import NOBODY, Listener
from farm.campaign.resolve import chosen, fetched, inputs_of, names_in, planned, resolve
from farm.campaign.shipping import shipped
from farm.catalog import CATALOG
from farm.drive import PATIENCE_S
from farm.errors import AwayError, DataError, FarmError, InputError
from farm.grid.cell import Grid, expand
from farm.plan import Plan, dependents
from farm.plan.state import State, states
from farm.record import Outcome, Record
from farm.report.numbers import count
from farm.results.events import Journal
from farm.results.folder import Folder
from farm.results.gather import gathered
from farm.results.location import Location
from farm.results.reader import Damage
from farm.results.reading import attempts_table
from farm.store import Store
from farm.store.aside import set_aside
from farm.suggest import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What is asked of a campaign.

    only: cells, as ``--only`` names them; all by default. failed: of them those that failed before. fresh: stage
    kinds to do again. measure: False leaves out the measurements that are not there yet. ship: put files of this host
    into the store. engine, address, wait_s: as `execute` takes them. command: to do the same again, for plan.json.
    """

    only: Sequence[str] = ()
    failed: bool = False
    fresh: Collection[str] = ()
    measure: bool = True
    ship: bool = False
    engine: str = "ray"
    address: str | None = None
    wait_s: float = PATIENCE_S
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A campaign that has ended, gathered.

    records: of all cells. cells: those that were asked for. ran: any stage? unmeasured: measurements that `measure:
    False` left out of those that have not failed.
    """

    folder: Folder
    records: tuple[Record, ...]
    cells: frozenset[str]
    ran: bool
    unmeasured: int = 0


def run(grid: Grid, results: Location, options: RunOptions, listener: Listener = NOBODY) -> Ended:
    """Resolve, plan, drive, gather. Raises InputError for what cannot be done, and EngineError where it cannot run."""
    store, folder = results.store, results.folder(grid.name)
    store.files.check_writable()
    cells = set(chosen(expand(grid), options.only))
    inputs = inputs_of(grid.path, listener, names_in(grid, cells))
    plan = resolve(grid, inputs)
    cells, whole = {*planned(plan, grid, cells)}, plan
    if not options.measure:
        plan = _unmeasured(plan, store, options.fresh)
    cells = _failed_before(plan, store, cells) if options.failed else cells
    uris = plan.needed_by(cells)
    stale = _stale(plan, uris, options.fresh) - (set() if options.measure else _measurements(plan))
    wanted = (uris - store.present(uris)) | stale
    plan = fetched(plan, wanted, inputs)
    plan = shipped(plan, uris, store, listener) if options.ship else plan
    plan = replace(plan, grid_file=str(grid.path.resolve()), command=options.command)
    kept = folder.write_plan(plan)
    records, damaged = _carried_out(grid, plan, kept, wanted, stale, results, options, listener)
    again: set[str] = set()
    if aside := {uri for uri, damage in damaged.items() if uri in uris and set_aside(store, uri, *damage)}:
        listener.say(f"{count(len(aside), 'artefact was', 'artefacts were')} damaged, set aside, and made again")
        again = dependents(plan, aside) & uris
        again -= store.present(again) | (set() if options.measure else _measurements(plan))
        plan = fetched(plan, again, inputs)
        records, _ = _carried_out(grid, plan, kept, again, (), results, options, listener)
    failed = {record.cell for record in records if record.outcome == "failed"}
    left_out = whole.needed_by(cells - failed) - plan.stages.keys()
    return Ended(
        folder=folder, records=records, cells=frozenset(cells), ran=bool(wanted or again), unmeasured=len(left_out)
    )


def _carried_out(
    grid: Grid,
    plan: Plan,
    kept: Plan,
    wanted: Collection[str],
    stale: Collection[str],
    results: Location,
    options: RunOptions,
    listener: Listener,
) -> tuple[tuple[Record, ...], Mapping[str, Damage]]:
    """Drive what is wanted, and gather what came of it: records, and what is damaged. kept: the plan written down."""
    store, folder = results.store, results.folder(grid.name)
    try:
        if wanted:
            execute(
                plan, wanted, store, CATALOG.stages, grid.settings,
                stale=stale, engine=options.engine, address=options.address, wait_s=options.wait_s, listener=listener,
                journal=Journal(folder), past=_past(folder),
            )  # fmt: skip
    except AwayError:
        raise  # of what cannot be reached nothing can be gathered
    except BaseException as error:
        with listener.closing():
            try:
                with listener.gathering() as report:
                    gathered(folder, store, kept, report=report)
            except (FarmError, OSError) as second:
                error.add_note(f"its results could not be gathered: {second}")
        raise
    with listener.closing(), listener.gathering() as report:
        records, damaged = gathered(folder, store, kept, report=report)
    return tuple(records), damaged


def _past(folder: Folder) -> dict[str, float]:
    """How long stages took that were gathered before: uri -> seconds. What found its artefact there took no time."""
    try:
        rows = attempts_table(folder).to_pylist()
    except (DataError, InputError):  # there are none, or they are damaged, and will be gathered anew
        return {}
    done = [row for row in rows if row.get("error_class") is None and row.get("peak_rss_mib") is not None]
    return {row["uri"]: row["wall_s"] for row in done if "wall_s" in row}


def states_in(plan: Plan, store: Store, uris: Collection[str]) -> dict[str, State]:
    """The states of some of a plan's stages, in its order, as the store has them."""
    seen = store.listed(uris)
    present = {uri for uri in seen if seen[uri].there}
    tried = [uri for uri in seen if uri not in present and seen[uri].attempts]
    attempts = store.files.each(lambda uri: store.attempts.of(uri, seen[uri].attempts), tried)
    failed = {uri for uri, outcomes in zip(tried, attempts, strict=True) if not all(one.ok for one in outcomes[-1:])}
    return states(plan, uris, present=present, failed=failed.__contains__)


def last_attempt(store: Store, uri: str) -> Outcome | None:
    """A stage's last attempt; None if there was none."""
    return next(reversed(store.attempts.of(uri)), None)


def why_not(store: Store, uri: str) -> str:
    """Why a stage's artefact is not there, after its kind: ``export failed: ...``."""
    kind, last = uri.partition("/")[0], last_attempt(store, uri)
    return f"{kind} failed: {last.error_message}" if last and not last.ok else f"{kind} was not done yet: run the grid"


def _unmeasured(plan: Plan, store: Store, fresh: Collection[str]) -> Plan:
    """The plan without the measurements that are not there. Raises InputError where they are to be made anew."""
    if again := [kind for kind in fresh if kind in CATALOG.stages and CATALOG.stages[kind].exclusive]:
        raise InputError(f"--fresh {again[0]} and --no-measure: choose one")
    uris = _measurements(plan)
    return plan.without(uris - store.present(uris))


def _measurements(plan: Plan) -> set[str]:
    return {uri for uri, stage in plan.stages.items() if CATALOG.stages[stage.kind].exclusive}


def _failed_before(plan: Plan, store: Store, cells: Collection[str]) -> set[str]:
    """The cells among these with a stage that is not there and whose last attempt failed, or that lacks a file."""
    state = states_in(plan, store, plan.needed_by(cells))
    broken = {uri for uri in state if state[uri] in (State.FAILED, State.MISSING_INPUT)}
    failed = {cell.name for cell in plan.cells if cell.name in cells and not broken.isdisjoint(cell.stages.values())}
    if not failed:
        raise InputError("--failed: no cell of this grid failed before")
    return failed


def _stale(plan: Plan, uris: set[str], kinds: Collection[str]) -> set[str]:
    """The stages that ``--fresh`` means, and what needs them. Each is done again only when its turn has come."""
    for kind in kinds:
        if kind not in CATALOG.stages:
            raise InputError(f"--fresh {kind}: no such stage kind{did_you_mean(kind, CATALOG.stages)}")
    return dependents(plan, {uri for uri in uris if uri.partition("/")[0] in kinds}) & uris
