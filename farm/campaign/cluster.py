"""Whether the file of a cluster makes one that farm can use: of Ray's launcher, or of KubeRay. Starts nothing."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from farm.damage import WRONG
from farm.errors import InputError

PLACEHOLDER = re.compile(r"\bCHANGE\b|ami-0{8,}|:0{12}:")
COMMANDS = ("setup_commands", "head_setup_commands", "worker_setup_commands", "initialization_commands")
STARTS = ("head_start_ray_commands", "worker_start_ray_commands")
HEALTH = "RAY_health_check_period_ms"
NICENESS = "RAY_worker_niceness"
TOKEN = re.compile(r"RAY_AUTH_MODE\W+token")
EVERYBODY = ("0.0.0.0/0", "::/0")
SSH = 22
NO_BENCH = "no kind of node offers `bench: 1`, so none would quantize, evaluate or measure: give it to CPU workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a file lacks. faults: for which the cluster would not work. remarks: for which it would work worse."""

    faults: tuple[str, ...]
    remarks: tuple[str, ...]


def check(path: Path) -> Checked:
    """Read a file, and say what it lacks. Raises InputError for what is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no YAML: {str(error).splitlines()[0]}") from error
    clusters = [each for each in documents if isinstance(each, dict) and each.get("kind") == "RayCluster"]
    document = next(iter(clusters or documents), None)
    if not isinstance(document, dict):
        raise InputError(f"{path} is no cluster's file: it is no mapping")
    if document.get("kind") == "RayCluster":
        faults, remarks = _of_kuberay(document)
    elif "available_node_types" in document or "provider" in document:
        faults, remarks = _of_ray(document)
    else:
        raise InputError(f"{path} is no cluster's file: it has neither `available_node_types` nor `kind: RayCluster`")
    numbered = enumerate(text.splitlines(), 1)
    lines = [number for number, line in numbered if PLACEHOLDER.search(line) and not line.lstrip().startswith("#")]
    left = [f"still to be filled in: line {', '.join(map(str, lines))}"] if lines else []
    return Checked(faults=tuple(faults), remarks=(*remarks, *left))


def _of_ray(document: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    from farm.engine.ray.clusterfile import prepared  # noqa: PLC0415 - Ray takes seconds

    whole, fault = prepared(document)
    if fault:
        return [f"Ray refuses it: {fault}"], []
    types, head = whole.get("available_node_types"), whole.get("head_node_type")
    if not types or head not in types:
        return [
            "it has no `available_node_types`: only with them can some nodes offer `bench: 1`, and the head not"
        ], []
    workers = {name: kind for name, kind in types.items() if name != head}
    return [*_lacking_nodes(document, workers)], [*_of_head(document, types[head]), *_of_commands(document)]


def _lacking_nodes(document: Mapping[str, Any], workers: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with its kinds of workers."""
    if not any(_resources(kind).get("bench") and _resources(kind).get("CPU") for kind in workers.values()):
        yield NO_BENCH
    for name, kind in workers.items():
        resources = _resources(kind)
        if not resources.get("CPU"):
            yield f"available_node_types.{name}: no `CPU` among its resources: no stage would fit on it"
        elif not resources.get("bench") and not resources.get("GPU"):
            yield f"available_node_types.{name}: neither `bench: 1` nor `GPU`: no stage would go there"
        if kind.get("min_workers", 0) > kind.get("max_workers", document.get("max_workers", 0)):
            yield f"available_node_types.{name}: more min_workers than max_workers"
    least = sum(kind.get("min_workers", 0) for kind in workers.values())
    if least > document.get("max_workers", 0):
        yield f"max_workers: {document.get('max_workers', 0)} are fewer than the {least} of all min_workers"


def _of_head(document: Mapping[str, Any], head: Mapping[str, Any]) -> Iterator[str]:
    start = " ".join(document.get("head_start_ray_commands", ()))
    if _resources(head).get("CPU") != 0 and "--num-cpus=0" not in start:
        yield "the head takes stages beside farm's driver: give it `CPU: 0`, and --num-cpus=0"
    if "--dashboard-host=127.0.0.1" not in start:
        yield "the dashboard, which can start jobs, may be open to others: --dashboard-host=127.0.0.1"
    for rule in document.get("provider", {}).get("security_group", {}).get("IpPermissions", ()):
        if rule.get("FromPort") != SSH or rule.get("ToPort") != SSH:
            yield f"ports {rule.get('FromPort')} to {rule.get('ToPort')} are open: SSH is enough"
        ranges = [*rule.get("IpRanges", ()), *rule.get("Ipv6Ranges", ())]
        if any(each.get("CidrIp", each.get("CidrIpv6")) in EVERYBODY for each in ranges):
            yield "SSH is open to everybody: name your own addresses"


def _of_commands(document: Mapping[str, Any]) -> Iterator[str]:
    text = yaml.safe_dump({name: document.get(name, []) for name in (*COMMANDS, *STARTS)}, width=10**6)
    if lacking := [name for name in COMMANDS if name not in document]:
        yield f"{', '.join(lacking)} left out: Ray's own install a nightly Ray; write them out, empty if need be"
    yield from _of_environment(text)


def _of_environment(text: str) -> Iterator[str]:
    """What the variables of Ray's processes lack. text: all in which they may be set."""
    if not TOKEN.search(text):
        yield "whoever reaches its ports may run code on it: RAY_AUTH_MODE=token"
    if HEALTH not in text:
        yield f"a node that falls silent is given up after a minute only: {HEALTH} and its like, as cluster.yaml has it"
    if NICENESS not in text:
        yield f"anything else on a node goes before a measurement: {NICENESS}=0"


def _of_kuberay(document: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    try:
        return _of_groups(document["spec"]["headGroupSpec"], document["spec"]["workerGroupSpecs"])
    except WRONG as error:
        return [f"it is no RayCluster as KubeRay has it ({type(error).__name__}: {error})"], []


def _of_groups(head: Mapping[str, Any], workers: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    faults, remarks = [], []
    if not any("bench" in str(_start(group).get("resources", "")) for group in workers):
        faults.append(NO_BENCH.replace("`bench: 1`", "`bench`, as rayStartParams.resources"))
    if str(_start(head).get("num-cpus")) != "0":
        remarks.append('the head takes stages beside farm\'s driver: rayStartParams: {num-cpus: "0"}')
    for group in workers:
        for container in _containers(group):
            limits, requests = ((container.get("resources") or {}).get(name) or {} for name in ("limits", "requests"))
            if not limits.get("cpu") or limits != requests:
                name = group.get("groupName", "a group")
                remarks.append(f"{name}: its pods share their cores: ask for as much as the limit, whole cores")
    images = {container.get("image") for group in (head, *workers) for container in _containers(group)}
    if len(images) > 1:
        faults.append(f"its nodes have several images, {', '.join(sorted(map(str, images)))}: farm needs one")
    variables = [each for group in (head, *workers) for one in _containers(group) for each in one.get("env") or ()]
    return faults, [*remarks, *_of_environment(" ".join(f"{each['name']}={each.get('value')}" for each in variables))]


def _resources(kind: Mapping[str, Any]) -> Mapping[str, Any]:
    return kind.get("resources") or {}


def _start(group: Mapping[str, Any]) -> Mapping[str, Any]:
    return group.get("rayStartParams") or {}


def _containers(group: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return ((group.get("template") or {}).get("spec") or {}).get("containers") or []
