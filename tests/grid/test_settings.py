"""What a grid's settings may say of its claims."""

import pytest

from farm.errors import GridError


def test_a_grid_may_set_another_margin(files):
    assert files.grid().settings.claims.margin == 0.005
    assert files.grid(settings={"claims": {"margin": 0.02}}).settings.claims.margin == 0.02


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
