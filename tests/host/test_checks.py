"""What farm says of hosts that are fit for measurements, and of hosts that are not."""

import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farm.host.check import Host, other_users, user_name
from farm.host.checks import CHECKS, run_checks
from farm.host.topology import cpu_list, parse_cpu_list

CPU = "sys/devices/system/cpu"
GIB = 2**20  # in KiB, as /proc/meminfo counts
TUNED = {  # a server of four cores with two threads each, set up for measurements
    "proc/cpuinfo": "model name : Xeon\nflags : fpu avx2 avx512_vnni\n",
    "proc/meminfo": f"MemTotal: {64 * GIB} kB\nMemAvailable: {60 * GIB} kB\nSwapTotal: 1024 kB\nSwapFree: 1024 kB\n",
    "proc/loadavg": "0.02 0.10 0.20 1/200 4711\n",
    "proc/self/cgroup": "0::/farm\n",
    "proc/self/schedstat": "381766 58537 2\n",
    "sys/fs/cgroup/farm/cpu.max": "max 100000\n",
    "sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
    "sys/devices/system/node/node0/cpulist": "0-7\n",
    f"{CPU}/online": "0-7\n",
    f"{CPU}/isolated": "\n",
    f"{CPU}/smt/active": "1\n",
    f"{CPU}/intel_pstate/no_turbo": "1\n",
}
for _cpu in range(8):
    TUNED[f"{CPU}/cpu{_cpu}/topology/thread_siblings_list"] = f"{_cpu % 4},{_cpu % 4 + 4}\n"
    TUNED[f"{CPU}/cpu{_cpu}/cpufreq/scaling_governor"] = "performance\n"
    TUNED[f"{CPU}/cpu{_cpu}/thermal_throttle/core_throttle_count"] = "0\n"

ORDER = ["governor", "turbo", "heat", "SMT", "kinds of cores", "int8 instructions", "affinity mask", "isolated CPUs"]
ORDER += ["CPU quota", "memory", "swap", "lock folder", "virtual machine", "load", "scheduler delays"]


class Tree:
    """A /sys and a /proc of one's own; busy: how many of its CPUs are while somebody sleeps."""

    def __init__(self, root, files, mask=range(8), busy=0):
        self.root, self.mask, self.busy = root, frozenset(mask), busy
        self.others, self.users = ({}, {}), frozenset()
        for path, text in files.items():
            self.write(path, text)
        self.steal(0.0)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def every(self, name, text):
        for cpu in range(8):
            self.write(f"{CPU}/cpu{cpu}/{name}", text)

    def forget(self, *names):
        for name in names:
            for path in self.root.glob(name):
                path.unlink()

    def steal(self, share):
        self.stolen = round(10_000 * share)
        self.tick(0)

    def tick(self, ticks):
        """So much time goes by for each CPU; what all of them did since boot stays as it is."""
        total = f"cpu {10_000 - self.stolen} 0 0 1000 0 0 0 {self.stolen}"
        each = [f"cpu{cpu} {ticks} 0 0 0 0 0 0 0" for cpu in range(self.busy)]
        each += [f"cpu{cpu} 0 0 0 {ticks} 0 0 0 0" for cpu in range(self.busy, 8)]
        self.write("proc/stat", "\n".join([total, *each]))

    def found(self):
        looks = list(self.others)
        host = Host(
            sysfs=self.root / "sys",
            proc=self.root / "proc",
            mask=self.mask,
            sleep=lambda _: self.tick(50),
            processes=lambda: looks.pop(0),
            users=lambda: self.users,
        )
        return {result.what: result for result in run_checks(host)}

    def states(self):
        return {finding.what: finding.state for finding in self.found().values()}


