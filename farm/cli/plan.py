"""`farm plan`: what a run would do. Counts stages, opens the user's images and models as a stage would; runs none."""

import json
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from statistics import median
from typing import Annotated

from typer import Option

from farm.analysis.families import together
from farm.campaign.checks import doomed, foreseen
from farm.campaign.resolve import chosen, resolve
from farm.campaign.resolve import planned as planned_of
from farm.campaign.run import last_attempt, states_in
from farm.catalog import CATALOG
from farm.cli.options import DEFAULT_RESULTS, GridFile, Json, Only, Results, say, stdout, table
from farm.cli.progress import clock_text
from farm.grid.cell import expand
from farm.grid.load import load
from farm.plan import Effort, Plan
from farm.plan.parameters import Evaluate
from farm.plan.state import State
from farm.report.numbers import listed
from farm.report.words import AS_IT_COMES, DOUBTS
from farm.results.cell import OF_TESTS
from farm.results.location import Location
from farm.store import Store

TIMED_STAGES = 50
WILL_FAIL = "will_fail"  # a stage that is not done, and cannot be with the images or model that it would open
TO_DO = (State.FAILED, State.WAITING)
COLUMNS = (State.DONE, State.FAILED, State.MISSING_INPUT, WILL_FAIL, State.WAITING, "total")
EXAMPLES = """
farm plan jobs/table1.yaml

farm plan jobs/study.yaml --only model=resnet20 --only algorithm=default --cells

farm plan jobs/quickstart.yaml --json
"""


def plan(
    grid_file: GridFile,
    only: Only = None,
    cells: Annotated[bool, Option("--cells", help="List the cells too.")] = False,
    no_measure: Annotated[bool, Option("--no-measure", help="As `farm run --no-measure`: accuracy alone.")] = False,
    as_json_: Json = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Say what `farm run` would do: cells, stages done, failed and waiting, and about how long. Runs nothing.

    Names files that are not there, models and images of your own that no stage could use, and what failed before; says
    what must be known of others, such as classes of which there are none.
    """
    grid = load(grid_file, CATALOG)
    planned, store = resolve(grid), Location.of(results).store
    asked = set(chosen(expand(grid), only))
    names = planned_of(planned, grid, asked)
    uris = planned.needed_by(names)
    if no_measure:
        uris = {uri for uri in uris if not CATALOG.stages[planned.stages[uri].kind].exclusive}
    states = states_in(planned, store, uris)
    opened = foreseen(planned, [uri for uri, state in states.items() if state in TO_DO])
    failing = doomed(planned, opened.faults, uris)
    will_be = {uri: WILL_FAIL if uri in failing and state in TO_DO else state for uri, state in states.items()}
    counts = _counts(planned, store, will_be)
    reasons = {
        State.FAILED: _failed(planned, store, [uri for uri, state in will_be.items() if state == State.FAILED]),
        State.MISSING_INPUT: sorted({planned.stages[uri].missing for uri in uris} - {""}),
        WILL_FAIL: sorted(set(opened.faults.values())),
    }
    notes = (*opened.notes, *_of_tests(planned, names), *_odd(planned, names), *_as_given(planned, asked - names))
    if as_json_:
        stdout.print_json(json.dumps({"cells": sorted(names), "stages": counts, **reasons, "notes": notes}))
        return 0
    _show(counts, len(names))
    for state, texts in reasons.items():
        for text in texts:
            say(f"{_heading(state)}: {text}")
    for note in notes:
        say(note)
    for name in [cell.name for cell in planned.cells if cell.name in names] if cells else ():
        say(name)
    return 0


def _failed(plan: Plan, store: Store, uris: Collection[str]) -> list[str]:
    """What was said of these stages' failures, a line for all that failed alike."""
    alike = together(
        ((stage.kind, last.error_message), stage.label)
        for stage, last in ((plan.stages[uri], last_attempt(store, uri)) for uri in uris)
        if last is not None
    )
    return [f"{kind} {listed([*dict.fromkeys(labels)])}: {message}" for (kind, message), labels in alike.items()]


def _of_tests(plan: Plan, names: Collection[str]) -> Iterator[str]:
    """A line for sets that are made of test images."""
    cells = (cell for cell in plan.cells if cell.name in names and plan.is_calibrated_on_tests(cell))
    for source in dict.fromkeys(cell.calibration_source for cell in cells):
        yield f"{source}: {OF_TESTS}"


def _odd(plan: Plan, names: Collection[str]) -> Iterator[str]:
    """A line for each range of inputs that no network is trained on."""
    models: dict[tuple[float, float], dict[str, None]] = {}
    for cell in (cell for cell in plan.cells if cell.name in names):
        how = plan.stages[cell.stages["evaluate"]].parameters_as(Evaluate).preprocessing
        if how.is_odd:
            models.setdefault(how.input_range, {})[cell.model] = None
    for ends, those in models.items():
        yield f"{listed([*those])}: {DOUBTS['input_range'].format(*ends)}"


def _as_given(plan: Plan, gone: Collection[str]) -> Iterator[str]:
    """A line for models whose cells are not planned, for they are quantized as they come."""
    models = [
        model
        for model in dict.fromkeys(cell.model for cell in plan.cells)
        if any(name.startswith(f"{model}/") for name in gone)
    ]
    if models:
        yield f"{listed(models)}: {AS_IT_COMES}"


def _show(counts: Mapping[str, Mapping[str, float]], cells: int) -> None:
    columns = [key for key in COLUMNS if key != WILL_FAIL or any(count[key] for count in counts.values())]
    stages = table("stage", numbers=(*map(_heading, columns), "about"))
    for kind, by_state in counts.items():
        stages.add_row(kind, *(str(by_state[key]) for key in columns), clock_text(float(by_state["estimate_s"])))
    stdout.print(stages)
    total = sum(float(count["estimate_s"]) for count in counts.values())
    count = f"{cells:,} {'cell' if cells == 1 else 'cells'}"
    alone = "; measurements run alone" if any(CATALOG.stages[kind].exclusive for kind in counts) else ""
    stdout.print(f"{count}; about {clock_text(total)} of work, shared by the cores{alone}")


def _heading(column: str) -> str:
    return "of" if column == "total" else column.replace("_", " ")


def _counts(plan: Plan, store: Store, states: Mapping[str, str]) -> dict[str, dict[str, float]]:
    counts: dict[str, dict[str, float]] = {}
    for uri, state in states.items():
        count = counts.setdefault(plan.stages[uri].kind, dict.fromkeys((*COLUMNS, "estimate_s"), 0))
        count["total"] += 1
        count[state] += 1
    done = [uri for uri, state in states.items() if state == State.DONE]
    for kind, count in counts.items():
        left = sum(count[state] for state in TO_DO)
        count["estimate_s"] = left * (_median_s(kind, store, done) or _guess_s(kind, plan)) if left else 0
    return counts


def _median_s(kind: str, store: Store, uris: Collection[str]) -> float | None:
    """The median wall time of the kind's stages among these, which are there; None if there is none."""
    manifests = (store.manifest(uri) for uri in sorted(uris) if uri.startswith(f"{kind}/"))
    walls = [float(manifest.wall_s) for manifest in islice(filter(None, manifests), TIMED_STAGES)]
    return median(walls) if walls else None


def _guess_s(kind: str, plan: Plan) -> float:
    """What such a stage takes as a rule; a measurement by the least number of pairs that is asked for."""
    if CATALOG.stages[kind].exclusive:
        return (plan.effort or Effort()).typical_s
    return CATALOG.stages[kind].typical_s
