"""A plan as ``plan.json`` holds it. Pure."""

from dataclasses import asdict
from typing import Any

from farm.grid.cell import SEED
from farm.plan.build import runtime_of
from farm.plan.stage import Plan, Planned, Stage


def as_json(plan: Plan, source: str, command: str) -> dict[str, Any]:
    """The plan as ``plan.json`` holds it: enough to gather records without the grid file, which is `source`.

    command: as it was typed, to run the grid again.
    """
    return {
        "schema": 1,
        "grid": plan.grid,
        "source": source,
        "command": command,
        "effort": dict(plan.effort),
        "claims": dict(plan.claims),
        "dataset": plan.dataset,
        "metric": plan.metric,
        "cells": [_cell_json(planned) for planned in plan.cells],
        "stages": {uri: _stage_json(stage) for uri, stage in plan.stages.items()},
    }


def _stage_json(stage: Stage) -> dict[str, Any]:
    return {
        "kind": stage.kind,
        "key": stage.key,
        "label": stage.label,
        "parameters": stage.parameters,
        "inputs": stage.inputs,
        "files": {role: asdict(found) for role, found in stage.files.items()},
        "libraries": stage.libraries,
    }


def _cell_json(planned: Planned) -> dict[str, Any]:
    cell = planned.cell
    model, calibration, algorithm, device = cell.labels()
    return {
        "cell": cell.name,
        "model": model,
        "calibration": calibration if cell.calibration else None,
        "calibration_source": cell.calibration.source if cell.calibration else None,
        "calibration_seed": cell.calibration.parameters.get(SEED) if cell.calibration else None,
        "algorithm": algorithm,
        "device": device,
        "runtime": runtime_of(cell),
        "stages": dict(planned.stages),
    }
