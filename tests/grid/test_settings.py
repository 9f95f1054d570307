"""What a grid's settings may say of its claims."""

import pytest

from farm.errors import GridError
from farm.grid.cell import expand, matches
from farm.grid.settings import Settings
from tests.conftest import plan_of


def test_a_grid_may_set_another_margin(files):
    assert files.grid().settings.claims.margin == 0.005
    assert files.grid(settings={"claims": {"margin": 0.02}}).settings.claims.margin == 0.02


def test_a_grid_that_measures_nothing_asks_only_for_the_accuracy_of_every_cell(files):
    grid = files.grid(settings={"measure": "none", "cores": {"evaluate": 2}})
    assert all(any(matches(cell, meant) for meant in grid.accuracy_only) for cell in expand(grid))
    assert grid.settings == Settings(cores={"evaluate": 2})
    assert {stage.kind for stage in plan_of(grid).stages.values()} == {"synthesize", "export", "quantize", "evaluate"}


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"reference": "digit"}, "settings.claims.reference: no calibration 'digit'; there are noise"),
        ({"margin": 0}, "settings.claims.margin: input should be greater than 0"),
        ({"margin": 1}, "settings.claims.margin: 1 of top1 is all there is: half a point is 0.005"),
        ({"margn": 0.1}, "settings.claims.margn: "),
    ],
)
def test_a_claim_that_cannot_be_made_is_a_fault(files, claims, fault):
    with pytest.raises(GridError) as raised:
        files.grid(settings={"claims": claims})
    assert fault in str(raised.value)


def test_a_metric_of_ones_own_may_have_larger_losses_than_a_share(files):
    aware = {"name": "accuracy-aware", "max_drop": 2.0}
    grid = files.grid(metric="my:score", settings={"claims": {"margin": 1.5}}, algorithms=[aware])
    assert grid.settings.claims.margin == 1.5
    with pytest.raises(GridError) as raised:
        files.grid(algorithms=[aware])
    assert "max_drop 2 of top1 is all there is" in str(raised.value)