@pytest.fixture(autouse=True)
def lock_folder(monkeypatch, tmp_path):
    """A folder for locks that nobody else has seen."""
    monkeypatch.delenv("FARM_LOCKS", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / f"farm-cores-{os.getuid()}"


@pytest.fixture
def tuned(tmp_path):
    return Tree(tmp_path, TUNED)


@pytest.fixture
def server(tuned):
    """As it comes: the kernel saves power, turbo is on."""
    tuned.every("cpufreq/scaling_governor", "powersave\n")
    tuned.write(f"{CPU}/intel_pstate/no_turbo", "0\n")
    return tuned


@pytest.fixture
def vm(tmp_path):
    """A cloud's virtual machine of two cores: it knows nothing of frequencies."""
    files = {path: TUNED[path] for path in ("proc/meminfo", "proc/loadavg", "proc/self/schedstat")}
    files["proc/cpuinfo"] = "flags : fpu hypervisor avx2 avx512_vnni\n"
    files["proc/self/cgroup"] = "3:cpuset:/\n1:cpu:/\n0::/\n"
    files |= {f"{CPU}/online": "0-1\n", f"{CPU}/isolated": "\n", f"{CPU}/smt/active": "0\n"}
    files |= {f"{CPU}/cpu{cpu}/topology/thread_siblings_list": f"{cpu}\n" for cpu in (0, 1)}
    return Tree(tmp_path, files, mask=(0, 1))


@pytest.fixture
def container(tuned):
    """Started with ``docker run --cpus=0.5 --memory=1g`` on the tuned server."""
    tuned.write("proc/self/cgroup", "0::/\n")
    tuned.write("sys/fs/cgroup/cpu.max", "50000 100000\n")
    tuned.write("sys/fs/cgroup/cpu.stat", "nr_throttled 30\nthrottled_usec 1500000\n")
    tuned.write("sys/fs/cgroup/memory.max", f"{2**30}\n")
    return tuned


@pytest.fixture
def laptop(tuned):
    """Two performance cores of two threads, four efficiency cores."""
    for cpu in range(8):
        siblings = f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}" if cpu < 4 else str(cpu)
        tuned.write(f"{CPU}/cpu{cpu}/topology/thread_siblings_list", f"{siblings}\n")
    tuned.write("sys/devices/cpu_core/cpus", "0-3\n")
    tuned.write("sys/devices/cpu_atom/cpus", "4-7\n")
    return tuned


def test_a_tuned_server_is_good_in_every_way_and_nothing_is_to_be_changed(tuned):
    found = tuned.found()
    assert {finding.state for finding in found.values()} == {"good"}
    assert not any(finding.change for finding in found.values())
    assert list(found) == [what for what in ORDER if what != "isolated CPUs"]


def test_a_server_as_it_comes_has_a_changing_frequency_and_the_commands_that_fix_it(server):
    found = server.found()
    assert {what for what, finding in found.items() if finding.state != "good"} == {"governor", "turbo"}
    assert found["governor"].says.startswith("'powersave' on 8 CPUs of 8: ")
    assert found["governor"].change == "sudo cpupower frequency-set -g performance"
    assert found["turbo"].change == "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"


def test_a_virtual_machine_shows_no_frequency_and_is_good_but_for_that(vm):
    found = vm.found()
    unseen = {"governor", "turbo", "heat"}
    assert {what for what, finding in found.items() if finding.state != "good"} == unseen
    assert all(found[what].says.startswith("not shown by this host: ") for what in unseen)


def test_a_container_of_half_a_cpu_is_bad_and_learns_of_cpuset_cpus(container):
    found = container.found()
    assert {what for what, finding in found.items() if finding.state != "good"} == {"CPU quota", "memory"}
    assert found["CPU quota"].state == "bad"
    assert found["CPU quota"].says.startswith("0.5 for 4 cores, held back for 1.5 s so far")
    assert found["CPU quota"].change == "docker run --cpuset-cpus=0,4 in place of --cpus=0.5"
    assert found["memory"].says.startswith("60.0 GiB available, 1.0 GiB allowed to this container")
    assert found["memory"].state == "bad"


def test_on_a_hybrid_laptop_measurements_use_the_performance_cores(laptop):
    found = laptop.found()["kinds of cores"]
    assert (found.state, found.says) == (
        "good",
        "two, 2 performance and 4 efficiency: measurements use performance cores",
    )


def test_a_mask_of_efficiency_cores_only_is_doubtful(laptop):
    laptop.mask = frozenset(range(4, 8))
    found = laptop.found()["kinds of cores"]
    assert found.state == "doubtful"
    assert found.says == "the mask has only efficiency cores (4-7); the host has faster ones"
    assert found.change == "taskset -c 0-3 farm ..."


