"""Two hosts whose link is cut while both are at work: the run goes on with one, and nothing is lost or done twice."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from farm.store import Store
from tests.chaos import weather
from tests.chaos.link import NEEDS_LINK, Link, linked
from tests.cli.conftest import Place
from tests.engine.test_contract import wait_until

SETS = 8
# A node that nobody hears is given up after some seconds, instead of a minute; and so it gives up itself.
IMPATIENT = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "4",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
}
HEAD = """
import sys, warnings
warnings.simplefilter("ignore")
from ray.cluster_utils import Cluster

head = {"num_cpus": 2, "resources": {"bench": 1}, "object_store_memory": 80 * 2**20, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args={"node_ip_address": sys.argv[1], **head})
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@contextmanager
def two_hosts(link: Link, environment: dict[str, str]) -> Iterator[str]:
    """A head that works too, and a node on the other host; the head's address."""
    with subprocess.Popen(
        [sys.executable, "-c", HEAD, link.here], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment,
    ) as head:  # fmt: skip
        address = head.stdout.readline().strip()
        node = link.inside(*weather.joining(address, link.there))
        with subprocess.Popen(node, env=environment, stdout=subprocess.DEVNULL) as other:
            try:
                yield address
            finally:
                other.terminate()
                head.stdin.close()


@NEEDS_LINK
@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_run_goes_on_with_the_hosts_that_it_still_reaches(tmp_path):
    place = Place(tmp_path)
    sets = [{"name": "noise", "count": 16, "seed": list(range(SETS))}]
    grid = place.grid(models=[{"factory": "networks:tiny"}], calibrations=sets)
    scratch = tempfile.mkdtemp(prefix="s", dir="/tmp")  # short: sockets lie in it
    environment = {**weather.ENVIRONMENT, **IMPATIENT, "TMPDIR": scratch}
    with (
        linked() as link,
        two_hosts(link, {**os.environ, **environment}) as address,
        place.start("run", grid.name, "--address", address, **environment) as run,
    ):
        try:
            wait_until(lambda: nodes(place) == 2 or run.poll() is not None, 150)
            link.cut()
            time.sleep(20.0)
            link.mend()
            out, err = run.communicate(timeout=120)
        finally:
            run.kill()
    assert run.returncode == 0, out + err
    assert {record["outcome"] for record in place.records().values()} == {"ok"}
    store = Store(str(place.folder / "results" / "store"))
    uris = [attempt["uri"] for attempt in place.attempts()]
    assert weather.doubled(store, uris) == []
    wait_until(lambda: not weather.left_over(tmp_path), 60)


def nodes(place: Place) -> int:
    """How many have finished something."""
    return len({attempt["node_id"] for attempt in place.attempts()})
