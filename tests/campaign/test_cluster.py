"""What is said of a cluster's file before anything is started."""

import re
from pathlib import Path

import pytest
import yaml

from farm.campaign.cluster import check
from farm.errors import InputError

ROOT = Path(__file__).parents[2]
RAY, KUBERAY = ROOT / "cluster.yaml", ROOT / "docs" / "clusters" / "kuberay.yaml"


@pytest.fixture
def changed(tmp_path):
    """A file with something changed, and without comments."""

    def make(origin, change):
        document = yaml.safe_load(origin.read_text(encoding="utf-8"))
        change(document)
        path = tmp_path / "changed.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    return make


@pytest.mark.parametrize("path", [RAY, KUBERAY], ids=["ray", "kuberay"])
def test_our_own_files_lack_nothing_but_what_is_to_be_filled_in(path):
    found = check(path)
    assert found.faults == ()
    assert [text.partition(":")[0] for text in found.remarks] == ["still to be filled in"]


def types(document):
    return document["available_node_types"]


FAULTS = {
    "Ray refuses it: .*workers": lambda document: document.update(workers=3),
    "Ray refuses it: available_node_types.cpu.resources.bench": lambda document: types(document)["cpu"][
        "resources"
    ].update(bench=0.5),
    "offers `bench: 1`, so none would quantize": lambda document: types(document)["cpu"]["resources"].pop("bench"),
    "available_node_types.gpu: neither `bench: 1` nor `GPU`": lambda document: types(document)["gpu"]["resources"].pop(
        "GPU"
    ),
    "available_node_types.gpu: no `CPU`": lambda document: types(document)["gpu"]["resources"].pop("CPU"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_what_would_not_work_is_a_fault(changed, text):
    found = check(changed(RAY, FAULTS[text]))
    assert any(re.search(text, fault) for fault in found.faults), found.faults


REMARKS = {
    "the head takes stages": lambda document: (
        types(document)["head"]["resources"].update(CPU=2),
        document.update(head_start_ray_commands=["ray start --head --dashboard-host=127.0.0.1"]),
    ),
    "may be open to others": lambda document: document.update(
        head_start_ray_commands=["ray start --head --num-cpus=0"]
    ),
    "SSH is open to everybody": lambda document: document["provider"]["security_group"]["IpPermissions"][0].update(
        IpRanges=[{"CidrIp": "0.0.0.0/0"}]
    ),
    "SSH is open to every": lambda document: document["provider"]["security_group"]["IpPermissions"][0].update(
        Ipv6Ranges=[{"CidrIpv6": "::/0"}]
    ),
    "ports 8265 to 8265 are open": lambda document: document["provider"]["security_group"]["IpPermissions"].append(
        {"FromPort": 8265, "ToPort": 8265, "IpProtocol": "tcp", "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}
    ),
    "worker_setup_commands left out": lambda document: document.pop("worker_setup_commands"),
    "RAY_AUTH_MODE=token": lambda document: document.update(setup_commands=[]),
    "given up after a minute only": lambda document: document.update(setup_commands=[]),
    "RAY_worker_niceness=0": lambda document: document.update(setup_commands=[]),
}


@pytest.mark.parametrize("text", REMARKS)
def test_what_would_work_worse_is_a_remark(changed, text):
    found = check(changed(RAY, REMARKS[text]))
    assert found.faults == ()
    assert any(text in remark for remark in found.remarks), found.remarks


KUBERAY_FAULTS = {
    "offers `bench`, as rayStartParams.resources": lambda spec: spec["workerGroupSpecs"][0]["rayStartParams"].pop(
        "resources"
    ),
    "several images": lambda spec: spec["headGroupSpec"]["template"]["spec"]["containers"][0].update(image="other"),
}
KUBERAY_REMARKS = {
    "the head takes stages": lambda spec: spec["headGroupSpec"]["rayStartParams"].pop("num-cpus"),
    "cpu: its pods share their cores": lambda spec: spec["workerGroupSpecs"][0]["template"]["spec"]["containers"][0][
        "resources"
    ].pop("requests"),
}


@pytest.mark.parametrize("text", [*KUBERAY_FAULTS, *KUBERAY_REMARKS])
def test_a_manifest_of_kuberay_is_read_too(changed, text):
    change = {**KUBERAY_FAULTS, **KUBERAY_REMARKS}[text]
    found = check(changed(KUBERAY, lambda document: change(document["spec"])))
    told = found.faults if text in KUBERAY_FAULTS else found.remarks
    assert any(text in each for each in told), found


BEYOND = [
    b"cluster_name: x\nprovider: {type: local, head_ip: 1.2.3.4, worker_ips: []}\nauth: {ssh_user: me}\n",
    b"provider: {type: unheard-of}\n",
    b"provider: []\n",
    b"available_node_types: 3\n",
    b"kind: RayCluster\n",
    b"kind: RayCluster\nspec: {headGroupSpec: 1, workerGroupSpecs: {a: b}}\n",
    b"kind: Secret\n---\nkind: RayCluster\nspec: {headGroupSpec: {}, workerGroupSpecs: [null]}\n",
]


@pytest.mark.parametrize("content", BEYOND)
def test_a_file_of_another_kind_is_a_fault_and_no_crash(tmp_path, content):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    assert len(check(path).faults) == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"a: [", "is no YAML"), (b"\xff\xfe\x00", "is no YAML"), (b"[1]", "it is no mapping"), (b"a: 1", "has neither")],
)
def test_what_is_no_clusters_file_is_said_in_a_sentence(tmp_path, content, text):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=text):
        check(path)
    with pytest.raises(InputError, match=r"cannot read .*nothing\.yaml: No such file"):
        check(tmp_path / "nothing.yaml")