def test_one_cpu_under_another_governor_is_enough(tuned):
    tuned.write(f"{CPU}/cpu3/cpufreq/scaling_governor", "schedutil\n")
    assert tuned.found()["governor"].says.startswith("'schedutil' on 1 CPU of 8: ")
    tuned.mask = frozenset({0, 4})
    assert tuned.states()["governor"] == "good"


@pytest.mark.parametrize(("boost", "state"), [("0", "good"), ("1", "doubtful")])
def test_other_drivers_call_turbo_boost(tuned, boost, state):
    tuned.forget(f"{CPU}/intel_pstate/no_turbo")
    tuned.write(f"{CPU}/cpufreq/boost", f"{boost}\n")
    found = tuned.found()["turbo"]
    assert found.state == state
    assert found.change == ("echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost" if boost == "1" else "")


def test_a_core_that_got_too_hot_is_doubtful_if_it_is_ours(tuned):
    for cpu in (1, 5):  # both threads of a core show its count
        tuned.write(f"{CPU}/cpu{cpu}/thermal_throttle/core_throttle_count", "12\n")
    assert tuned.found()["heat"].says == "a core was slowed 12 times since boot for being too hot"
    assert tuned.states()["heat"] == "doubtful"
    tuned.mask = frozenset({0, 4})
    assert tuned.states()["heat"] == "good"


def test_threads_of_our_cores_that_others_may_use_are_doubtful(tuned):
    tuned.mask = frozenset({0, 1, 5})
    found = tuned.found()["SMT"]
    assert found.state == "doubtful"
    assert found.says == "the mask lacks threads of its cores (4): a program there slows measurements"
    assert found.change == "use whole cores: taskset -c 0-1,4-5 farm ..., docker run --cpuset-cpus=0-1,4-5"


@pytest.mark.parametrize(("active", "word"), [("1", "on"), ("0", "off")])
def test_smt_is_good_on_or_off_if_cores_are_whole(tuned, active, word):
    tuned.write(f"{CPU}/smt/active", active)
    found = tuned.found()["SMT"]
    assert (found.state, found.says.split(":")[0]) == ("good", word)


@pytest.mark.parametrize(
    ("flags", "state", "word"),
    [
        ("flags : avx2 avx_vnni", "good", "avx_vnni"),
        ("Features : asimd asimddp", "good", "neon_dotprod"),
        ("flags : avx2", "doubtful", "overflow"),
        ("flags : avx2 avx512f", "doubtful", "overflow"),
        ("Features : asimd", "doubtful", "no dot product"),
    ],
)
def test_without_a_dot_product_of_bytes_int8_is_doubtful(tuned, flags, state, word):
    tuned.write("proc/cpuinfo", flags)
    found = tuned.found()["int8 instructions"]
    assert found.state == state
    assert word in found.says
    assert ("overflow_fix" in found.change) == ("overflow" in found.says)


def test_the_mask_is_told_and_a_part_of_the_host_is_good(tuned):
    tuned.mask = frozenset({0, 1, 4, 5})
    found = tuned.found()["affinity mask"]
    assert (found.state, found.says) == ("good", "this process may use 4 CPUs (0-1,4-5) of the host's 8")


def test_a_host_of_one_core_has_no_room_for_anything_beside_a_measurement(vm):
    vm.write(f"{CPU}/online", "0\n")
    vm.mask = frozenset({0})
    found = vm.found()["affinity mask"]
    assert found.state == "doubtful"
    assert found.says.startswith("this process may use 1 CPU (0) of the host's 1: on the only core")


@pytest.mark.parametrize(
    ("mask", "state", "says"),
    [
        ({0, 4}, "good", "2-3, none in the mask"),
        ({3}, "good", "2-3, one in the mask"),
        ({2, 3}, "doubtful", "2-3 in the mask: threads that are not pinned all run on one of them"),
    ],
)
def test_isolated_cpus_are_good_until_threads_must_spread_over_them(tuned, mask, state, says):
    tuned.write(f"{CPU}/isolated", "2-3\n")
    tuned.mask = frozenset(mask)
    found = tuned.found()
    assert (found["isolated CPUs"].state, found["isolated CPUs"].says) == (state, says)
    assert list(found) == ORDER


