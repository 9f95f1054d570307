"""A Ray cluster of one machine, whose nodes come and go as a test says."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ENVIRONMENT = {"RAY_AUTH_MODE": "disabled", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0"}
NODE = {"num_cpus": 2, "resources": {"bench": 1}, "object_store_memory": 80 * 2**20}
START = "from ray.scripts.scripts import main; main()"  # `ray`, which a venv may not have on its path
# Starts a head without cores and nodes; kills and adds nodes as lines of JSON say; answers each with what there is.
SKY = """
import json, sys, warnings
warnings.simplefilter("ignore")
from ray.cluster_utils import Cluster

small = {"object_store_memory": 80 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small})
nodes, address = [], cluster.address
for line in sys.stdin:
    what = json.loads(line)
    if what["do"] == "add":
        nodes.append(cluster.add_node(**what["node"]))
    elif what["do"] == "kill":
        cluster.remove_node(nodes.pop(what["index"]), allow_graceful=False)
    elif what["do"] == "behead":
        cluster.head_node.kill_gcs_server()
    elif what["do"] == "ground":
        for node in (cluster.head_node, *nodes):
            node.kill_raylet()
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes if "raylet" in node.all_processes]
    print(json.dumps({"address": address, "raylets": raylets}), flush=True)
cluster.shutdown()
"""


@dataclass
class Sky:
    """A cluster, whose nodes are added and killed."""

    process: subprocess.Popen[str]
    address: str = ""
    raylets: tuple[int, ...] = ()

    def ask(self, **what: object) -> None:
        """Have something done, and see what there is then."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        self.address, self.raylets = said["address"], tuple(said["raylets"])


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A TMPDIR with a short name, for sockets lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="s", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def sky(nodes: int, environment: Mapping[str, str]) -> Iterator[Sky]:
    """A cluster of so many nodes, and nothing of it afterwards."""
    environment = {**os.environ, **ENVIRONMENT, **environment}
    with subprocess.Popen(
        [sys.executable, "-c", SKY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        found = Sky(process)
        try:
            for _ in range(nodes):
                found.ask(do="add", node=NODE)
            yield found
        finally:
            assert process.stdin is not None
            process.stdin.close()


def joining(address: str, host: str) -> list[str]:
    """The command by which a host, named by its IPv4 address, joins a cluster until it is ended."""
    size = ["--num-cpus", "2", "--resources", '{"bench": 1}', "--object-store-memory", str(NODE["object_store_memory"])]
    return [sys.executable, "-c", START, "start", "--address", address, "--node-ip-address", host, "--block", *size]


def settled(folder: Path, seconds: float = 60.0) -> list[str]:
    """The command lines of processes that are still there after so long that were started in a folder, or name it."""
    deadline = time.monotonic() + seconds
    while (processes := left_over(folder)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return [_line(process) for process in processes]


def _line(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return str(process)


def left_over(folder: Path) -> list[psutil.Process]:
    """Processes whose TMPDIR is a folder, or that name it or work in it; zombies are none."""
    return [each for each in psutil.process_iter() if each.pid != os.getpid() and _is_of(each, str(folder))]


def _is_of(process: psutil.Process, folder: str) -> bool:
    with suppress(psutil.Error, FileNotFoundError):
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get("TMPDIR") == folder or folder in " ".join(process.cmdline()):
            return True
        return process.cwd().startswith(folder)
    return False
