"""plan.json: written and read by one module, of this schema and of the one before."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from farm.plan import Effort, Plan, from_json, to_json
from farm.plan.stage import PlannedCell
from tests.conftest import plan_of

PUBLISHED = sorted((Path(__file__).parents[2] / "results" / "reference").glob("*/plan.json"))


def written(plan):
    return json.loads(json.dumps(to_json(plan)))


def test_a_plan_is_read_as_it_was_written(files):
    plan = replace(plan_of(files.grid()), command="farm run jobs/small.yaml")
    again = from_json(written(plan))
    assert written(again) == written(plan)
    assert (again.grid, again.dataset, again.command, again.effort) == ("small", "digits", plan.command, plan.effort)
    assert [(cell.name, cell.calibration, cell.runtime) for cell in again.cells] == [
        ("resnet20/-/pytorch/CPU", None, "pytorch"),
        ("resnet20/-/ir/CPU", None, "openvino"),
        ("resnet20/noise/default/CPU", "noise", "openvino"),
    ]
    assert {uri for cell in again.cells for uri in cell.stages.values()} <= set(again.stages)


def test_a_plan_of_schema_1_is_read_with_the_words_of_today():
    stage = {"kind": "evaluate", "key": "00", "label": "net", "inputs": {}, "files": {}, "libraries": {}}
    older = {
        "schema": 1, "grid": "g", "source": "/jobs/g.yaml", "command": "farm run g.yaml", "dataset": "digits",
        "effort": {"pairs": [4, 8], "target": 0.05, "budget_s": 60.0, "max_redone": 2},
        "stages": {"evaluate/00": {**stage, "parameters": {}}},
        "cells": [{"cell": "net/-/ir/CPU", "model": "net", "calibration": None, "algorithm": "ir", "device": "CPU",
                   "runtime": "openvino", "stages": {"reference": "evaluate/00", "evaluate": "evaluate/00"}}],
    }  # fmt: skip
    plan = from_json(older)
    assert (plan.grid_file, plan.effort.pairs, plan.metric) == ("/jobs/g.yaml", (4, 8), "top1")
    assert plan.cells == (
        PlannedCell(
            name="net/-/ir/CPU", model="net", algorithm="ir", device="CPU", runtime="openvino",
            stages={"fp32": "evaluate/00", "evaluate": "evaluate/00"},
        ),
    )  # fmt: skip


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_of_a_published_plan_the_command_and_the_effort_are_read(path):
    plan = from_json(json.loads(path.read_text(encoding="utf-8")))
    assert plan.command.startswith("farm run jobs/")
    assert plan.effort.pairs[0] == 8
    assert (plan.cells, plan.stages) == ((), {})


def test_a_plan_that_says_nothing_of_effort_has_none():
    assert from_json({"command": "farm run g.yaml"}) == Plan(command="farm run g.yaml", effort=None)


def test_what_lacks_a_field_is_no_plan():
    with pytest.raises(ValueError, match=r"PlannedCell: .*missing"):
        from_json({"schema": 2, "cells": [{"name": "net"}]})


def test_an_effort_is_as_the_grid_says(files):
    grid = files.grid(settings={"measure": {"pairs": 4, "target": 0.1}})
    assert plan_of(grid).effort == Effort(pairs=(4, 4), target=0.1)
