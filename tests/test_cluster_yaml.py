"""The cluster file against Ray's own schema, and what farm needs of its nodes. Starts no Ray, needs no network."""

import copy
import re
import shlex
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "cluster.yaml").read_text(encoding="utf-8")
CLUSTER = yaml.safe_load(TEXT)
TYPES = CLUSTER["available_node_types"]
WORKERS = {name: each for name, each in TYPES.items() if name != CLUSTER["head_node_type"]}
START = [*CLUSTER["head_start_ray_commands"], *CLUSTER["worker_start_ray_commands"]]
COMMANDS = ("setup_commands", "head_setup_commands", "worker_setup_commands", "initialization_commands")
STARTS = ("head_start_ray_commands", "worker_start_ray_commands")


def validated(cluster):
    prepared = prepare_config(copy.deepcopy(cluster))
    validate_config(prepared)
    return prepared


def environment(folder):
    """What ~/farm.env exports, as a shell that reads it sees it."""
    (write,) = [command for command in CLUSTER["setup_commands"] if command.endswith("> ~/farm.env")]
    shell = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    script = f"({write}) && . ~/farm.env && env"
    said = subprocess.run(["bash", "-c", script], env=shell, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in said.stdout.splitlines())


def test_the_file_passes_rays_own_validation():
    prepared = validated(CLUSTER)
    assert set(prepared["available_node_types"]) == {"head", "gpu", "cpu"}


@pytest.mark.parametrize(
    "breaks",
    [
        lambda cluster: cluster.update(workers=3),
        lambda cluster: cluster["available_node_types"]["cpu"]["resources"].update(bench=0.5),
        lambda cluster: cluster["available_node_types"]["gpu"].update(gpus=1),
        lambda cluster: cluster.update(head_node_type="boss"),
    ],
    ids=["unknown key", "a share of a resource", "unknown key of a type", "a head that is no type"],
)
def test_that_validation_notices_faults(breaks):
    broken = copy.deepcopy(CLUSTER)
    breaks(broken)
    with pytest.raises((jsonschema.ValidationError, ValueError)):
        validated(broken)


def test_measurements_fit_on_cpu_workers_and_nowhere_else():
    assert {name: each["resources"].get("bench", 0) for name, each in TYPES.items()} == {"head": 0, "gpu": 0, "cpu": 1}


def test_no_stage_lands_on_the_head():
    assert TYPES["head"]["resources"]["CPU"] == 0
    assert "--num-cpus=0" in CLUSTER["head_start_ray_commands"][-1]


def test_only_gpu_workers_have_gpus():
    assert {name for name, each in TYPES.items() if each["resources"].get("GPU")} == {"gpu"}


def test_limits_of_workers_go_together():
    for name, each in WORKERS.items():
        assert 0 <= each["min_workers"] <= each["max_workers"] <= CLUSTER["max_workers"], name
    assert sum(each["min_workers"] for each in WORKERS.values()) <= CLUSTER["max_workers"]


def test_rays_default_commands_are_not_taken_over():
    prepared = validated(CLUSTER)
    assert all(key in CLUSTER for key in (*COMMANDS, *STARTS))
    assert prepared["head_setup_commands"] == CLUSTER["setup_commands"]
    assert prepared["worker_setup_commands"] == CLUSTER["setup_commands"]
    assert not [each for each in prepared["head_setup_commands"] if re.search(r"nightly|\.whl|latest", each)]


def test_nodes_install_what_the_constraints_say():
    (install,) = [command for command in CLUSTER["setup_commands"] if "pip install" in command]
    assert "-c constraints.txt" in install
    assert "'.[cluster,s3]'" in install


def test_every_start_reads_the_environment_first():
    assert all(command.startswith(". ~/farm.env;") for command in START)
    assert len(START) == 4


def test_nodes_ask_for_the_token_and_notice_a_lost_node_in_seconds(tmp_path):
    said = environment(tmp_path)
    assert said["RAY_AUTH_MODE"] == "token"
    assert said["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"
    assert said["PATH"].startswith(f"{tmp_path}/farm/.venv/bin:")
    names = ("period_ms", "timeout_ms", "failure_threshold")
    period_ms, timeout_ms, failures = (int(said[f"RAY_health_check_{name}"]) for name in names)
    assert failures * (period_ms + timeout_ms) <= 10_000
    assert int(said["RAY_grpc_client_keepalive_time_ms"]) <= 10_000
    assert int(said["RAY_grpc_client_keepalive_timeout_ms"]) <= 10_000


def test_all_nodes_get_the_token_and_the_checkout():
    assert CLUSTER["file_mounts"] == {"~/farm": ".", "~/.ray/auth_token": "~/.ray/auth_token"}


def test_the_dashboard_listens_on_loopback_only():
    words = shlex.split(CLUSTER["head_start_ray_commands"][-1])
    assert [word for word in words if word.startswith("--dashboard-host")] == ["--dashboard-host=127.0.0.1"]


def test_only_ssh_is_open_and_not_to_everyone():
    (rule,) = CLUSTER["provider"]["security_group"]["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (22, 22)
    assert [each["CidrIp"] for each in rule["IpRanges"]] == ["192.0.2.1/32"]  # an address of documentation, RFC 5737


def test_every_placeholder_is_marked():
    placeholders = [
        line for line in TEXT.splitlines() if re.search(r"ami-0{9}|:0{12}:|192\.0\.2\.|region:|_zone:", line)
    ]
    assert len(placeholders) == 8
    assert all("# CHANGE" in line for line in placeholders)
