"""A plan as ``plan.json`` holds it: the only writer and reader of that file. Pure.

Schema history:
    1  first form
    2  `grid_file` was `source`, a cell's `name` was `cell`, the role `fp32` was `reference`; parameters by their types
"""

import json
from collections.abc import Mapping
from typing import Any

from farm.codec import decode, encode
from farm.grid.settings import Claims
from farm.plan.parameters import parameters_from
from farm.plan.stage import Effort, Plan, PlannedCell, Stage

SCHEMA = 2
IMAGES = ("name", "fit")  # what a dataset had beside its options in schema 1


def dumps(plan: Plan) -> str:
    """The plan as JSON: enough to gather records without the grid file."""
    document = {
        "schema": SCHEMA,
        "grid": plan.grid,
        "grid_file": plan.grid_file,
        "command": plan.command,
        "dataset": plan.dataset,
        "metric": plan.metric,
        "effort": plan.effort,
        "claims": plan.claims.model_dump(),
        "cells": plan.cells,
        "stages": plan.stages,
    }
    return encode(document, indent=1)


def loads(text: str | bytes) -> Plan:
    """The plan of any schema; a published one, of which only parts are told, has neither cells nor stages.

    Raises ValueError if it is no plan.
    """
    document = json.loads(text)
    if document.get("schema", 1) < SCHEMA:
        document = _migrated(document)
    return Plan(
        grid=document.get("grid", ""),
        grid_file=document.get("grid_file", ""),
        command=document.get("command", ""),
        dataset=document.get("dataset", ""),
        metric=document.get("metric", "top1"),
        effort=decode(Effort, document["effort"]) if document.get("effort") else None,
        claims=Claims(**document.get("claims", {})),
        cells=tuple(decode(PlannedCell, cell) for cell in document.get("cells", ())),
        stages={uri: _stage(stage) for uri, stage in document.get("stages", {}).items()},
    )


def _stage(stage: Mapping[str, Any]) -> Stage:
    return decode(Stage, {**stage, "parameters": parameters_from(stage["kind"], stage["parameters"])})


def _migrated(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of schema 1 in the form of schema 2."""
    cells = [
        {**cell, "name": cell["cell"], "stages": {_role(role): uri for role, uri in cell["stages"].items()}}
        for cell in document.get("cells", ())
    ]
    stages = {
        uri: {**stage, "parameters": _typed(stage["kind"], stage["parameters"])}
        for uri, stage in document.get("stages", {}).items()
    }
    return {**document, "grid_file": document.get("source", ""), "cells": cells, "stages": stages}


def _role(role: str) -> str:
    return "fp32" if role == "reference" else role


def _typed(kind: str, flat: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a stage, which had no types of their own in schema 1."""
    new = dict(flat)
    if kind == "synthesize":
        options = {name: value for name, value in flat.items() if name not in ("source", "start", "stop", "fit")}
        new["images"] = {"name": flat["source"], "options": options, "fit": flat.get("fit")}
    if kind == "quantize":
        new["algorithm"] = {"name": flat["algorithm"], "options": flat["parameters"]}
    if kind == "evaluate":
        new["device"] = {"name": flat["device"], "precision": flat["precision"], "node": flat.get("node")}
        new["metric"] = flat.get("metric", "top1")
    if kind == "measure":
        new["rounds"] = flat["measure"]
    if "dataset" in flat:
        options = {name: value for name, value in flat["dataset"].items() if name not in IMAGES}
        new["dataset"] = {**flat["dataset"], "options": options}
    if "model" in flat:
        options = {name: value for name, value in flat["model"].items() if name not in ("name", "factory", "format")}
        new["model"] = {**flat["model"], "options": options}
    return new
