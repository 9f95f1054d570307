"""A plan: its cells by name, and the same without some stages."""

from dataclasses import replace

import pytest

from farm.plan import Plan
from farm.plan.stage import PlannedCell, judges, without_secrets
from tests.conftest import Located, plan_of

CELL = PlannedCell(name="a/-/ir/CPU", model="a", algorithm="ir", device="CPU", runtime="openvino", stages={})


def test_a_cell_is_found_by_its_name():
    plan = Plan(cells=(CELL,))
    assert plan.cell("a/-/ir/CPU") is CELL
    assert plan.cell("b/-/ir/CPU") is None


def test_a_plan_without_some_stages_has_the_same_cells_without_them(files):
    whole = plan_of(files.grid())
    measured = {uri for uri, one in whole.stages.items() if one.kind == "measure"}
    plan = whole.without(measured)
    assert [cell.name for cell in plan.cells] == [cell.name for cell in whole.cells]
    assert {role for cell in plan.cells for role in cell.stages} == {
        "calibration", "export", "fp32", "quantize", "evaluate"
    }  # fmt: skip
    assert plan.stages == {uri: one for uri, one in whole.stages.items() if uri not in measured}
    assert whole.without(()) == whole


HERE, THERE = {"name": "folder", "path": "here"}, {"name": "folder", "path": "there"}
MINE = {"name": "mine", "factory": "data:test"}
BOXED = {"name": "yolo", "path": "here", "boxes": "boxes"}
COCO = {"name": "coco", "path": "here", "annotations": "val.json"}


@pytest.mark.parametrize(
    ("dataset", "calibration", "is_of_tests"),
    [
        (HERE, HERE | {"count": 4}, True),
        (HERE, THERE, False),
        ({"name": "parquet", "path": "here"}, HERE, False),
        ({"name": "parquet", "path": "here"}, {"name": "parquet", "path": "here", "seed": 1}, True),
        (MINE, MINE, True),
        (MINE, MINE | {"factory": "data:train"}, False),
        ("digits", "digits", False),
        (HERE, "noise", False),
        (BOXED, BOXED | {"count": 4}, True),
        (BOXED, HERE, True),  # the same folder, read without its boxes
        (COCO, COCO | {"annotations": "train.json"}, False),  # of one folder, as the JSON says
    ],
)
def test_a_set_is_of_test_images_where_both_are_of_the_same_content(files, dataset, calibration, is_of_tests):
    def locate(wanted, parameters, names):
        place = (
            parameters.get(wanted.parameter)
            or parameters.get("path")
            or parameters.get("factory", "").partition(":")[0]
        )
        return Located()(wanted, parameters, {"name": place or names.get("name", "")})

    detector = {"path": "net.onnx", "decode": "yolox", "name": "net"}
    models = {"models": [detector]} if dataset in (BOXED, COCO) else {}
    grid = files.grid(dataset=dataset, calibrations=[calibration], baselines=["ir"], **models)
    plan = plan_of(grid, locate)
    assert {cell.name: plan.is_calibrated_on_tests(cell) for cell in plan.cells} == {
        cell.name: is_of_tests and cell.calibration is not None for cell in plan.cells
    }
    assert len(plan.cells) == 2


def test_a_quantization_is_judged_by_the_evaluations_of_its_fp32_ir(files):
    plan = plan_of(files.grid(devices=["CPU", "AUTO:CPU"]))
    [(quantization, evaluations)] = judges(plan).items()
    assert quantization.startswith("quantize/")
    assert evaluations == {cell.stages["fp32"] for cell in plan.cells if cell.algorithm == "default"}
    assert len(evaluations) == 2
    baseline = [cell for cell in plan.cells if cell.algorithm == "ir"]
    assert judges(Plan(stages=plan.stages, cells=tuple(baseline))) == {}


def test_a_plan_that_is_kept_tells_no_secret_and_has_the_same_keys(files):
    plan = plan_of(files.grid(models=[{"name": "resnet20", "weights": "https://me:hush@host/a-0123abcd.pt"}]))
    odd = replace(plan, command="farm run g.yaml --results s3://me:hush@bucket", grid_file="s3://me:hush@bucket/g.yaml")
    files_of = {uri: replace(stage, files=secretly(stage.files)) for uri, stage in odd.stages.items()}
    kept = without_secrets(replace(odd, stages=files_of))
    assert "hush" not in repr(kept)
    assert kept.command == "farm run g.yaml --results s3://***@bucket"
    assert kept.stages.keys() == plan.stages.keys()
    assert [stage.key for stage in kept.stages.values()] == [stage.key for stage in plan.stages.values()]
    plain = plan_of(files.grid())
    assert without_secrets(plain) == plain


def secretly(files):
    """Files with an address that opens an account."""
    return {
        role: replace(file, url="https://me:hush@host/a.pt", missing="no s3://me:hush@b")
        for role, file in files.items()
    }
