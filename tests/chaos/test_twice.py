"""Two drivers at once on one store: what one is at work on, the other leaves alone."""

import pytest

from farm.results.folder import Folder
from farm.store import Store
from tests.chaos import weather
from tests.cli.conftest import Place


@pytest.mark.slow
def test_two_runs_of_one_grid_at_once_do_nothing_twice(tmp_path):
    place = Place(tmp_path)
    sets = [{"name": "noise", "count": 16, "seed": list(range(4))}]
    grid = place.grid(calibrations=sets, accuracy_only=[{"device": "CPU"}])
    command = ("run", grid.name, "--engine", "inline")
    with place.start(*command) as one, place.start(*command) as other:
        try:
            ended = [run.communicate(timeout=240) for run in (one, other)]
        finally:
            one.kill()
            other.kill()
    assert (one.returncode, other.returncode) == (0, 0), ended
    assert {record["outcome"] for record in place.records().values()} == {"ok"}
    plan, store = (
        Folder(str(place.folder / "results" / "quick")).read_plan(),
        Store(str(place.folder / "results/store")),
    )
    finished = [uri for uri in plan.stages if any(map(weather.finished, store.attempts.of(uri)))]
    assert finished == list(plan.stages)
    assert weather.doubled(store, finished) == []
