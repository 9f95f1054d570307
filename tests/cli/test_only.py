"""Which cells the ``--only`` options mean: by an axis, by a cell's whole name, or by both."""

import pytest

from farm.cli.wiring import chosen
from farm.errors import InputError
from tests.conftest import plan_of

CALIBRATIONS = ["noise", {"name": "noise", "count": 16}]
PYTORCH, IR = "resnet20/-/pytorch/CPU", "resnet20/-/ir/CPU"
NOISE, FEW = "resnet20/noise/default/CPU", "resnet20/noise{count=16}/default/CPU"
ALL = (PYTORCH, IR, NOISE, FEW)


@pytest.fixture
def plan(files):
    return plan_of(files.grid(calibrations=CALIBRATIONS))


@pytest.mark.parametrize(
    ("only", "cells"),
    [
        (None, ALL),
        ([], ALL),
        ([NOISE], [NOISE]),
        ([FEW], [FEW]),
        ([FEW, PYTORCH, FEW], [PYTORCH, FEW]),
        (["algorithm=default"], [NOISE, FEW]),
        (["calibration=noise{count=16}"], [FEW]),
        (["calibration=-"], [PYTORCH, IR]),
        (["algorithm=ir", "algorithm=pytorch"], [PYTORCH, IR]),
        (["algorithm=default", "calibration=noise{count=16}"], [FEW]),
        ([IR, "algorithm=default"], [IR, NOISE, FEW]),
        ([FEW, "algorithm=default", "calibration=noise{count=16}"], [FEW]),
    ],
)
def test_only_means_cells_by_axis_by_name_or_both_in_the_grids_order(plan, only, cells):
    assert chosen(plan, only) == tuple(cells)


@pytest.mark.parametrize(
    ("only", "said"),
    [
        (["modle=resnet20"], "--only modle=resnet20: write AXIS=NAME, did you mean 'model'?"),
        (["model"], "--only model: write AXIS=NAME"),
        (["model="], "--only model=: write AXIS=NAME"),
        (["resnet20/-/irr/CPU"], "--only resnet20/-/irr/CPU: "),
        (["resnet20/noise{count=17}/default/CPU"], "--only resnet20/noise{count=17}/default/CPU: "),
        (["model=resnet2O"], "--only model=resnet2O means no cell, did you mean 'resnet20'?"),
        (["algorithm=ir", "calibration=noise"], "--only: no cell is meant by all of them together"),
        ([IR, "model=resnet2O"], "--only model=resnet2O means no cell"),
    ],
)
def test_only_that_means_nothing_is_one_clear_error(plan, only, said):
    with pytest.raises(InputError) as caught:
        chosen(plan, only)
    assert str(caught.value).startswith(said)


def test_a_cell_that_is_misspelt_is_told_which_was_meant(plan):
    with pytest.raises(InputError, match=f"did you mean '{IR}'"):
        chosen(plan, ["resnet20/-/irr/CPU"])
