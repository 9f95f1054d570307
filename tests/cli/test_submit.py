"""`farm submit`: a grid sent to a real cluster's job server, and what is said where that cannot be."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.cluster import ENVIRONMENT, START
from tests.cli.conftest import Place
from tests.engine.test_contract import wait_until

CLUSTER = """
import json, sys, warnings
warnings.simplefilter("ignore")
from ray.cluster_utils import Cluster

small, (port, ours, theirs) = {"object_store_memory": 80 * 2**20}, map(int, sys.argv[1:])
head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": port, "dashboard_agent_listen_port": ours, **small}
cluster = Cluster(initialize_head=True, head_node_args=head)
cluster.add_node(num_cpus=2, resources={"bench": 1}, dashboard_agent_listen_port=theirs, **small)
print(json.dumps({"dashboard": cluster.head_node.webui_url}), flush=True)
sys.stdin.read()
cluster.shutdown()
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def dashboard():
    """The address of a cluster's."""
    command = [sys.executable, "-c", CLUSTER, *(str(free_port()) for _ in range(3))]
    commands = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # as where it is activated
    environment = {**os.environ, **ENVIRONMENT, "PATH": commands}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as running:
        yield f"http://{json.loads(running.stdout.readline())['dashboard']}"
        running.stdin.close()


@pytest.mark.ray
@pytest.mark.slow
def test_a_cluster_runs_a_grid_with_the_code_of_its_folder(tmp_path, dashboard):
    place, results = Place(tmp_path), str(tmp_path / "results")
    grid = place.grid(accuracy_only=[{"device": "CPU"}])
    sent = place.process("submit", grid, "--address", dashboard, "--results", results, "--detach", **ENVIRONMENT)
    job = re.search(r"--follow (\S+)", sent)[1]
    (place.folder / "networks.py").unlink()  # the cluster has its own
    told = place.process("submit", "--follow", job, "--address", dashboard, **ENVIRONMENT)
    assert "2 cells" in told
    assert {row["outcome"] for row in place.records().values()} == {"ok"}
    again = place.process("submit", "--follow", "nobody", "--address", dashboard, code=2, **ENVIRONMENT)
    assert f"{dashboard} has no job nobody" in again


@pytest.mark.ray
@pytest.mark.slow
def test_a_cluster_on_whose_path_there_is_no_farm_is_told_how_to_get_one(tmp_path, dashboard):
    from farm.engine.ray.jobs import Jobs

    Jobs(dashboard).submit("lacking", "no-farm-of-this-name run", tmp_path)
    told = Place(tmp_path).process("submit", "--follow", "lacking", "--address", dashboard, code=2, **ENVIRONMENT)
    assert "the cluster's head has no `farm` on its PATH: start Ray there in the environment" in told


@pytest.mark.ray
@pytest.mark.slow
def test_ctrl_c_ends_the_watching_alone_and_a_job_that_is_stopped_ends_in_order(tmp_path, dashboard):
    place, results = Place(tmp_path), str(tmp_path / "results")
    models = [{"factory": "networks:tiny"}, {"factory": "networks:hangs"}]
    grid = place.grid(models=models, accuracy_only=[{"device": "CPU"}])

    def evaluated():
        return sum(attempt["uri"].startswith("evaluate") for attempt in place.attempts())

    with place.start("submit", grid, "--address", dashboard, "--results", results, **ENVIRONMENT) as sent:
        try:
            job = re.search(r"sent as (\S+);", sent.stdout.readline())[1]
            wait_until(lambda: evaluated() >= 2 or sent.poll() is not None, 120)
            sent.send_signal(signal.SIGINT)
            out, err = sent.communicate(timeout=60)
        finally:
            sent.kill()
    assert sent.returncode == 0, out + err
    assert f"quick goes on; watch it: farm submit --follow {job} --address {dashboard}" in err
    stop = [sys.executable, "-c", START, "job", "stop", job, "--address", dashboard]
    subprocess.run(stop, check=True, capture_output=True, timeout=120, env={**os.environ, **ENVIRONMENT})
    told = place.process("submit", "--follow", job, "--address", dashboard, code=1, **ENVIRONMENT)
    assert "interrupted: what is finished is kept; the same command goes on from here" in told
    assert [row["outcome"] for row in place.records().values()].count("ok") == 2


def test_results_that_the_cluster_cannot_see_are_refused(place):
    told = place.farm("submit", place.grid(), "--results", "results", code=2)
    assert "name a URL that all nodes reach, or a path that all have mounted" in told


@pytest.mark.parametrize("words", [(), ("quick.yaml", "--follow", "x")])
def test_a_grid_or_a_job_is_named(place, words):
    place.grid()
    assert "one of them" in place.farm("submit", *words, code=2)


@pytest.mark.ray
def test_ray_s_own_client_is_refused_with_the_ways_that_work(tmp_path):
    place = Place(tmp_path)
    told = place.process("run", place.grid(), "--address", "ray://127.0.0.1:10001", code=2)
    assert "--address ray://127.0.0.1:10001 cannot work" in told
    assert "--address auto, or send the grid there: farm submit GRID --address http://HEAD:8265" in told


@pytest.mark.ray
def test_where_nobody_takes_jobs_one_sentence_says_so(tmp_path):
    place = Place(tmp_path)
    address = f"http://127.0.0.1:{free_port()}"
    told = place.process("submit", place.grid(), "--address", address, "--results", "s3://b/r", code=2)
    assert f"cannot reach the job server at {address}" in told
    assert "Traceback" not in told
