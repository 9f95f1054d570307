"""Who computes on a GPU: stages whose source computes its images, and nobody else.

Ray takes our word for how many GPUs a node has, so nodes with GPUs can be had on any machine. What really computes on
one is tested where there is one.
"""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch

from farm import engine
from farm.errors import EngineError
from farm.host.lease import host_cores
from tests.cli.conftest import QUICK, Place
from tests.engine.conftest import ROOT, outcome_of
from tests.generators.checkpoints import distylegan

CUDA = torch.cuda.is_available()

# Starts a head without cores; adds a node for each line of JSON; says then what nodes there are.
CLUSTER = """
import json, sys, warnings
warnings.simplefilter("ignore")
import ray
from ray.cluster_utils import Cluster

memory = {"object_store_memory": 80 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **memory})
ray.init(address=cluster.address, log_to_driver=False)
for line in sys.stdin:
    for node in json.loads(line):
        cluster.add_node(**node, **memory)
    cluster.wait_for_nodes()
    nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes()}
    print(json.dumps({"address": cluster.address, "nodes": nodes}), flush=True)
ray.shutdown()
cluster.shutdown()
"""
ENVIRONMENT = {"RAY_AUTH_MODE": "disabled", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0"}
MEASURES = {"num_cpus": 2, "resources": {"bench": 1}}
COMPUTES = {"num_cpus": 2, "num_gpus": 1}
WORKSTATION = {**MEASURES, "num_gpus": 1}


@pytest.mark.parametrize("visible", [None, "0"])
@pytest.mark.parametrize("gpus", [0.0, 1.0])
def test_a_stage_sees_the_gpu_that_it_was_lent_and_none_otherwise(inline_engine, maker, monkeypatch, visible, gpus):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    work = maker.work("equipped", gpus=gpus)
    outcome = outcome_of(inline_engine, work)
    assert outcome.ok, outcome
    assert outcome.gpus == gpus
    on_gpu = CUDA and gpus > 0
    assert maker.store.manifest(work.stage.uri).facts == {
        "visible": visible if gpus else "", "device": "cuda" if on_gpu else "cpu", "limited": not on_gpu, "sum": 3.0
    }  # fmt: skip


@pytest.mark.skipif(CUDA, reason="there is a GPU")
@pytest.mark.parametrize("name", ["inline_engine", pytest.param("ray_engine", marks=pytest.mark.ray)])
def test_a_gpu_that_is_asked_for_on_a_machine_without_one_is_refused(request, maker, name):
    engine = request.getfixturevalue(name)
    assert [place.gpus for place in engine.places()] == [0]
    with pytest.raises(EngineError, match=r"settings.gpus.synthesize asks for 0.25 of a GPU, and there is none"):
        engine.preflight([maker.work("fine", gpus=0.25)])


@pytest.mark.parametrize(
    ("share", "gpus", "times"), [(1.0, 2.0, 2), (0.5, 2.0, 4), (0.3, 1.0, 3), (0.6, 3.0, 3), (0.1, 1.0, 10)]
)
def test_so_many_shares_fit_on_a_nodes_gpus_each_on_one_of_them(share, gpus, times):
    assert engine.Place(name="gpus", cores=1, gpus=gpus).shares(share) == times


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A cluster that got its GPU while a run waited for one: its address, all nodes' resources, where the run was."""
    place = Place(tmp_path_factory.mktemp("grown"))
    with cluster() as add:
        address, _ = add(MEASURES)
        grid = grid_of(place, gpus={"synthesize": 1})
        with place.start("run", grid, "--address", address, **ENVIRONMENT) as running:
            while not any(attempt["uri"].startswith("measure/") for attempt in place.attempts()):
                assert running.poll() is None, running.communicate()
                try:
                    running.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
            assert not any("distylegan" in attempt["label"] for attempt in place.attempts())
            _, nodes = add(COMPUTES)
            out, err = running.communicate(timeout=120)
        assert running.returncode == 0, out + err
        yield address, nodes, place


@pytest.fixture
def both(grown):
    """The address of a cluster with a node that measures and another one that computes images; all its resources."""
    return grown[:2]


@contextmanager
def cluster():
    """A cluster to which nodes can be added: nodes -> its address, and all nodes' resources by their ids."""
    environment = {**os.environ, **ENVIRONMENT}
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as running:

        def add(*nodes):
            running.stdin.write(json.dumps(nodes) + "\n")
            running.stdin.flush()
            said = json.loads(running.stdout.readline())
            return said["address"], said["nodes"]

        yield add
        running.stdin.close()


def grid_of(place, **settings):
    """Three shards of a DiStyleGAN, a set of noise, and a model whose IR is measured as soon as it is exported."""
    weights = distylegan(place.folder / "checkpoint")
    sets = [{"name": "distylegan", "weights": str(weights), "count": 600}, {"name": "noise", "count": 16}]
    settings = {**QUICK["settings"], "shard_images": 256, **settings}
    return place.grid(calibrations=sets, settings=settings, accuracy_only=[{"algorithm": "default"}])


def attempts_of(place):
    """Attempts of shards that were computed, and all others."""
    computed, others = [], []
    for attempt in place.attempts():
        ours = attempt["uri"].startswith("synthesize/") and "distylegan" in attempt["label"]
        (computed if ours else others).append(attempt)
        assert "error_class" not in attempt, attempt
    assert len(computed) == 3
    assert {attempt["uri"].partition("/")[0] for attempt in others} == {
        "synthesize", "export", "quantize", "evaluate", "measure"
    }  # fmt: skip
    return computed, others


@pytest.mark.ray
@pytest.mark.slow
def test_images_are_computed_on_nodes_with_gpus_and_everything_else_is_done_elsewhere(tmp_path, both):
    wanted, unwanted = Place(made(tmp_path / "wanted")), Place(made(tmp_path / "unwanted"))
    address, nodes = both
    wanted.process("run", grid_of(wanted), "--address", address, **ENVIRONMENT)
    unwanted.process("run", grid_of(unwanted, gpus={"synthesize": 0}), "--address", address, **ENVIRONMENT)
    for place, share in ((wanted, 1.0), (unwanted, 0.0)):
        computed, others = attempts_of(place)
        assert {bool(nodes[attempt["node_id"]].get("GPU")) for attempt in computed} == {share > 0}
        assert {bool(nodes[attempt["node_id"]].get("GPU")) for attempt in others} == {False}
        assert {attempt["gpus"] for attempt in computed} == {share}
        assert {attempt["gpus"] for attempt in others} == {0.0}


def made(folder):
    folder.mkdir()
    return folder


# Hands stages that compute on half a GPU, and measurements on one core, to an engine; says from when to when each ran.
BESIDE = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from farm.engine.ray import RayEngine
from tests.engine.conftest import Maker, outcomes_of, submit

maker, engine = Maker(Path(sys.argv[2])), RayEngine(sys.argv[1])
computed = [maker.work("timed", stage={"seconds": 1.5}, gpus=0.5) for _ in range(4)]
measured = [maker.work("timed", stage={"seconds": 0.5}, exclusive=True) for _ in range(2)]
works = [*computed[:2], measured[0], *computed[2:], measured[1]]
engine.preflight(works)
for work in works:
    submit(engine, work)
for outcome in outcomes_of(engine, len(works)):
    assert outcome.ok, outcome
facts = [[maker.store.manifest(work.stage.uri).facts for work in some] for some in (computed, measured)]
spans = [[(each["from"], each["to"]) for each in some] for some in facts]
print(json.dumps({"spans": spans}))
engine.close()
"""


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
def test_a_workstation_computes_images_on_its_gpu_but_never_beside_a_measurement(tmp_path):
    with cluster() as add:
        address, _ = add(WORKSTATION)
        computed, measured = json.loads(run_python(BESIDE, address, str(tmp_path)))["spans"]
        for begun, ended in computed:
            assert all(ended <= other[0] or other[1] <= begun for other in measured)
        assert any(one[0] < other[0] < one[1] for one in computed for other in computed), "two share the GPU"


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(len(host_cores()) < 2, reason="one core: nothing runs beside anything")
def test_where_nothing_is_measured_images_are_computed_while_others_measure(tmp_path, both):
    """So that the test above is seen to be able to fail."""
    said = json.loads(run_python(BESIDE, both[0], str(tmp_path)))
    computed, measured = said["spans"]
    assert any(begun < other[1] and other[0] < ended for begun, ended in computed for other in measured)


def run_python(script, *arguments):
    """Run a script among the tests, on a cluster; what it prints last."""
    command = [sys.executable, "-c", script, *arguments]
    environment = {**os.environ, **ENVIRONMENT}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1]


@pytest.mark.ray
@pytest.mark.slow
def test_a_gpu_that_is_asked_for_is_waited_for_while_the_rest_goes_on(grown):
    _, nodes, place = grown
    computed, _ = attempts_of(place)
    assert {bool(nodes[attempt["node_id"]].get("GPU")) for attempt in computed} == {True}
