"""Cores, as the files under /sys tell them on other hosts than this one."""

import os
import subprocess
import sys as python
import timeit

import pytest

from farm.host.topology import (
    Core,
    cpu_quota,
    leasable_count,
    measurable,
    parse_cpu_list,
    siblings_outside,
    throttled_usec,
    usable_cores,
)


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

    def capacity(self, cpu, capacity):
        self.write(f"devices/system/cpu/cpu{cpu}/cpu_capacity", f"{capacity}\n")

    def node(self, number, cpus):
        self.write(f"devices/system/node/node{number}/cpulist", f"{cpus}\n")

    def cgroup(self, *quotas):
        """A group inside a group inside the root; the innermost one is this process's."""
        folder = "fs/cgroup"
        for depth, quota in enumerate(quotas):
            folder = f"{folder}/level{depth}"
            if quota is not None:
                self.write(f"{folder}/cpu.max", quota + "\n")
        return self.own(f"1:name=systemd:/elsewhere\n0::/{folder.removeprefix('fs/cgroup/')}")

    def own(self, text):
        """A /proc/self/cgroup."""
        self.write("own", f"{text}\n")
        return self.root / "own"

    def quota_v1(self, folder, quota_us, period_us=100_000):
        self.write(f"fs/cgroup/{folder}/cpu.cfs_quota_us", f"{quota_us}\n")
        self.write(f"fs/cgroup/{folder}/cpu.cfs_period_us", f"{period_us}\n")

    def stat_v2(self, folder, usec):
        self.write(f"fs/cgroup/{folder}/cpu.stat", f"usage_usec 900\nnr_throttled 3\nthrottled_usec {usec}\n")

    def stat_v1(self, folder, nsec):
        self.write(f"fs/cgroup/{folder}/cpu.stat", f"nr_periods 9\nnr_throttled 3\nthrottled_time {nsec}\n")


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


@pytest.fixture
def laptop(sys):
    """An Intel hybrid: two performance cores of two threads, 4 and 5 efficiency cores, 6 a low-power one."""
    sys.core(0, 1)
    sys.core(2, 3)
    for cpu in (4, 5, 6):
        sys.core(cpu)
    sys.node(0, "0-6")
    sys.write("devices/cpu_core/cpus", "0-3\n")
    sys.write("devices/cpu_atom/cpus", "4-5\n")
    sys.write("devices/cpu_lowpower/cpus", "6\n")
    return sys


def performance(*cpus, node=0):
    return Core(node=node, cpus=cpus)


def efficient(*cpus, node=0):
    return Core(efficient=True, node=node, cpus=cpus)


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


def test_a_container_of_a_server_has_its_cpusets_cores_and_no_more_than_its_quota_pays_for(server):
    server.write("fs/cgroup/cpu.max", "250000 100000\n")  # two and a half CPUs
    cores = usable_cores(server.root, frozenset({2, 3, 4, 10, 12}))
    assert cores == (performance(2, 10), performance(3), performance(4, 12, node=1))
    assert leasable_count(cores, cpu_quota(server.root, server.own("0::/"))) == 2


def test_a_hybrid_laptops_performance_cores_come_first_with_both_their_threads(laptop):
    cores = usable_cores(laptop.root, frozenset(range(7)))
    assert cores == (performance(0, 1), performance(2, 3), efficient(4), efficient(5), efficient(6))
    assert measurable(cores) == cores[:2]


def test_a_laptop_whose_efficiency_cores_come_first_is_sorted_all_the_same(sys):
    for cpu in range(4):
        sys.core(cpu)
    sys.write("devices/cpu_core/cpus", "2-3\n")
    sys.write("devices/cpu_atom/cpus", "0-1\n")
    assert usable_cores(sys.root, frozenset(range(4))) == (performance(2), performance(3), efficient(0), efficient(1))


def test_on_a_laptop_the_lists_count_and_not_the_capacities_of_favoured_cores(laptop):
    for cpu, capacity in enumerate((1024, 1024, 900, 900, 600, 600, 400)):
        laptop.capacity(cpu, capacity)
    assert measurable(usable_cores(laptop.root, frozenset(range(7)))) == (performance(0, 1), performance(2, 3))