@pytest.mark.parametrize(
    ("quota", "state", "says"),
    [
        ("max", "good", "none"),
        (400_000, "good", "4, enough for 4 cores"),
        (800_000, "good", "8, enough for 4 cores"),
        (250_000, "doubtful", "2.5 for 4 cores: farm leases 2"),
        (100_000, "doubtful", "1 for 4 cores: farm leases 1"),
        (90_000, "bad", "0.9 for 4 cores: one busy thread is stopped"),
    ],
)
def test_a_quota_is_good_if_it_pays_for_every_core(tuned, quota, state, says):
    tuned.write("sys/fs/cgroup/farm/cpu.max", f"{quota} 100000\n")
    found = tuned.found()["CPU quota"]
    assert found.state == state
    assert found.says.startswith(says)
    assert bool(found.change) == (state != "good")


@pytest.mark.parametrize(
    ("gib", "state"), [(60, "good"), (4, "good"), (3.9, "doubtful"), (1.5, "doubtful"), (1.4, "bad")]
)
def test_memory_is_judged_by_what_stages_need(tuned, gib, state):
    tuned.write("proc/meminfo", f"MemAvailable: {round(gib * GIB)} kB\nHugePages_Total: 0\n")
    found = tuned.found()["memory"]
    assert found.state == state
    assert found.says.startswith(f"{gib:.1f} GiB available")
    assert found.change == ("" if state == "good" else "end other programs")


