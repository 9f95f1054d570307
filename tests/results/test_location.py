"""Which run has a cell: that of the grid that is named, or the only one of all."""

import os

import pytest

from farm.errors import DataError, InputError
from farm.plan import Plan
from farm.results.folder import PLAN
from farm.results.location import Location
from tests.conftest import plan_of

FRACTAL, NOISE = (f"resnet20/{calibration}/default/CPU" for calibration in ("fractal", "noise"))


@pytest.fixture
def place(tmp_path, files):
    """Results of three grids; the first has more cells than the others have."""
    location = Location.of(tmp_path / "results")
    many = ["noise", "fractal", *({"name": "noise", "seed": seed} for seed in range(1, 20))]
    for age, (name, calibrations) in enumerate({"many": many, "few": ["noise"]}.items()):
        location.folder(name).write_plan(plan_of(files.grid(calibrations=calibrations)))
        os.utime(location.folder(name).local(PLAN), (1000 + age, 1000 + age))
    location.folder("none").write_plan(Plan())
    return location


def test_the_one_run_that_has_a_cell_is_found_whichever_was_last(place):
    found = place.cell(FRACTAL)
    assert (found.grid, found.cell) == ("many", FRACTAL)
    assert {*found.stages} == {"calibration", "export", "quantize", "evaluate", "fp32", "measure"}


def test_where_several_have_it_they_are_named_the_latest_first_and_one_is_to_be_chosen(place):
    with pytest.raises(InputError, match=f"^{NOISE} is a cell of 2 grids, few, many: choose one with --grid$"):
        place.cell(NOISE)
    assert place.cell(NOISE, "few").grid == "few"


def test_a_cell_that_there_is_not_is_looked_for_among_those_of_all_grids_or_of_the_one_that_is_named(place):
    with pytest.raises(InputError, match=f"no cell 'resnet20/fractle/default/CPU' in .*, did you mean '{FRACTAL}'"):
        place.cell("resnet20/fractle/default/CPU")
    with pytest.raises(InputError, match="in the grid few; there are resnet20/-/pytorch/CPU, resnet20/-/ir/CPU, "):
        place.cell("x", "few")
    with pytest.raises(InputError, match=r", resnet20/noise\{seed=\d+\}/default/CPU and 11 more$"):
        place.cell("x")
    with pytest.raises(InputError, match=r"no results of a grid 'fww' in .*, did you mean 'few'"):
        place.cell(NOISE, "fww")


def test_a_damaged_plan_hides_no_other_and_is_named_where_it_may_have_the_cell(place):
    place.folder("none").local(PLAN).write_text("{")
    assert place.cell(FRACTAL).grid == "many"
    with pytest.raises(DataError, match=r"damaged: .*none/plan\.json: "):
        place.cell("x")


def test_where_nothing_was_run_that_is_said(tmp_path):
    with pytest.raises(InputError, match="nothing was run in"):
        Location.of(tmp_path).cell(NOISE)
