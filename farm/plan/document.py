"""A plan as ``plan.json`` holds it: the only writer and reader of that file. Pure.

Schema history:
    1  first form
    2  `grid_file` was `source`, a cell's `name` was `cell`, the role `fp32` was `reference`; parameters by their types
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from farm.codec import decode, encode, members
from farm.damage import check_schema
from farm.grid.settings import Claims
from farm.plan.parameters import parameters_from
from farm.plan.stage import Plan, base

SCHEMA = 2
ROLES = {"reference": "fp32"}  # of schema 1
NEEDED = ("export", "fp32", "evaluate")  # roles that every cell has
KINDS = {  # of which each role's stage is
    "calibration": "synthesize",
    "validation": "synthesize",
    "export": "export",
    "quantize": "quantize",
    "fp32": "evaluate",
    "evaluate": "evaluate",
    "measure": "measure",
}


def dumps(plan: Plan) -> str:
    """The plan as JSON, a line a stage and a cell: enough to gather records without the grid file."""
    known = {"schema": SCHEMA, **members(replace(plan, stages={}, cells=())), "claims": plan.claims.model_dump()}
    parts = {name: encode(value) for name, value in known.items()}
    parts["stages"] = _lines("{}", (f"{encode(uri)}: {encode(stage)}" for uri, stage in plan.stages.items()))
    parts["cells"] = _lines("[]", map(encode, plan.cells))
    return _lines("{}", (f"{encode(name)}: {text}" for name, text in parts.items())) + "\n"


def _lines(brackets: str, members: Iterable[str]) -> str:
    """A JSON object or array of these, one a line."""
    lines = ",\n".join(members)
    return f"{brackets[0]}\n{lines}\n{brackets[1]}" if lines else brackets


def loads(text: str | bytes, place: str = "the plan") -> Plan:
    """The plan of any schema; a published one, of which only parts are told, has neither cells nor stages.

    place: where it lies. Raises InputError if it is of a newer farm. If it is no plan, raises what `reading` expects.
    """
    document = json.loads(text)
    schema = document.get("schema", 1)
    check_schema(place, schema, SCHEMA)
    if schema < SCHEMA:
        document = _migrated(document)
    claims = Claims(**document.get("claims", {}))
    stages = {
        uri: {**stage, "parameters": parameters_from(stage["kind"], stage["parameters"])}
        for uri, stage in document.get("stages", {}).items()
    }
    plan = decode(Plan, {"effort": None, **document, "claims": claims, "stages": stages})
    _check(plan)
    return plan


def _check(plan: Plan) -> None:
    """Raises ValueError if stages or cells name what is not there, or not of the kind that they need."""
    for uri, stage in plan.stages.items():
        if stage.uri != uri:
            raise ValueError(f"{uri!r:.80} stands for {stage.uri!r:.80}")
        for need in stage.inputs.values():
            if need not in plan.stages:
                raise ValueError(f"{uri} needs {need!r:.80}, which is no stage")
    for cell in plan.cells:
        lacking = [role for role in NEEDED if role not in cell.stages]
        if lacking:
            raise ValueError(f"{cell.name!r:.80} has no stage {lacking[0]}")
        for role, uri in cell.stages.items():
            if uri not in plan.stages or plan.stages[uri].kind != KINDS.get(base(role)):
                raise ValueError(f"{cell.name!r:.80}: {role!r:.40} is {uri!r:.80}, which is no such stage")
    if plan.effort is not None and not 1 <= plan.effort.pairs[0] <= plan.effort.pairs[1]:
        raise ValueError(f"{plan.effort.pairs} are no pairs")


def _migrated(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of schema 1 in the form of schema 2."""
    cells = [
        {**cell, "name": cell["cell"], "stages": {ROLES.get(role, role): uri for role, uri in cell["stages"].items()}}
        for cell in document.get("cells", ())
    ]
    stages = {
        uri: {**stage, "parameters": _typed(stage["kind"], stage["parameters"])}
        for uri, stage in document.get("stages", {}).items()
    }
    return {**document, "grid_file": document.get("source", ""), "cells": cells, "stages": stages}


def _typed(kind: str, flat: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a stage, which had no types of their own in schema 1."""
    new = dict(flat)
    if kind == "synthesize":
        options = _without(flat, "source", "start", "stop", "fit")
        new["images"] = {"name": flat["source"], "options": options, "fit": flat.get("fit")}
    if kind == "quantize":
        new["algorithm"] = {"name": flat["algorithm"], "options": flat["parameters"]}
    if kind == "evaluate":
        new["device"] = {"name": flat["device"], "precision": flat["precision"], "node": flat.get("node")}
        new["metric"] = flat.get("metric", "top1")
    if kind == "measure":
        new["rounds"] = flat["measure"]
    if "dataset" in flat:
        new["dataset"] = {**flat["dataset"], "options": _without(flat["dataset"], "name", "fit")}
    if "model" in flat:
        new["model"] = {**flat["model"], "options": _without(flat["model"], "name", "factory", "format")}
    return new


def _without(flat: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in flat.items() if name not in names}
