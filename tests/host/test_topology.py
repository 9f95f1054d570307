"""Cores, as the files under /sys tell them on other hosts than this one."""

import os

import pytest

from farm.host.topology import Core, cpu_quota, leasable_count, parse_cpu_list, usable_cores


class Sys:
    """A /sys of one's own."""

    def __init__(self, root):
        self.root = root

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def core(self, *siblings):
        for cpu in siblings:
            path = f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
            self.write(path, ",".join(map(str, siblings)) + "\n")

    def node(self, number, cpus):
        self.write(f"devices/system/node/node{number}/cpulist", f"{cpus}\n")

    def cgroup(self, *quotas):
        """A group inside a group inside the root; the innermost one is this process's."""
        folder = "fs/cgroup"
        for depth, quota in enumerate(quotas):
            folder = f"{folder}/level{depth}"
            if quota is not None:
                self.write(f"{folder}/cpu.max", quota + "\n")
        self.write("own", f"1:name=systemd:/elsewhere\n0::/{folder.removeprefix('fs/cgroup/')}\n")
        return self.root / "own"


@pytest.fixture
def sys(tmp_path):
    return Sys(tmp_path)


@pytest.fixture
def server(sys):
    """Two sockets of four cores with two threads each: 0-3 and 8-11 on node 0, 4-7 and 12-15 on node 1."""
    for cpu in range(8):
        sys.core(cpu, cpu + 8)
    sys.node(0, "0-3,8-11")
    sys.node(1, "4-7,12-15")
    return sys


def test_a_virtual_machine_of_two_cores(sys):
    sys.core(0)
    sys.core(1)
    sys.node(0, "0-1")
    assert usable_cores(sys.root, frozenset({0, 1})) == (Core(node=0, cpus=(0,)), Core(node=0, cpus=(1,)))


def test_a_virtual_machine_that_tells_nothing_has_a_core_for_each_cpu(sys):
    assert usable_cores(sys.root, frozenset({0, 3})) == (Core(node=0, cpus=(0,)), Core(node=0, cpus=(3,)))


def test_a_server_of_two_sockets_has_whole_cores_by_node(server):
    cores = usable_cores(server.root, frozenset(range(16)))
    assert [core.node for core in cores] == [0] * 4 + [1] * 4
    assert [core.cpus for core in cores] == [(cpu, cpu + 8) for cpu in range(8)]


@pytest.mark.parametrize(
    ("mask", "cpus"),
    [
        ({0, 8}, [(0, 8)]),
        ({0, 1}, [(0,), (1,)]),
        ({8}, [(8,)]),
        ({3, 11, 12}, [(3, 11), (12,)]),
    ],
)
def test_in_a_container_only_the_masks_threads_of_a_core_are_used(server, mask, cpus):
    assert [core.cpus for core in usable_cores(server.root, frozenset(mask))] == cpus


def test_this_hosts_own_cores_are_this_processs_mask_each_cpu_once():
    cpus = [cpu for core in usable_cores() for cpu in core.cpus]
    assert sorted(cpus) == sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        (["200000 100000"], 2.0),
        (["50000 100000"], 0.5),
        (["max 100000"], None),
        ([None], None),
        (["300000 100000", "max 100000"], 3.0),
        (["300000 100000", "150000 100000"], 1.5),
        (["150000 100000", None, "300000 100000"], 1.5),
    ],
)
def test_the_quota_is_the_smallest_of_a_group_and_its_parents(sys, quotas, expected):
    assert cpu_quota(sys.root, sys.cgroup(*quotas)) == expected


def test_a_quota_in_the_containers_own_root_counts(sys):
    sys.write("fs/cgroup/cpu.max", "100000 100000\n")
    sys.write("own", "0::/\n")
    assert cpu_quota(sys.root, sys.root / "own") == 1.0


@pytest.mark.parametrize("said", [None, "", "4:cpu:/group\n"])
def test_without_a_cgroup_of_version_2_there_is_no_quota(sys, said):
    if said is not None:
        sys.write("own", said)
    assert cpu_quota(sys.root, sys.root / "own") is None


@pytest.mark.parametrize(("quota", "count"), [(None, 4), (0.5, 1), (1.0, 1), (2.9, 2), (4.0, 4), (64.0, 4)])
def test_no_more_cores_are_lent_than_the_quota_pays_for_and_at_least_one(quota, count):
    cores = tuple(Core(node=0, cpus=(cpu,)) for cpu in range(4))
    assert leasable_count(cores, quota) == count


@pytest.mark.parametrize(
    ("text", "cpus"), [("0-2,8\n", {0, 1, 2, 8}), ("5", {5}), ("", set()), ("\n", set()), ("0,2,4-5", {0, 2, 4, 5})]
)
def test_the_kernels_list_format_is_read(text, cpus):
    assert parse_cpu_list(text) == cpus
