"""plan.json: written and read by one module, of this schema and of the one before."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from farm.axes import Algorithm, Device, Fit, Images, Model, Preprocessing
from farm.errors import InputError
from farm.plan import Effort, Plan, dumps, loads
from farm.plan.parameters import Evaluate, Export, Measure, Quantize, Rounds, Synthesize
from farm.plan.stage import PlannedCell
from tests.conftest import plan_of

PUBLISHED = sorted((Path(__file__).parents[2] / "results" / "reference").glob("*/plan.json"))


def test_a_plan_is_read_as_it_was_written(files):
    plan = replace(plan_of(files.grid()), command="farm run jobs/small.yaml")
    again = loads(dumps(plan))
    assert dumps(again) == dumps(plan)
    assert (again.grid, again.dataset, again.command, again.effort) == ("small", "digits", plan.command, plan.effort)
    assert [(cell.name, cell.calibration, cell.runtime) for cell in again.cells] == [
        ("resnet20/-/pytorch/CPU", None, "pytorch"),
        ("resnet20/-/ir/CPU", None, "openvino"),
        ("resnet20/noise/default/CPU", "noise", "openvino"),
    ]
    assert {uri for cell in again.cells for uri in cell.stages.values()} <= set(again.stages)


def test_a_plan_of_schema_1_is_read_with_the_words_of_today():
    how = {
        "size": [32, 32],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "scale": 0.1,
        "layout": "NCHW",
        "input": "f32",
        "resize": 40,
        "interpolation": "bilinear",
    }
    fit = {"resize": 40, "size": [32, 32], "interpolation": "bilinear"}
    device = {"name": "CPU", "threads": 2, "hint": "latency", "precision": "f32", "batch": 1, "node": None}
    rounds = {"min_seconds": 1.0, "min_inferences": 100, "warmup_seconds": 0.3, "preprocess": False, "per_node": 1}
    dataset = {"name": "folder", "count": 5, "fit": fit}
    older_parameters = {
        "synthesize": {"source": "digits", "start": 0, "stop": 9, "seed": 3, "skip": 1, "fit": fit},
        "export": {"model": {"name": "repvgg_a0", "deploy": True}, "size": [32, 32], "layout": "NCHW", "input": "f32"},
        "quantize": {"algorithm": "default", "parameters": {"subset_size": 9}, "preprocessing": how},
        "evaluate": {"runtime": "pytorch", "device": "CPU", "precision": "f32", "metric": "top5", "node": "xeon",
                     "model": {"factory": "nets:tiny"}, "dataset": dataset, "preprocessing": how},
        "measure": {"runtime": "openvino", "device": device, "measure": rounds, "dataset": dataset,
                    "preprocessing": how},
    }  # fmt: skip
    rest = {"key": "00", "label": "net", "inputs": {}, "files": {}, "libraries": {}}
    older = {
        "schema": 1, "grid": "g", "source": "/jobs/g.yaml", "command": "farm run g.yaml", "dataset": "digits",
        "effort": {"pairs": [4, 8], "target": 0.05, "budget_s": 60.0, "max_redone": 2},
        "stages": {f"{kind}/00": {"kind": kind, "parameters": given, **rest}
                   for kind, given in older_parameters.items()},
        "cells": [{"cell": "net/-/ir/CPU", "model": "net", "calibration": None, "algorithm": "ir", "device": "CPU",
                   "runtime": "openvino",
                   "stages": {"export": "export/00", "reference": "evaluate/00", "evaluate": "evaluate/00"}}],
    }  # fmt: skip
    plan = loads(json.dumps(older))
    assert (plan.grid_file, plan.effort.pairs, plan.metric) == ("/jobs/g.yaml", (4, 8), "top1")
    assert plan.cells == (
        PlannedCell(
            name="net/-/ir/CPU", model="net", algorithm="ir", device="CPU", runtime="openvino",
            stages={"export": "export/00", "fp32": "evaluate/00", "evaluate": "evaluate/00"},
        ),
    )  # fmt: skip
    fitted = Fit(resize=40, size=(32, 32), interpolation="bilinear")
    images = Images(name="folder", options={"count": 5}, fit=fitted)
    preprocessing = Preprocessing(size=(32, 32), mean=(0.5,) * 3, std=(0.5,) * 3, scale=0.1, resize=40)
    assert [stage.parameters for stage in plan.stages.values()] == [
        Synthesize(images=Images(name="digits", options={"seed": 3, "skip": 1}, fit=fitted), start=0, stop=9),
        Export(model=Model(name="repvgg_a0", options={"deploy": True}), size=(32, 32), layout="NCHW", input="f32"),
        Quantize(algorithm=Algorithm(name="default", options={"subset_size": 9}), preprocessing=preprocessing),
        Evaluate(device=Device(node="xeon"), metric="top5", dataset=images, preprocessing=preprocessing,
                 model=Model(factory="nets:tiny")),
        Measure(device=Device(threads=2), rounds=Rounds(**rounds), dataset=images, preprocessing=preprocessing),
    ]  # fmt: skip


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_of_a_published_plan_the_command_and_the_effort_are_read(path):
    plan = loads(path.read_bytes())
    assert plan.command.startswith("farm run jobs/")
    assert plan.effort.pairs[0] in (5, 8)
    assert (plan.cells, plan.stages) == ((), {})


def test_a_plan_that_says_nothing_of_effort_has_none():
    assert loads('{"command": "farm run g.yaml"}') == Plan(command="farm run g.yaml", effort=None)


def test_what_lacks_a_field_is_no_plan():
    with pytest.raises(ValueError, match=r"PlannedCell: .*missing"):
        loads('{"schema": 2, "cells": [{"name": "net"}]}')


def test_a_plan_of_a_newer_farm_is_refused_and_its_place_is_named():
    with pytest.raises(InputError, match=r"^/x/plan\.json is of a newer farm: its schema is 3, .* 2; update farm$"):
        loads('{"schema": 3}', "/x/plan.json")


@pytest.mark.parametrize("schema", ["2", 2.0, None, 0, -1, [], True])
def test_a_schema_that_is_no_number_is_refused(schema):
    with pytest.raises(ValueError, match="its schema is"):
        loads(json.dumps({"schema": schema}))


STAGES = ("stages",)
CELL = ("cells", 2, "stages")


@pytest.mark.parametrize(
    ("at", "change", "says"),
    [
        (STAGES, lambda stages: stages.update({"measure/x": stages.pop(uri_of(stages, "measure"))}), "stands for"),
        (STAGES, lambda stages: stages.pop(uri_of(stages, "export")), "needs 'export/.*', which is no stage"),
        (CELL, lambda roles: roles.pop("export"), "has no stage export"),
        (CELL, lambda roles: roles.update(measure="measure/x"), "'measure' is 'measure/x', which is no such stage"),
        (CELL, lambda roles: roles.update(measure=roles["export"]), "'measure' is 'export/.*', which is no such stage"),
        (CELL, lambda roles: roles.update(export="x/../y"), "'export' is 'x/../y', which is no such stage"),
        (CELL, lambda roles: roles.update(paint=roles["export"]), "'paint' is 'export/.*', which is no such stage"),
        (("effort",), lambda effort: effort.update(pairs=[0, 4]), r"\(0, 4\) are no pairs"),
    ],
)
def test_a_plan_whose_parts_do_not_fit_is_refused(files, at, change, says):
    part = document = json.loads(dumps(plan_of(files.grid())))
    for step in at:
        part = part[step]
    change(part)
    with pytest.raises(ValueError, match=says):
        loads(json.dumps(document))


def uri_of(stages, kind):
    return next(uri for uri in stages if uri.startswith(f"{kind}/"))


def test_an_effort_is_as_the_grid_says(files):
    grid = files.grid(settings={"measure": {"pairs": 4, "target": 0.1}})
    assert plan_of(grid).effort == Effort(pairs=(4, 4), target=0.1)
