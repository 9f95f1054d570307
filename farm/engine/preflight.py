"""What could never run, found before anything does. Ray would wait for it for ever.

Knows nodes and work, not how either is reached.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from farm.engine import Place, Work
from farm.errors import EngineError
from farm.host.facts import host_facts
from farm.host.lease import host_cores
from farm.host.topology import measurable
from farm.host.versions import unlike, versions
from farm.inputs import HashMemo, Input, astray, cache_folder, place
from farm.plan.parameters import device_of
from farm.store import Store

OURS = ("farm", "python")  # versions that stand in manifests, and in no key
NAMED = 5  # nodes that a fault is told of by name
UNSEEN = "{} is not seen there: name a place that all nodes share with --results"
ASTRAY = {
    "absent": "not there, or cannot be read: let it lie at the same path on every node, name a URL, or --ship it",
    "another": "another there than here: bring the same to every node, or --ship it",
}
ALWAYS_THERE = ("CPU", "AUTO", "HETERO", "MULTI", "BATCH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that takes stages. cores: how many it lends to them. measured: how many to measurements, by NUMA node.

    devices: OpenVINO's. sees_store: what the driver wrote there. bench: whether it takes stages that need no GPU.
    versions: of what the driver named. astray: places of inputs that are not there what they are here, and how.
    """

    name: str
    cores: int
    measured: tuple[int, ...]
    labels: frozenset[str] = frozenset()
    devices: tuple[str, ...] = ("CPU",)
    sees_store: bool = True
    gpus: float = 0.0
    bench: bool = True
    versions: Mapping[str, str] = field(default_factory=dict)
    astray: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a driver asks of each node of a cluster: whether it sees its probe, has its inputs and its versions."""

    store: Store
    probe: str
    inputs: tuple[Input, ...]
    versions: Mapping[str, str]

    @classmethod
    def by(cls, works: Sequence[Work], probe: str) -> "Asked":
        """What some work needs. Versions are this host's of the libraries that keys name, of farm and of Python."""
        inputs = {place(file): file for work in works for file in work.stage.files.values() if not file.shipped}
        libraries = {name: version for work in works for name, version in work.stage.libraries.items()}
        here = {**versions(OURS), **libraries}
        return cls(store=works[0].store, probe=probe, inputs=tuple(inputs.values()), versions=here)

    def sees_probe(self) -> bool:
        """Whether this host sees what the driver has put into the store."""
        try:
            return self.store.files.has(self.probe)
        except OSError:  # it may not look there, or the mount is gone
            return False

    def astray(self) -> dict[str, str]:
        """The places of inputs that are not on this host what they were when the run was planned, and how."""
        memo = HashMemo(cache_folder() / "hashes.json")
        states = {place(file): astray(file, memo) for file in self.inputs}
        memo.save()
        return {where: how for where, how in states.items() if how}


def survey(labels: frozenset[str], *, ask_devices: bool, asked: Asked | None = None, gpus: float = 0.0) -> Node:
    """This host as a node; asks OpenVINO for its devices only where a grid needs to know."""
    return Node(
        name=str(host_facts()["host"]),
        cores=len(host_cores()),
        measured=tuple(Counter(core.node for core in measurable(host_cores())).values()),
        labels=labels,
        devices=available_devices() if ask_devices else ("CPU",),
        sees_store=asked is None or asked.sees_probe(),
        gpus=gpus,
        versions=versions(asked.versions) if asked else {},
        astray=asked.astray() if asked else {},
    )


def available_devices() -> tuple[str, ...]:
    """OpenVINO's devices on this host, asked in a process of its own: openvino stays out of this one."""
    script = "import json, openvino; print(json.dumps(openvino.Core().available_devices))"
    ended = subprocess.run([sys.executable, "-P", "-c", script], check=False, capture_output=True, text=True)
    if ended.returncode != 0:
        raise EngineError(f"cannot ask OpenVINO for this host's devices: {ended.stderr.strip()[-500:]}")
    return tuple(json.loads(ended.stdout.splitlines()[-1]))


def needs_devices(works: Iterable[Work]) -> bool:
    """Whether any work names a device that a host may lack."""
    return any(part not in ALWAYS_THERE for work in works for part in _devices(work))


def check(works: Sequence[Work], nodes: Sequence[Node]) -> None:
    """Raises EngineError, with every fault, if some work could run on none of the nodes."""
    refuse(homeless(works, nodes))


def refuse(faults: Sequence[str]) -> None:
    """Raises EngineError with these faults, if there are any."""
    if faults:
        raise EngineError("this grid can never run here:\n" + "\n".join(f"  - {fault}" for fault in faults))


def homeless(works: Sequence[Work], nodes: Sequence[Node]) -> list[str]:
    """Why some work could run on none of the nodes, each reason once."""
    return list(dict.fromkeys(fault for work in works for fault in _faults(work, nodes)))


def unfit(nodes: Sequence[Node], asked: Asked) -> Iterator[str]:
    """What is wrong with nodes by themselves, each fault once, with the names of all that have it."""
    users: dict[str, list[str]] = {}
    for node in nodes:
        faults = [UNSEEN.format(asked.store.url)] if not node.sees_store else []
        faults += [f"{path} is {ASTRAY[how]}" for path, how in node.astray.items()]
        differing = unlike(asked.versions, node.versions)
        faults += [f"other versions than here ({differing}): install the same there"] if differing else []
        for fault in faults:
            users.setdefault(fault, []).append(node.name)
    for fault, names in users.items():
        others = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"{', '.join(names[:NAMED])}{others}: {fault}"


def _faults(work: Work, nodes: Sequence[Node]) -> Iterator[str]:
    able = [node for node in nodes if (node.gpus >= work.gpus if work.gpus else node.bench)]
    if not able and work.gpus:
        setting = f"settings.gpus.{work.stage.kind}"
        yield f"{setting} asks for {work.gpus:g} of a GPU, and there is none: leave it out, or set it to 0 for CPUs"
        return
    fitting = [node for node in able if work.node is None or work.node in node.labels]
    if not fitting:
        yield f"no node is labelled {work.node!r} (a Ray resource of that name)"
        return
    most = max(sum(node.measured) if work.exclusive else node.cores for node in fitting)
    cores = work.cores or 1
    if not any(_has_room(work, cores, node) for node in fitting):
        wanted = "threads" if work.exclusive else "cores"
        shared = f" by each of {work.per_node}" if work.per_node > 1 else ""
        yield f"{work.stage.kind} {work.stage.label}: {cores} {wanted} asked for{shared}, the largest node lends {most}"
    devices = [device for node in fitting for device in node.devices]
    there = {*devices, *(device.split(".")[0] for device in devices)}
    for part in _devices(work):
        if part not in ALWAYS_THERE and not {part, part.split(".")[0]} & there:
            yield f"no device {part!r} on any node; OpenVINO sees {', '.join(sorted(there))}"


def _has_room(work: Work, cores: int, node: Node) -> bool:
    """Whether the node has the cores; measurements that share it each need theirs on one NUMA node."""
    if not work.exclusive:
        return cores <= node.cores
    return Place(name=node.name, cores=node.cores, measured=node.measured).measures(cores, work.per_node)


def _devices(work: Work) -> tuple[str, ...]:
    """The parts of ``MULTI:GPU(2),CPU`` and of ``AUTO:-NPU``; nothing for a stage that runs on no device."""
    device = device_of(work.stage.parameters)
    parts = device.name.replace(":", ",").split(",") if device else ()
    return tuple(part.partition("(")[0] for part in parts if part and not part.startswith("-"))