def test_a_laptop_that_lists_no_efficiency_cores_has_none(sys):
    """As where they are switched off."""
    sys.write("devices/cpu_core/cpus", "0-1\n")
    for cpu, capacity in enumerate((1024, 900)):
        sys.core(cpu)
        sys.capacity(cpu, capacity)
    assert usable_cores(sys.root, frozenset({0, 1})) == (performance(0), performance(1))


def test_where_only_efficiency_cores_are_allowed_all_of_them_are_measured_on(laptop):
    cores = usable_cores(laptop.root, frozenset({4, 5}))
    assert measurable(cores) == cores == (efficient(4), efficient(5))


@pytest.mark.parametrize(
    ("capacities", "slower"),
    [
        ((446, 446, 1024, 1024), {0, 1}),  # big.LITTLE
        ((1024, 871, 871, 446), {1, 2, 3}),  # a prime core beside big and little ones
        ((1024, 1024, 1024, 1024), set()),
        ((1024, 980, 1007, 991), set()),  # alike, as firmware tells it of servers
        ((None, None, None, None), set()),
        ((512, 512, None, 512), set()),
    ],
)
def test_on_arm64_the_cores_of_a_clearly_smaller_capacity_are_efficient(sys, capacities, slower):
    for cpu, capacity in enumerate(capacities):
        sys.core(cpu)
        if capacity is not None:
            sys.capacity(cpu, capacity)
    cores = usable_cores(sys.root, frozenset(range(4)))
    assert {core.cpus[0] for core in cores if core.efficient} == slower
    assert [core.efficient for core in cores] == sorted(core.efficient for core in cores)
    assert {core.cpus[0] for core in measurable(cores)} == set(range(4)) - slower


def test_on_arm64_capacities_are_compared_among_the_allowed_cpus(sys):
    for cpu, capacity in enumerate((446, 446, 1024)):
        sys.core(cpu)
        sys.capacity(cpu, capacity)
    assert usable_cores(sys.root, frozenset({0, 1})) == (performance(0), performance(1))


def test_cpus_of_the_mask_that_are_offline_are_left_out(server):
    server.write("devices/system/cpu/cpu16/online", "0\n")
    cores = usable_cores(server.root, frozenset({0, 8, 16, 17}))
    assert cores == (performance(0, 8),)


@pytest.mark.parametrize(
    ("cpus", "siblings"), [((0,), (8,)), ((0, 8), ()), ((8,), (0,)), ((0, 1, 9, 12), (4, 8)), ((), ()), ((99,), ())]
)
def test_the_siblings_outside_are_the_other_threads_of_the_same_cores(server, cpus, siblings):
    assert siblings_outside(cpus, server.root) == siblings


def test_a_process_that_may_use_one_cpu_has_one_core():
    """A mask narrowed from outside, as a cpuset and `taskset` do."""
    last = max(os.sched_getaffinity(0))
    show = "from farm.host.topology import usable_cores; print([core.cpus for core in usable_cores()])"
    narrowed = f"import os; os.sched_setaffinity(0, {{{last}}}); {show}"
    told = subprocess.run([python.executable, "-c", narrowed], capture_output=True, text=True, check=True)
    assert told.stdout == f"[({last},)]\n"


def test_a_core_has_one_name_whichever_of_its_threads_a_mask_has(server):
    (one,), (other,) = (usable_cores(server.root, frozenset({cpu})) for cpu in (3, 11))
    assert (one.cpus, one.outside, other.cpus, other.outside) == ((3,), (11,), (11,), (3,))
    assert one.name == other.name == 3


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


@pytest.mark.parametrize("said", [None, "", "4:cpu:/group\n", "0::/group\n", "3:cpuset:/group\n"])
def test_without_a_cgroup_there_is_no_quota_and_nothing_was_held_back(sys, said):
    if said is not None:
        sys.write("own", said)
    assert cpu_quota(sys.root, sys.root / "own") is None
    assert throttled_usec(sys.root, sys.root / "own") == 0


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct", "cpuacct,cpu"])
@pytest.mark.parametrize("line", ["1:cpu:/a/b", "4:cpu,cpuacct:/a/b", "4:cpuacct,cpu:/a/b"])
@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [(-1, 150_000, 1.5), (100_000, 150_000, 1.0), (50_000, -1, 0.5), (-1, -1, None)],
)
def test_version_1s_quota_is_the_smallest_of_a_group_and_its_parents(sys, mount, line, outer, inner, expected):
    sys.quota_v1(mount, -1)
    sys.quota_v1(f"{mount}/a", outer)
    sys.quota_v1(f"{mount}/a/b", inner)
    assert cpu_quota(sys.root, sys.own(f"9:cpuset:/elsewhere\n{line}")) == expected


