"""Two drivers at once on one store: what one is at work on, the other leaves alone."""

import pytest

from farm.results.folder import Folder
from farm.store import Store
from tests.chaos import weather
from tests.cli.conftest import Place
from tests.engine.test_contract import wait_until

SETS = 4


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_two_runs_of_one_grid_at_once_do_nothing_twice(tmp_path):
    """One is held at a gate, the other does sets, and waits for the rest."""
    place = Place(tmp_path)
    sets = [{"name": "noise", "count": 16, "seed": list(range(SETS))}]
    models = [{"factory": "networks:gated"}]
    grid = place.grid(models=models, calibrations=sets, accuracy_only=[{"device": "CPU"}])
    command = ("run", grid.name, "--engine", "inline")
    with place.start(*command) as one, place.start(*command) as other:
        try:
            wait_until(lambda: place.attempts() or one.poll() is not None, 180)
            (place.folder / "gate").touch()
            ended = [run.communicate(timeout=240) for run in (one, other)]
        finally:
            one.kill()
            other.kill()
    assert (one.returncode, other.returncode) == (0, 0), ended
    assert {record["outcome"] for record in place.records().values()} == {"ok"}
    assert len({event["run"] for event in place.events() if event["what"] == "submitted"}) == 2, "both had a part"
    plan = Folder(str(place.folder / "results" / "quick")).read_plan()
    store = Store(str(place.folder / "results" / "store"))
    finished = [uri for uri in plan.stages if any(map(weather.finished, store.attempts.of(uri)))]
    assert finished == list(plan.stages)
    assert weather.doubled(store, finished) == []
