"""A plan: its cells by name, and the same without some stages."""

import pytest

from farm.plan import Plan
from farm.plan.stage import PlannedCell
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
    ],
)
def test_a_set_is_of_test_images_where_both_are_of_the_same_content(files, dataset, calibration, is_of_tests):
    def locate(wanted, parameters, names):
        place = parameters.get("path") or parameters.get("factory", "").partition(":")[0]
        return Located()(wanted, parameters, {"name": place or names.get("name", "")})

    grid = files.grid(dataset=dataset, calibrations=[calibration], baselines=["ir"])
    plan = plan_of(grid, locate)
    assert {cell.name: plan.is_calibrated_on_tests(cell) for cell in plan.cells} == {
        cell.name: is_of_tests and cell.calibration is not None for cell in plan.cells
    }
    assert len(plan.cells) == 2
