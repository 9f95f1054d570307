"""Hosts that join a run and are no help: one that lacks what it was planned with, one that never answers."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from tests.chaos import weather
from tests.cli.conftest import Place
from tests.engine.test_contract import wait_until

NEEDS_MOUNTS = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="a folder is hidden from a process by root alone"
)
IMPATIENT = "import farm.engine.ray.nodes as nodes; nodes.SILENT_S = 8.0; from farm.cli import main; main()"
SETS = 10


@contextmanager
def running(folder):
    """A run that has begun on a cluster of one node: the place, the cluster, the process and its environment."""
    place = Place(folder)
    sets = [{"name": "noise", "count": 16, "seed": list(range(SETS))}]
    grid = place.grid(models=[{"factory": "networks:tiny"}], calibrations=sets, accuracy_only=[{"device": "CPU"}])
    scratch = tempfile.mkdtemp(prefix="s", dir="/tmp")  # short: sockets lie in it
    environment = {"TMPDIR": scratch, "FARM_SESSION": "", "FARM_CACHE": str(folder / "cache"), **weather.ENVIRONMENT}
    environment = {**os.environ, **environment}
    with weather.sky(1, environment) as sky, ExitStack() as after:
        run = subprocess.Popen(
            [sys.executable, "-c", IMPATIENT, "run", grid.name, "--address", sky.address], cwd=folder, env=environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        after.callback(run.kill)
        wait_until(lambda: place.attempts() or run.poll() is not None, 120)
        yield place, sky, run, environment
    shutil.rmtree(scratch, ignore_errors=True)


def ended(place, run):
    """What a run has said that ended well, all of it on one node."""
    out, err = run.communicate(timeout=200)
    assert run.returncode == 0, out + err
    assert {record["outcome"] for record in place.records().values()} == {"ok"}
    assert len({attempt["node_id"] for attempt in place.attempts()}) == 1
    return err


@NEEDS_MOUNTS
@pytest.mark.ray
@pytest.mark.slow
def test_a_host_that_lacks_what_the_run_was_planned_with_is_left_out_and_said_so(tmp_path):
    with running(tmp_path) as (place, sky, run, environment):
        joins = weather.joining(sky.address, "127.0.0.1")
        hides = ["unshare", "-m", "sh", "-c", f'mount --bind /dev/null "{tmp_path}/networks.py" && exec "$@"', "sh"]
        with subprocess.Popen([*hides, *joins], env=environment, stdout=subprocess.DEVNULL) as other:
            try:
                said = ended(place, run)
            finally:
                other.terminate()
    assert "a node is left out: " in said
    assert f"{tmp_path}/networks.py is another there than here" in said


@pytest.mark.ray
@pytest.mark.slow
def test_a_host_that_never_answers_is_left_out_and_said_so(tmp_path):
    with running(tmp_path) as (place, sky, run, _):
        sky.ask(do="add", node=weather.NODE)
        raylet = psutil.Process(sky.raylets[-1])
        raylet.send_signal(signal.SIGSTOP)
        try:
            said = ended(place, run)
        finally:
            raylet.send_signal(signal.SIGCONT)
    assert "a node is left out: " in said
    assert ": it does not answer" in said
