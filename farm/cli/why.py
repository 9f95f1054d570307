"""`farm why`: it reads, and runs nothing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path

from farm.campaign.resolve import resolve
from farm.campaign.run import last_attempt
from farm.catalog import CATALOG
from farm.cli.options import DEFAULT_RESULTS, Cell, CellGrid, Json, Results, at, say, stdout, table
from farm.codec import differences
from farm.errors import DamageError
from farm.grid.load import load
from farm.plan import Plan, Stage, dumps, loads
from farm.plan.state import State, state_of
from farm.record import Record
from farm.report.verdicts import sentence, states
from farm.results import tables
from farm.results.folder import Folder
from farm.results.location import Location
from farm.results.reading import command_of, records_table
from farm.store import Store

EXAMPLES = """
farm why 'resnet20/fractal/default/CPU{threads=1}'

farm why 'resnet20/-/ir/CPU{threads=1}' --grid quickstart --json
"""


def why(
    cell: Cell,
    grid: CellGrid = None,
    as_json: Json = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Say for each stage of a cell: done, or stale and which input changed, or failed and why.

    And of its measurement why it does not hold, where it does not, and how it went while neighbours slowed the cores.
    """
    found = Location.of(results).cell(cell, grid)
    folder, before, now = found.folder, found.plan, _plan_now(found.plan, cell)
    store = Location.of(results).store
    rows = list(_reasons(before, now, cell, store))
    for row in rows:
        gathered = row["role"] == "measure" and row["uri"] == _stages(before, cell).get("measure")
        record = _gathered(folder, cell) if gathered and row["state"] == State.DONE else None
        row["verdict"] = _verdict(record, folder, results) if record else ""
        row["cores"] = states(record) if record else ""
    if as_json:
        stdout.print_json(json.dumps(rows))
        return 0
    say(f"{cell} of the grid {found.grid}:")
    _show(rows)
    return 0


def _show(rows: Sequence[Mapping[str, str]]) -> None:
    stages = table("role", "stage", "state", "because")
    for row in rows:
        stages.add_row(row["role"], row["uri"][:20], State(row["state"]).shown, row["because"])
    stdout.print(stages)
    for row in rows:
        if row["log"]:
            say(f"log of {row['role']}: {row['log']}")
        if row["verdict"]:
            say(f"its measurement is {row['verdict']}")
        if row["cores"]:
            say(f"its measurement: {row['cores']}")


def _plan_now(before: Plan, cell: str) -> Plan:
    """The plan as the grid file says it now; the one that was run, where the file is gone or lost the cell."""
    grid_file = Path(before.grid_file)
    if not grid_file.is_file():
        return before
    planned = resolve(load(grid_file, CATALOG))
    now = loads(dumps(planned))  # as a file would give it back
    return now if now.cell(cell) else before


def _stages(plan: Plan, cell: str) -> Mapping[str, str]:
    """The uris of the cell's stages by role."""
    planned = plan.cell(cell)
    return planned.stages if planned else {}


def _reasons(before: Plan, now: Plan, cell: str, store: Store) -> Iterator[dict[str, str]]:
    old, new = _stages(before, cell), _stages(now, cell)
    for role, uri in new.items():
        stage, done, last = now.stages[uri], store.has(uri), last_attempt(store, uri)
        damage = _damage(store, uri) if done else ""
        missing = stage.missing or "; ".join(_not_downloaded(before, uri))
        replaced = not done and role in old and old[role] != uri
        failed = bool(damage) or (last is not None and not last.ok)
        state = state_of(done=done and not damage, missing=missing, failed=failed, stale=replaced)
        because = {State.MISSING_INPUT: missing, State.WAITING: "not run yet"}.get(state, "")
        if state is State.DONE:
            because = f"{last.attempt if last else 0} attempt{'s' if not last or last.attempt != 1 else ''}"
        elif damage:
            because = damage
        elif state is State.FAILED and last:
            because = f"{last.error_class}: {last.error_message}"
        elif state is State.STALE:
            because = "changed: " + ", ".join(_changes(before.stages[old[role]], stage))
        log = last.log if state is State.FAILED and last else ""
        yield {"role": role, "uri": uri, "state": state, "because": because, "log": log}


def _damage(store: Store, uri: str) -> str:
    """Why an artefact is no longer what it was; of a remote one, whose bytes are far, as its manifest alone tells."""
    try:
        if store.files.local:
            store.check(uri)
        else:
            store.manifest(uri)
    except DamageError as error:
        return str(error)
    return ""


def _gathered(folder: Folder, cell: str) -> Record | None:
    """The cell's record, if it was gathered."""
    records = tables.records_from(records_table(folder)) if folder.has(tables.RECORDS) else ()
    return next((record for record in records if record.cell == cell), None)


def _verdict(record: Record, folder: Folder, results: str) -> str:
    """The verdict on the cell's measurement and its reason, where it does not hold; else empty.

    results: as typed, where the command that it ends with goes on from.
    """
    if record.verdict in (None, "valid"):
        return ""
    ran = command_of(records_table(folder)).partition(" --results ")[0]  # wherever that was then
    return f"{record.verdict}: {sentence([record], f'{ran}{at(results)}' if ran else '')}"


def _not_downloaded(before: Plan, uri: str) -> list[str]:
    """What the run said of a stage's files that it could not download, while they still are not here."""
    files = before.stages[uri].files.values() if uri in before.stages else ()
    return [file.missing for file in files if file.missing and file.url and not Path(file.path).exists()]


def _changes(before: Stage, after: Stage) -> Iterator[str]:
    """What differs between two stages of one role, in words."""
    old, new = asdict(before), asdict(after)
    for part in ("parameters", "inputs", "libraries"):
        for name, was, now in sorted(differences(part, old[part], new[part]), key=itemgetter(0)):
            yield f"{name} (upstream)" if part == "inputs" else f"{name} {was} -> {now}"
    contents = ({role: file.sha256 for role, file in stage.files.items()} for stage in (before, after))
    for role, _, _ in sorted(differences("", *contents), key=itemgetter(0)):
        yield f"content of {role} {after.files[role].path if role in after.files else ''}"
