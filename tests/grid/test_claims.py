"""What calibration sets are held against, and what draws of one set have in common."""

import pytest

from farm.errors import GridError
from farm.grid.cell import expand


def test_draws_of_a_set_share_their_source(files):
    grid = files.grid(calibrations=[{"name": "noise", "seed": [0, 1]}, {"name": "noise", "count": 300, "seed": 2}])
    assert [choice.label for choice in grid.calibrations] == ["noise", "noise{seed=1}", "noise{count=300,seed=2}"]
    assert [choice.source for choice in grid.calibrations] == ["noise", "noise", "noise{count=300}"]
    assert grid.sources == ("noise", "noise{count=300}")


def test_the_set_named_like_the_dataset_is_the_real_one(files):
    assert files.grid(calibrations=["noise", "digits"]).reference() == "digits"
    assert files.grid(calibrations=["noise"]).reference() is None


def test_a_grid_may_name_another_reference_and_margin(files):
    claims = files.grid(settings={"claims": {"reference": "noise", "margin": 0.02}})
    assert (claims.reference(), claims.settings.claims.margin) == ("noise", 0.02)


def test_an_included_set_may_be_the_reference(files):
    cell = {"model": "resnet20", "calibration": "digits", "algorithm": "default", "device": "CPU"}
    grid = files.grid(include=[cell], settings={"claims": {"reference": "digits"}})
    assert grid.sources == ("noise", "digits")
    assert len(expand(grid)) == 4


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"reference": "digit"}, "settings.claims.reference: no calibration 'digit'; there are noise"),
        ({"margin": 0}, "settings.claims.margin: input should be greater than 0"),
        ({"margin": 1}, "settings.claims.margin: input should be less than 1"),
        ({"margn": 0.1}, "settings.claims.margn: "),
    ],
)
def test_a_claim_that_cannot_be_made_is_a_fault(files, claims, fault):
    with pytest.raises(GridError) as raised:
        files.grid(settings={"claims": claims})
    assert fault in str(raised.value)
