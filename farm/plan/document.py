"""A plan as ``plan.json`` holds it: the only writer and reader of that file. Pure.

Schema history:
    1  first form
    2  `grid_file` was `source`, a cell's `name` was `cell`, and the role `fp32` was `reference`
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from farm.codec import decode
from farm.grid.settings import Claims
from farm.plan.stage import Effort, Plan, PlannedCell, Stage

SCHEMA = 2


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON: enough to gather records without the grid file."""
    return {
        "schema": SCHEMA,
        "grid": plan.grid,
        "grid_file": plan.grid_file,
        "command": plan.command,
        "dataset": plan.dataset,
        "metric": plan.metric,
        "effort": asdict(plan.effort) if plan.effort else None,
        "claims": plan.claims.model_dump(),
        "cells": [asdict(cell) for cell in plan.cells],
        "stages": {uri: asdict(stage) for uri, stage in plan.stages.items()},
    }


def from_json(document: Mapping[str, Any]) -> Plan:
    """The plan of any schema; a published one, of which only parts are told, has neither cells nor stages.

    Raises ValueError if it is no plan.
    """
    if document.get("schema", 1) < SCHEMA:
        document = _migrated(document)
    return Plan(
        grid=document.get("grid", ""),
        grid_file=document.get("grid_file", ""),
        command=document.get("command", ""),
        dataset=document.get("dataset", ""),
        metric=document.get("metric", "top1"),
        effort=decode(Effort, document.get("effort")),
        claims=Claims(**document.get("claims", {})),
        cells=tuple(decode(PlannedCell, cell) for cell in document.get("cells", ())),
        stages={uri: decode(Stage, stage) for uri, stage in document.get("stages", {}).items()},
    )


def _migrated(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of schema 1 in the form of schema 2."""
    cells = [{**cell, "name": cell["cell"], "stages": _renamed(cell["stages"])} for cell in document.get("cells", ())]
    return {"grid_file": document.get("source", ""), "stages": {}, **document, "cells": cells}


def _renamed(stages: Mapping[str, str]) -> dict[str, str]:
    return {"fp32" if role == "reference" else role: uri for role, uri in stages.items()}
