"""A short storm: a grid on a small cluster whose parts are killed at random. What is wanted of it is written there."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from farm.results.folder import Folder
from farm.store import Store
from tests.chaos import weather
from tests.cli.conftest import Place
from tests.engine.test_contract import wait_until

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
    scratch = Path(tempfile.mkdtemp(prefix="s", dir="/tmp"))  # short: sockets lie in it
    environment = {"FARM_SESSION": "", "FARM_CACHE": str(tmp_path / "cache"), "TMPDIR": str(scratch)}
    with weather.sky(3, environment) as sky:
        storm = weather.Storm(
            sky=sky,
            command=[sys.executable, "-P", "-m", "farm", "run", grid.name, "--address", sky.address],
            folder=tmp_path, scratch=scratch, seed=seed, every_s=4.0, kinds=KINDS, environment=environment,
        )  # fmt: skip
        assert storm.blow(KILLS, 400.0) == 0, storm.said[-4000:]
        assert storm.kills.total() >= KILLS // 2, f"it was over before the storm: {storm.kills}"
    records = place.records()
    assert {record["outcome"] for record in records.values()} == {"ok"}, storm.said[-4000:]
    plan = Folder(str(tmp_path / "results" / "quick")).read_plan()
    store = Store(str(tmp_path / "results" / "store"))
    assert store.present(plan.stages) == set(plan.stages)
    for uri in plan.stages:
        store.check(uri)
    assert weather.doubled(store, list(plan.stages)) == []
    wait_until(lambda: not weather.left_over(tmp_path), 60)
    shutil.rmtree(scratch)
