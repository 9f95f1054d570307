"""A plan's cells by name."""

from farm.plan import Plan
from farm.plan.stage import PlannedCell

CELL = PlannedCell(name="a/-/ir/CPU", model="a", algorithm="ir", device="CPU", runtime="openvino", stages={})


def test_a_cell_is_found_by_its_name():
    plan = Plan(cells=(CELL,))
    assert plan.cell("a/-/ir/CPU") is CELL
    assert plan.cell("b/-/ir/CPU") is None
