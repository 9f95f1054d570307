"""A plan as ``plan.json`` holds it: the only writer and reader of that file. Pure.

Schema history:
    1  first form
    2  `grid_file` was `source`, a cell's `name` was `cell`, the role `fp32` was `reference`; parameters by their types
"""

import json
from collections.abc import Mapping
from typing import Any

from farm.codec import decode, encode, members
from farm.grid.settings import Claims
from farm.plan.parameters import parameters_from
from farm.plan.stage import Plan

SCHEMA = 2
ROLES = {"reference": "fp32"}  # of schema 1


def dumps(plan: Plan) -> str:
    """The plan as JSON: enough to gather records without the grid file."""
    return encode({"schema": SCHEMA, **members(plan), "claims": plan.claims.model_dump()}, indent=1)


def loads(text: str | bytes) -> Plan:
    """The plan of any schema; a published one, of which only parts are told, has neither cells nor stages.

    Raises ValueError if it is no plan.
    """
    document = json.loads(text)
    if document.get("schema", 1) < SCHEMA:
        document = _migrated(document)
    claims = Claims(**document.get("claims", {}))
    stages = {
        uri: {**stage, "parameters": parameters_from(stage["kind"], stage["parameters"])}
        for uri, stage in document.get("stages", {}).items()
    }
    return decode(Plan, {"effort": None, **document, "claims": claims, "stages": stages})


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
