"""A cluster that begins with its head alone: Ray's own autoscaler starts nodes that are processes on this machine."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import contextmanager, suppress

import psutil
import pytest
import yaml

from tests.chaos.cluster import ENVIRONMENT
from tests.cli.conftest import Place
from tests.engine.test_contract import wait_until
from tests.engine.test_gpus import attempts_of, grid_of

HEAD = "f" * 51 + "0" * 5  # the name that Ray's stand-in for a cloud has for it
PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
SMALL = 80 * 2**20
TYPES = {
    "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
    "cpu": {
        "resources": {"CPU": 2, "bench": 1, "object_store_memory": SMALL},
        "node_config": {}, "min_workers": 0, "max_workers": 1,
    },
    "gpu": {
        "resources": {"CPU": 2, "GPU": 1, "object_store_memory": SMALL},
        "node_config": {}, "min_workers": 0, "max_workers": 1,
    },
}  # fmt: skip
LISTS = (  # that a launcher would have filled in
    "cluster_synced_files", "rsync_exclude", "rsync_filter", "initialization_commands", "setup_commands",
    "head_setup_commands", "worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands",
)  # fmt: skip
MARK = "FARM_TEST_CLUSTER"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def growing(folder):
    """The address of a head whose autoscaler starts nodes of these types."""
    port, mark = free_port(), uuid.uuid4().hex
    address = f"127.0.0.1:{port}"
    config = {
        "cluster_name": "fake", "max_workers": 2, "idle_timeout_minutes": 5, "head_node_type": "ray.head.default",
        "provider": {
            "type": "external", "module": PROVIDER, "gcs_address": address, "head_node_id": HEAD,
            "disable_node_updaters": True, "disable_launch_config_check": True,
        },
        "available_node_types": TYPES, "upscaling_speed": 1.0, "auth": {}, "docker": {}, "file_mounts": {},
        **{name: [] for name in LISTS},
    }  # fmt: skip
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(config))
    environment = {
        **os.environ, **ENVIRONMENT, MARK: mark, "RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_enable_autoscaler_v2": "0", "RAY_CLOUD_INSTANCE_ID": HEAD, "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
    }  # fmt: skip
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", f"--port={port}"]
    command += ["--node-ip-address=127.0.0.1", "--num-cpus=0", f"--object-store-memory={SMALL}"]
    command += ["--include-dashboard=false", f"--autoscaling-config={path}", "--block"]
    with (folder / "head.log").open("wb") as log:
        head = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until(lambda: answers(port) or head.poll() is not None, 60)
        yield address
    finally:
        head.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            head.wait(20)
        for process in psutil.process_iter():  # the nodes that the autoscaler has started
            with suppress(psutil.Error):
                if process.environ().get(MARK) == mark:
                    process.kill()


def answers(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(400)
def test_a_cluster_grows_from_nothing_to_what_waits_and_images_wait_for_gpus(tmp_path):
    place = Place(tmp_path)
    with growing(tmp_path) as address:
        grid = grid_of(place, gpus={"synthesize": 0.5})
        told = place.process("run", grid, "--address", address, "--wait", "120", **ENVIRONMENT)
        assert "waiting for nodes" in told
        computed, others = attempts_of(place)
        assert {attempt["gpus"] for attempt in computed} == {0.5}
        assert len({attempt["node_id"] for attempt in computed}) == 1
        assert {attempt["node_id"] for attempt in computed}.isdisjoint(attempt["node_id"] for attempt in others)
        assert {row["outcome"] for row in place.records().values()} == {"ok"}