def test_version_1s_quota_counts_in_its_period(sys):
    sys.quota_v1("cpu/a", 100_000, period_us=50_000)
    assert cpu_quota(sys.root, sys.own("1:cpu:/a")) == 2.0


@pytest.mark.parametrize("said", ["4:cpu,cpuacct:/docker/0123", "4:cpu,cpuacct:/", "4:cpu,cpuacct:/../../0123"])
def test_in_a_container_of_version_1_the_mounts_root_is_its_own_group(sys, said):
    sys.quota_v1("cpu,cpuacct", 300_000)
    assert cpu_quota(sys.root, sys.own(said)) == 3.0


@pytest.mark.parametrize("said", ["0::/docker/0123", "0::/../0123"])
def test_in_a_container_of_version_2_the_mounts_root_is_its_own_group(sys, said):
    sys.write("fs/cgroup/cpu.max", "300000 100000\n")
    assert cpu_quota(sys.root, sys.own(said)) == 3.0


@pytest.mark.parametrize(
    ("of_v1", "of_v2", "expected"), [(200_000, "max", 2.0), (-1, "150000", 1.5), (200_000, "150000", 1.5)]
)
def test_on_a_hybrid_mount_the_smallest_quota_of_both_versions_counts(sys, of_v1, of_v2, expected):
    sys.quota_v1("cpu/a", of_v1)
    sys.write("fs/cgroup/unified/a/cpu.max", f"{of_v2} 100000\n")
    assert cpu_quota(sys.root, sys.own("9:name=systemd:/\n1:cpu:/a\n0::/a")) == expected


def test_time_held_back_is_told_in_microseconds_by_version_2(sys):
    sys.stat_v2("a", 1500)
    assert throttled_usec(sys.root, sys.own("0::/a")) == 1500


def test_time_held_back_is_told_in_microseconds_by_version_1(sys):
    sys.stat_v1("cpu/a", 1_500_999)
    (sys.root / "fs/cgroup/cpu,cpuacct").symlink_to("cpu")  # counts once
    assert throttled_usec(sys.root, sys.own("4:cpu,cpuacct:/a\n0::/a")) == 1500


@pytest.mark.parametrize("group", ["", "a", "a/b"])
def test_whichever_group_is_held_back_a_difference_of_two_readings_shows_it(sys, group):
    for folder, usec in (("", 9_000_000), ("a", 5_000), ("a/b", 10)):
        sys.stat_v2(folder, usec)
    own = sys.own("0::/a/b")
    before = throttled_usec(sys.root, own)
    text = (sys.root / "fs/cgroup" / group / "cpu.stat").read_text()
    sys.stat_v2(group, int(text.split()[-1]) + 7)
    assert throttled_usec(sys.root, own) - before == 7


def test_time_held_back_is_read_within_a_millisecond():
    """The fastest of many readings, so that other programs of this host do not matter."""
    assert min(timeit.repeat(throttled_usec, number=1, repeat=100)) < 1e-3


@pytest.mark.parametrize(("quota", "count"), [(None, 4), (0.5, 1), (1.0, 1), (2.9, 2), (4.0, 4), (64.0, 4)])
def test_no_more_cores_are_lent_than_the_quota_pays_for_and_at_least_one(quota, count):
    cores = tuple(Core(node=0, cpus=(cpu,)) for cpu in range(4))
    assert leasable_count(cores, quota) == count


@pytest.mark.parametrize(
    ("text", "cpus"), [("0-2,8\n", {0, 1, 2, 8}), ("5", {5}), ("", set()), ("\n", set()), ("0,2,4-5", {0, 2, 4, 5})]
)
def test_the_kernels_list_format_is_read(text, cpus):
    assert parse_cpu_list(text) == cpus