@pytest.mark.parametrize("file", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(("limit", "state"), [("max", "good"), (2**62, "good"), (3 * 2**30, "doubtful")])
def test_a_containers_limit_counts_where_it_is_less_than_the_hosts_memory(tuned, file, limit, state):
    tuned.write(f"sys/fs/cgroup/{file}", f"{limit}\n")
    found = tuned.found()["memory"]
    assert (found.state, "docker" in found.change) == (state, state != "good")


def test_swap_in_use_is_doubtful(tuned):
    tuned.write("proc/meminfo", "SwapTotal: 4096 kB\nSwapFree: 1024 kB\n")
    found = tuned.found()["swap"]
    assert (found.state, found.says.split(":")[0], found.change) == ("doubtful", "3.0 MiB in use", "sudo swapoff -a")


def test_the_lock_folder_is_told(tuned, lock_folder):
    found = tuned.found()["lock folder"]
    assert found.state == "good"
    assert found.says.startswith(f"{lock_folder}, of ")
    assert found.says.endswith(", mode 700")


def test_a_lock_folder_that_cannot_be_used_is_bad(tuned, lock_folder):
    lock_folder.write_text("")
    found = tuned.found()["lock folder"]
    assert found.state == "bad"
    assert str(lock_folder) in found.says


def test_a_lock_folder_that_is_not_for_us_to_write_is_bad(tuned, monkeypatch, lock_folder):
    monkeypatch.setattr(os, "access", lambda path, mode: path != lock_folder or not mode & os.W_OK)
    found = tuned.found()["lock folder"]
    assert (found.state, found.change) == ("bad", f"sudo chmod 1777 {lock_folder}")


def test_where_others_are_logged_in_a_lock_folder_of_ones_own_is_doubtful(tuned, monkeypatch, tmp_path):
    tuned.users = frozenset({"eve", "bob"})
    found = tuned.found()["lock folder"]
    assert found.state == "doubtful"
    assert found.says.endswith("the leases of bob, eve are not seen")
    assert "export FARM_LOCKS=/var/lib/farm-locks" in found.change
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(stat.S_ISVTX | 0o777)
    monkeypatch.setenv("FARM_LOCKS", str(shared))
    assert tuned.states()["lock folder"] == "good"


def test_a_shared_lock_folder_that_anybody_may_empty_is_not_good(tuned, monkeypatch, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("FARM_LOCKS", str(shared))
    assert tuned.states()["lock folder"] != "good"


def test_who_else_is_logged_in_does_not_count_ourselves(monkeypatch):
    class User:
        def __init__(self, name):
            self.name = name

    own = user_name(os.getuid())
    monkeypatch.setattr("psutil.users", lambda: [User(own), User("bob"), User("bob")])
    assert other_users() == {"bob"}


def test_a_user_without_a_name_is_told_by_number(tuned, monkeypatch):
    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert f", of {os.getuid()}, " in tuned.found()["lock folder"].says


@pytest.mark.parametrize(("share", "state"), [(0.0, "good"), (0.01, "good"), (0.05, "doubtful")])
def test_a_virtual_machine_whose_neighbours_take_its_time_is_doubtful(vm, share, state):
    vm.steal(share)
    found = vm.found()["virtual machine"]
    assert found.state == state
    assert found.says.startswith(f"yes: {share:.1%} of the CPU time")


@pytest.mark.parametrize(
    ("path", "text", "word"),
    [
        ("proc/cpuinfo", "flags : fpu hypervisor\n", "yes"),
        ("sys/hypervisor/type", "xen\n", "yes"),
        ("sys/class/dmi/id/product_name", "KVM Virtual Machine\n", "yes"),
        ("sys/class/dmi/id/sys_vendor", "Amazon EC2\n", "yes"),
        ("sys/class/dmi/id/product_name", "PowerEdge\n", "no"),
    ],
)
def test_a_virtual_machine_is_known_by_any_of_its_signs(tuned, path, text, word):
    tuned.write(path, text)
    assert tuned.found()["virtual machine"].says.split(":")[0] == word


def test_a_clouds_bare_metal_is_no_virtual_machine(tuned):
    tuned.write("sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
    tuned.write("sys/class/dmi/id/product_name", "c5.metal\n")
    assert tuned.found()["virtual machine"].says.startswith("no: ")


@pytest.mark.parametrize(("busy", "state"), [(0, "good"), (1, "doubtful"), (4, "bad"), (8, "bad")])
def test_other_programs_are_counted_and_named(tuned, busy, state):
    tuned.busy = busy
    tuned.others = ({7: ("stress", 1.0)}, {7: ("stress", 1.0 + busy / 2)})
    found = tuned.found()["load"]
    assert found.state == state
    assert found.says.startswith(f"{busy}.0 of 8 CPUs busy now, load average 0.02")
    assert found.says.endswith(f", busiest: stress ({busy}.0)" if busy else "0.02")


def test_what_was_busy_in_the_last_minute_may_come_back(tuned):
    tuned.write("proc/loadavg", "4.00 2.00 1.00 1/200 4711\n")
    found = tuned.found()["load"]
    assert (found.state, found.says) == ("doubtful", "0.0 of 8 CPUs busy now, load average 4.00")


def test_without_the_schedulers_delays_others_are_seen_less_exactly(tuned):
    tuned.forget("proc/self/schedstat")
    assert tuned.states()["scheduler delays"] == "doubtful"


def test_a_host_that_shows_nothing_is_said_to_show_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    empty = tmp_path / "empty"
    found = run_checks(Host(sysfs=empty, proc=empty, mask=frozenset({0}), sleep=lambda _: None, users=frozenset))
    assert [finding.what for finding in found] == [what for what in ORDER if what != "isolated CPUs"]
    for finding in found:
        if finding.what != "lock folder":
            assert finding.state == "doubtful"
            assert finding.says.startswith("not shown by this host: ")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.sets(st.sampled_from(sorted(TUNED))), mask=st.sets(st.integers(0, 9), min_size=1))
def test_whatever_files_are_missing_every_check_finds_something(tmp_path_factory, kept, mask):
    tree = Tree(tmp_path_factory.mktemp("host"), {path: TUNED[path] for path in kept}, mask)
    assert list(tree.found()) == [what for what in ORDER if what != "isolated CPUs"]


def test_this_host_is_told_in_full():
    found = run_checks(Host(sleep=lambda _: None))
    assert len(found) >= len(CHECKS) - 1
    assert all(finding.says and finding.state in {"good", "doubtful", "bad"} for finding in found)


@given(cpus=st.frozensets(st.integers(0, 200)))
def test_a_list_of_cpus_is_written_as_the_kernel_reads_it(cpus):
    assert parse_cpu_list(cpu_list(cpus)) == cpus


def test_neighbouring_cpus_are_one_range():
    assert cpu_list({8, 0, 1, 2}) == "0-2,8"
