"""A cluster that is gone while a run goes on: the run ends in order, and nothing is written off for it."""

import pytest

from tests.chaos import cluster
from tests.cli.conftest import Place
from tests.engine.test_contract import wait_until


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("what", "text"), [("behead", "Ray's head at "), ("ground", "Ray on this host is gone")])
def test_a_run_whose_ray_is_gone_ends_in_order_and_writes_nothing_off(tmp_path, what, text):
    place = Place(tmp_path)
    grid = place.grid(models=[{"factory": "networks:tiny"}, {"factory": "networks:hangs"}])
    with cluster.scratch_folder() as scratch:
        environment = {"TMPDIR": str(scratch)}
        with (
            cluster.sky(2, environment) as sky,
            place.start("run", grid.name, "--address", sky.address, **cluster.ENVIRONMENT, **environment) as process,
        ):
            try:
                wait_until(lambda: place.attempts() or process.poll() is not None, 120)
                assert process.poll() is None, process.communicate()
                sky.ask(do=what)
                out, err = process.communicate(timeout=120)
            finally:
                process.kill()
        assert cluster.settled(scratch) == []
    assert process.returncode == 2, out + err
    assert f"farm: {text}" in err, out + err
    assert "what is finished is kept: run the same command again when it is back" in err
    assert "Traceback" not in err
    attempts = place.attempts()
    assert attempts
    assert all("error_class" not in attempt for attempt in attempts), "nothing is written off"
    assert {record["outcome"] for record in place.records().values()} <= {"ok", "pending"}
