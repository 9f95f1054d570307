"""Two hosts whose link is cut while both are at work: the run goes on with one, and nothing is lost or done twice."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from farm.store import Store
from tests.chaos import cluster, weather
from tests.chaos.link import NEEDS_LINK, Link, linked
from tests.cli.conftest import Place
from tests.conftest import ROOT
from tests.engine.test_contract import wait_until

# As the recipes have it, a node that nobody hears is given up in seconds; and so that it soon gives up itself.
RECIPE = (ROOT / "cluster.yaml").read_text(encoding="utf-8")
HEALTH = dict(re.findall(r"(RAY_(?:health_check|grpc_client)_\w+)=(\d+)", RECIPE))
HEALTH |= {"RAY_gcs_rpc_server_reconnect_timeout_s": "10"}
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
GATED = ("gated", "gated_too", "gated_again", "gated_still")  # more than one node takes


GATED_AT_ONCE = 3  # at least: one node has no more than three stages in hand, and cores for two


@contextmanager
def two_hosts(link: Link, environment: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen]]:
    """A head that works too, and a node on the other host: the head's address, and the node."""
    with subprocess.Popen(
        [sys.executable, "-c", HEAD, link.here], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment,
    ) as head:  # fmt: skip
        address = head.stdout.readline().strip()
        joins = link.inside(*cluster.joining(address, link.there))
        own_cores = {**environment, "FARM_LOCKS": f"{environment['TMPDIR']}/other"}  # as another host has
        with subprocess.Popen(joins, env=own_cores, stdout=subprocess.DEVNULL) as node:
            try:
                yield address, node
            finally:
                node.terminate()
                head.stdin.close()


@NEEDS_LINK
@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_run_goes_on_with_the_hosts_that_it_still_reaches(tmp_path):
    place = Place(tmp_path)
    grid = place.grid(
        models=[{"factory": f"networks:{name}"} for name in GATED],
        calibrations=[{"name": "noise", "count": 16, "seed": [0, 1]}],
        accuracy_only=[{"device": "CPU"}],
    )
    with cluster.scratch_folder() as scratch:
        environment = {**cluster.ENVIRONMENT, **HEALTH, "TMPDIR": str(scratch)}
        with (
            linked() as link,
            two_hosts(link, {**os.environ, **environment}) as (address, node),
            place.start("run", grid.name, "--address", address, **environment) as run,
        ):

            def over() -> bool:
                return run.poll() is not None

            try:
                wait_until(lambda: len(list(tmp_path.glob("at-gate-*"))) >= GATED_AT_ONCE or over(), 150)
                link.cut()
                wait_until(lambda: retried(place) or over(), 90)
                link.mend()
                wait_until(lambda: node.poll() is not None, 60)  # it hears that it was given up
                (place.folder / "gate").touch()
                out, err = run.communicate(timeout=120)
            finally:
                run.kill()
        assert cluster.settled(scratch) == []
    assert run.returncode == 0, out + err
    assert {event["error_class"] for event in retried(place)} == {"lost"}
    uris = [event["uri"] for event in retried(place)]
    assert len(uris) == len(set(uris)) <= 3, "what the other host had, a node's fill at most, once each"
    assert {record["outcome"] for record in place.records().values()} == {"ok"}
    attempts = place.attempts()
    exports = {one["node_id"] for one in attempts if one["uri"].startswith("export") and "error_class" not in one}
    assert len(exports) == 1, "all that waited for the gate ended on the host that was reached"
    store = Store(str(place.folder / "results" / "store"))
    assert weather.doubled(store, sorted({attempt["uri"] for attempt in attempts})) == []


def retried(place: Place) -> list[dict]:
    """What of a run was tried again."""
    return [event for event in place.events() if event["what"] == "retried"]
