"""Which rows are shown, and in which order."""

import pytest

from farm.errors import InputError
from farm.report.columns import rows
from farm.report.selection import chosen, meant, ordered, sortable, wanted
from tests.runs import record, run

IR = record()
FRACTALS = [record("fractal", seed=seed, fps=fps) for seed, fps in ((0, 30.0), (1, None), (2, 10.0))]
OTHER = record("noise", model="vgg16_bn", reached=False, n_images=1000, verdict="noisy", fps=20.0)
ROWS = rows(run({IR: (), **dict.fromkeys(FRACTALS, ()), OTHER: [1, 2]}))


def cells(found):
    return [row.record.cell for row in found]


def at(*positions):
    return [ROWS[position].record.cell for position in positions]


@pytest.mark.parametrize(
    ("conditions", "positions"),
    [
        ([], (0, 1, 2, 3, 4)),
        (["calibration=fractal"], (1, 2, 3)),
        (["calibration=fractal{seed=1}"], (2,)),
        (["calibration=-"], (0,)),
        (["calibration=-", "calibration=noise"], (0, 4)),
        (["model=resnet20", "algorithm=default"], (1, 2, 3)),
        (["verdict=noisy"], (4,)),
        (["reached=false"], (4,)),
        (["fps=30"], (1,)),
        (["calibration_seed=2"], (3,)),
        (["top1=0.998"], (4,)),
    ],
)
def test_conditions_on_one_column_widen_and_on_others_narrow(conditions, positions):
    assert cells(chosen(ROWS, wanted(conditions))) == at(*positions)


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        (["model"], "write AXIS=VALUE"),
        (["model="], "write AXIS=VALUE"),
        (["modle=resnet20"], "no such column, did you mean 'model'"),
        (["model=resnet2O"], "means no cell, did you mean 'resnet20'"),
        (["verdict=nosy"], "means no cell, did you mean 'noisy'"),
        (["calibration=fractal{seed=9}"], "means no cell, did you mean 'fractal{seed="),
        (["model=vgg16_bn", "calibration=fractal"], "no cell is meant by all of them together"),
        (["cell=resnet20"], "means no cell"),
    ],
)
def test_a_condition_that_means_nothing_says_what_there_is(conditions, text):
    with pytest.raises(InputError, match=text.replace("{", r"\{")):
        chosen(ROWS, wanted(conditions))


def test_what_may_still_come_is_no_error_of_a_live_table():
    assert meant(ROWS, wanted(["outcome=failed"])) == []


@pytest.mark.parametrize(
    ("column", "positions"),
    [
        (None, (0, 1, 2, 3, 4)),
        ("fps", (3, 4, 1, 0, 2)),
        ("-fps", (1, 4, 3, 0, 2)),
        ("model", (0, 1, 2, 3, 4)),
        ("-model", (4, 0, 1, 2, 3)),
        ("reached", (4, 0, 1, 2, 3)),
    ],
)
def test_nulls_stand_last_and_equals_in_the_grids_order(column, positions):
    assert cells(ordered(ROWS, sortable(column))) == at(*positions)


def test_an_unknown_column_to_sort_by_is_told():
    with pytest.raises(InputError, match="--sort -fsp: no such column, did you mean 'fps'"):
        sortable("-fsp")
