"""A plan: its cells by name, and the same without some stages."""

from farm.plan import Plan
from farm.plan.stage import PlannedCell
from tests.conftest import plan_of

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
