"""A short storm: a grid on a small cluster whose parts are killed at random. What is wanted of it is written there."""

import pytest

from tests.chaos import weather
from tests.cli.conftest import Place

KINDS = ["driver", "worker", "worker", "stage", "server", "node", "node", "stopped"]
KILLS = len(KINDS)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [0])
def test_a_grid_gets_through_a_storm_by_itself(tmp_path, seed):
    place = Place(tmp_path)
    grid = place.grid(
        models=[{"factory": "networks:tiny"}],
        calibrations=[{"name": "noise", "count": 16, "seed": list(range(6))}],
    )
    found = weather.weathered(place, grid, kinds=KINDS, kills=KILLS, seed=seed, longest_s=400.0)
    assert found.code == 0, found.said
    assert found.kills.total() >= KILLS // 2, f"it was over before the storm: {found.kills}"
    assert (found.lost, found.doubled, found.failed, found.orphans) == ((), (), (), ()), found.said
