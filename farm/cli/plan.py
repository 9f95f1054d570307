"""`farm plan`: what a run would do. Counts stages, and opens the user's own images as a stage would; runs nothing."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.table import Table

from farm.catalog import CATALOG
from farm.cli.run import GridFile, stages_of, state_of
from farm.cli.wiring import DEFAULT_RESULTS, Json, Only, Results, chosen, plan_of, stdout, store_of
from farm.errors import FarmError
from farm.plan import Plan, Stage, dependents
from farm.report.progress import clock_text
from farm.spec import resolve
from farm.store import Store

TIMED_STAGES = 50
STATES = {  # of a stage -> its column
    "cached": "cached", "failed": "failed", "missing_input": "missing input", "will_fail": "will fail",
    "to_run": "to run", "total": "of",
}  # fmt: skip
OPENED = ("folder", "parquet", "shards")  # images that are opened in no time, and run nobody's code
LOOKED_AT = {"distylegan": "farm.images.distylegan.layout:check"}  # files of what takes longer
EXAMPLES = """
farm plan jobs/table1.yaml

farm plan jobs/study.yaml --only model=resnet20 --only algorithm=default --cells

farm plan jobs/quickstart.yaml --json
"""


def plan(
    grid_file: GridFile,
    only: Only = None,
    cells: Annotated[bool, typer.Option("--cells", help="List the cells too.")] = False,
    as_json_: Json = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Say what `farm run` would do: cells, stages cached, failed and to run, and about how long. Runs nothing.

    Files that are not there, and images of your own that no stage could use, are named.
    """
    _, planned = plan_of(grid_file)
    store = store_of(results)
    names = set(chosen(planned, only))
    uris = stages_of(planned, names)
    states = {uri: state_of(planned, store, uri) for uri in planned.stages if uri in uris}
    faults = _faults(planned, [uri for uri, state in states.items() if state in ("failed", "to_run")])
    counts = _counts(planned, store, _foreseen(planned, states, faults))
    if as_json_:
        stdout.print_json(json.dumps({"cells": sorted(names), "stages": counts}))
        return 0
    _show(counts, len(names))
    for text in sorted({stage.missing for uri in uris if (stage := planned.stages[uri]).missing}):
        stdout.print(f"missing input: {text}", highlight=False, soft_wrap=True)
    for text in sorted(set(faults.values())):
        stdout.print(f"will fail: {text}", highlight=False, soft_wrap=True)
    for name in [each.cell.name for each in planned.cells if each.cell.name in names] if cells else ():
        stdout.print(name, highlight=False, soft_wrap=True)
    return 0


def _show(counts: Mapping[str, Mapping[str, float]], cells: int) -> None:
    columns = [key for key in STATES if key != "will_fail" or any(count[key] for count in counts.values())]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("stage")
    for column in (*(STATES[key] for key in columns), "about"):
        table.add_column(column, justify="right")
    for kind, count in counts.items():
        table.add_row(kind, *(str(count[key]) for key in columns), clock_text(float(count["estimate_s"])))
    stdout.print(table)
    total = sum(float(count["estimate_s"]) for count in counts.values())
    stdout.print(f"{cells} cells; about {clock_text(total)} of work, shared by the cores; measurements run alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """Images as a stage opens them, and how many of them: 0 for all."""

    function: str
    parameters: Mapping[str, Any]
    files: Mapping[str, Path]
    count: int

    def same(self) -> str:
        """What those have in common that differ in the count alone."""
        return repr((self.function, sorted(self.parameters.items()), sorted(self.files.items()), self.count == 0))


def _faults(plan: Plan, uris: Collection[str]) -> dict[str, str]:
    """Why stages will fail at once, by uri: their images cannot be used. A part of a set opens where all of it does."""
    openings = {uri: opening for uri in uris if (opening := _opening(plan.stages[uri])) is not None}
    sound, found = set(), {}
    for uri, opening in sorted(openings.items(), key=lambda item: -item[1].count):
        if opening.same() in sound:
            continue
        fault = _fault(opening)
        if fault:
            found[uri] = fault
        else:
            sound.add(opening.same())
    return found


def _opening(stage: Stage) -> _Opening | None:
    """The images that a stage opens, where they are the user's own; None of any other stage."""
    parameters = dict(stage.parameters)
    if stage.kind == "synthesize":
        name, table, count = parameters.pop("source"), CATALOG.sources, parameters.pop("stop")
        del parameters["start"]
    elif "dataset" in parameters:
        parameters = dict(parameters["dataset"])
        name, table, count = parameters.pop("name"), CATALOG.datasets, parameters.pop("count") or 0
    else:
        return None
    function = table[name].function if name in OPENED else LOOKED_AT.get(name)
    files = {role: Path(found.path) for role, found in stage.files.items() if not found.missing and not found.code}
    if function is None or not all(path.exists() for path in files.values()):
        return None
    return _Opening(function=function, parameters=parameters, files=files, count=count)


def _fault(opening: _Opening) -> str:
    """What a stage would say of these images; empty if it can use them."""
    try:
        resolve(opening.function)({**opening.parameters, "count": opening.count or None}, opening.files)
    except (FarmError, OSError) as error:
        return str(error)
    return ""


def _foreseen(plan: Plan, states: Mapping[str, str], faults: Collection[str]) -> dict[str, str]:
    """The state of each stage, given that what needs a stage which cannot be done cannot be done either."""
    lacking = dependents(plan, {uri for uri, state in states.items() if state == "missing_input"})
    failing = dependents(plan, set(faults))

    def foreseen(uri: str, state: str) -> str:
        if state == "to_run" and uri in lacking:
            return "missing_input"
        return "will_fail" if uri in failing and state in ("failed", "to_run") else state

    return {uri: foreseen(uri, state) for uri, state in states.items()}


def _counts(plan: Plan, store: Store, states: Mapping[str, str]) -> dict[str, dict[str, float]]:
    counts: dict[str, dict[str, float]] = {}
    for uri, state in states.items():
        count = counts.setdefault(plan.stages[uri].kind, dict.fromkeys((*STATES, "estimate_s"), 0))
        count["total"] += 1
        count[state] += 1
    for kind, count in counts.items():
        count["estimate_s"] = (count["failed"] + count["to_run"]) * _typical_s(kind, store, states)
    return counts


def _typical_s(kind: str, store: Store, uris: Collection[str]) -> float:
    """The median wall time of the kind's stages that are there; the table's guess while there is none."""
    known = (store.manifest(uri) for uri in sorted(uris) if uri.startswith(f"{kind}/"))
    walls = [float(manifest["wall_s"]) for manifest in islice(filter(None, known), TIMED_STAGES)]
    return median(walls) if walls else CATALOG.stages[kind].typical_s
