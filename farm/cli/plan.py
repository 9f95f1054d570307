"""`farm plan`: what a run would do. Counts stages, and opens the user's own images as a stage would; runs nothing."""

import json
from collections.abc import Collection, Mapping
from itertools import islice
from statistics import median
from typing import Annotated

import typer
from rich.table import Table

from farm.campaign.checks import faults, state_of
from farm.catalog import CATALOG
from farm.cli.progress import clock_text
from farm.cli.wiring import DEFAULT_RESULTS, GridFile, Json, Only, Results, chosen, plan_of, stdout, store_of
from farm.plan import Plan, dependents
from farm.store import Store

TIMED_STAGES = 50
STATES = {  # of a stage -> its column
    "cached": "cached", "failed": "failed", "missing_input": "missing input", "will_fail": "will fail",
    "to_run": "to run", "total": "of",
}  # fmt: skip
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
    uris = planned.needed_by(names)
    there = store.present(uris)
    states = {uri: state_of(planned, store, uri, there) for uri in planned.stages if uri in uris}
    failing = faults(planned, [uri for uri, state in states.items() if state in ("failed", "to_run")])
    counts = _counts(planned, store, _foreseen(planned, states, failing))
    reasons = {
        "missing_input": sorted({planned.stages[uri].missing for uri in uris} - {""}),
        "will_fail": sorted(set(failing.values())),
    }
    if as_json_:
        stdout.print_json(json.dumps({"cells": sorted(names), "stages": counts, **reasons}))
        return 0
    _show(counts, len(names))
    for state, texts in reasons.items():
        for text in texts:
            stdout.print(f"{STATES[state]}: {text}", highlight=False, soft_wrap=True)
    for name in [cell.name for cell in planned.cells if cell.name in names] if cells else ():
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
    meant = f"{cells:,} {'cell' if cells == 1 else 'cells'}"
    stdout.print(f"{meant}; about {clock_text(total)} of work, shared by the cores; measurements run alone")


def _foreseen(plan: Plan, states: Mapping[str, str], failing: Collection[str]) -> dict[str, str]:
    """The state of each stage, given that what needs a stage which cannot be done cannot be done either."""
    lacking = dependents(plan, {uri for uri, state in states.items() if state == "missing_input"})
    doomed = dependents(plan, set(failing))

    def foreseen(uri: str, state: str) -> str:
        if state == "to_run" and uri in lacking:
            return "missing_input"
        return "will_fail" if uri in doomed and state in ("failed", "to_run") else state

    return {uri: foreseen(uri, state) for uri, state in states.items()}


def _counts(plan: Plan, store: Store, states: Mapping[str, str]) -> dict[str, dict[str, float]]:
    counts: dict[str, dict[str, float]] = {}
    for uri, state in states.items():
        count = counts.setdefault(plan.stages[uri].kind, dict.fromkeys((*STATES, "estimate_s"), 0))
        count["total"] += 1
        count[state] += 1
    cached = [uri for uri, state in states.items() if state == "cached"]
    for kind, count in counts.items():
        left = count["failed"] + count["to_run"]
        count["estimate_s"] = left * _typical_s(kind, store, cached) if left else 0
    return counts


def _typical_s(kind: str, store: Store, uris: Collection[str]) -> float:
    """The median wall time of the kind's stages among these, which are there; the table's guess if there is none."""
    known = (store.manifest(uri) for uri in sorted(uris) if uri.startswith(f"{kind}/"))
    walls = [float(manifest["wall_s"]) for manifest in islice(filter(None, known), TIMED_STAGES)]
    return median(walls) if walls else CATALOG.stages[kind].typical_s
