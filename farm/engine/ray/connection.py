"""How this process gets at a Ray: one that it starts on this machine, or a cluster's that runs."""

import os

import ray
from ray.job_config import JobConfig

from farm.engine.pulse import answers
from farm.engine.ray.needs import BENCH
from farm.errors import EngineError
from farm.host.lease import host_cores

OBJECT_STORE_BYTES = 100 * 2**20  # references carry small values only
NICENESS = "RAY_worker_niceness"
RECONNECT = "RAY_gcs_rpc_server_reconnect_timeout_s"  # after which Ray ends a driver whose head is gone
RECONNECT_S = 600  # by then farm has seen it for itself
KEEPALIVE = {  # by Ray's defaults, tasks beyond a link that is cut are waited for many minutes
    "RAY_grpc_client_keepalive_time_ms": "65000",  # Ray's servers refuse more than one a minute, unless told otherwise
    "RAY_grpc_client_keepalive_timeout_ms": "10000",
}


def join(address: str) -> str:
    """Join a running cluster; the socket of its daemon here. Ray itself would try for minutes where nobody listens."""
    if address.startswith("ray://"):
        here = "run farm on a node of the cluster, with --address auto"
        from_afar = "or send the grid there: farm submit GRID --address http://HEAD:8265"
        raise EngineError(
            f"--address {address} cannot work: through Ray's client nobody hears what stages say; {here}, {from_afar}"
        )
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        answers(host, int(port))
    for name, value in {RECONNECT: str(RECONNECT_S), **KEEPALIVE}.items():
        os.environ.setdefault(name, value)
    ray.init(address=address, log_to_driver=False, job_config=_job())
    own = ray.get_runtime_context().get_node_id()
    return next((str(node["RayletSocketName"]) for node in ray.nodes() if node["NodeID"] == own), "")


def start() -> None:
    """Start one on this machine, for this process alone."""
    os.environ["RAY_AUTH_MODE"] = "disabled"  # this machine only; a cluster's own settings are left alone
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ[NICENESS] = "0"  # 15 by default: anything else on the host would go before a measurement
    ray.init(
        address="local",
        num_cpus=len(host_cores()),
        resources={BENCH: 1},
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        job_config=_job(),
    )


def _job() -> JobConfig:
    """A job whose workers import nothing from the driver's current folder: Ray puts it first, but for its clients."""
    return JobConfig(_client_job=True)
