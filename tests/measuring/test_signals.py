"""What else went on: counters of trees that are made up, and this host's own beside programs that are real."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from farm.host.load import TICK_S, cpu_times
from farm.measuring import signals
from farm.measuring.signals import Own, Reading, between, of_own, read, read_own
from farm.measuring.verdict import disturbances
from tests.measuring.rows import one_round

NOTHING = Reading(
    at_s=100.0, idle_s=50.0, steal_s={"cpu0": 2.0, "cpu1": 0.5},
    siblings_s={"cpu2": 3.0, "cpu3": 0.0}, throttled_s=4.0, overheated=7, mhz=None,
)  # fmt: skip
CLEAN = dict.fromkeys(("played_s", "steal_s", "foreign_s", "siblings_s", "throttled_s", "overheated"), 0) | {
    "mhz": None
}


def after(**spent):
    """The reading a second later, by so much of each; of several counters, of the first."""
    told = {name: getattr(NOTHING, name) for name in Reading.__dataclass_fields__} | {"at_s": 101.0}
    return Reading(**{name: grown(value, spent[name]) if name in spent else value for name, value in told.items()})


def grown(value, amount):
    if not isinstance(value, dict):
        return (value or 0) + amount
    first, *_ = value
    return value | {first: value[first] + amount}


def signals_of(cpus=1, *, used_s, **spent):
    found = between(NOTHING, after(**spent), cpus, used_s)
    return {name: pytest.approx(value, abs=1e-9) for name, value in found.items()}


@pytest.mark.parametrize(
    ("spent", "cpus", "foreign_s"),
    [
        ({"used_s": 1.0}, 1, 0.0),
        ({"used_s": 0.5}, 1, 0.5),
        ({"used_s": 0.99}, 1, 0.01),  # no idle tick to be unsure of: to the millisecond
        ({"used_s": 2.0}, 2, 0.0),
        ({"used_s": 1.0, "idle_s": 1.0}, 2, 0.0),
        ({"used_s": 1.0, "idle_s": 0.5}, 2, 0.5 - 1.25 * 2**0.5 / 100),
        ({"used_s": 0.5, "idle_s": 0.49}, 1, 0.0),  # a tick is no proof
        ({"used_s": 0.5, "idle_s": 0.4}, 1, 0.1 - 1.25 / 100),
        ({"used_s": 0.5, "steal_s": 0.5}, 1, 0.0),
        ({"used_s": 0.4, "steal_s": 0.5}, 1, 0.1 - 1.25 / 100),
        ({"used_s": 0.0, "idle_s": 4.0}, 4, 0.0),
        ({"used_s": 1.01}, 1, 0.0),  # never less than nothing
    ],
)
def test_foreign_is_what_of_the_leased_cpus_was_neither_own_nor_idle_nor_stolen(spent, cpus, foreign_s):
    assert TICK_S == 0.01
    assert foreign_s == signals_of(cpus, **spent)["foreign_s"]


@pytest.mark.parametrize("signal", ["steal_s", "siblings_s", "throttled_s"])
def test_counters_are_told_by_how_much_they_grew(signal):
    found = signals_of(used_s=1.0, **{signal: 0.25})
    assert found[signal] == 0.25
    others = set(found) - {signal, "mhz", "foreign_s", "played_s"}
    assert all(found[name] == 0 for name in others)


@pytest.mark.parametrize("signal", ["steal_s", "siblings_s"])
def test_of_several_counters_the_one_that_grew_most_is_told(signal):
    """Inferences wait for the slowest thread, wherever it runs."""
    counters = getattr(NOTHING, signal)
    grown_by = dict(zip(counters, (0.2, 0.3), strict=True))
    later = after()
    told = {name: getattr(later, name) for name in Reading.__dataclass_fields__}
    told[signal] = {name: value + grown_by[name] for name, value in counters.items()}
    assert between(NOTHING, Reading(**told), 1, 1.0)[signal] == pytest.approx(0.3)


def test_what_a_round_used_is_its_cpu_time_and_the_wait_of_the_thread_that_waited_longest():
    before = Own(used_s=5.0, delayed_s={"1": 1.0, "2": 4.0})
    later = Own(used_s=6.5, delayed_s={"1": 1.2, "2": 4.3})
    assert of_own([(before, later)]) == {"used_s": 1.5, "delayed_s": pytest.approx(0.3)}
    assert of_own([(before, later)] * 3) == {"used_s": 1.5, "delayed_s": pytest.approx(0.9)}
    new = Own(used_s=6.5, delayed_s={"2": 4.3, "3": 0.4})
    assert of_own([(before, new)])["delayed_s"] == pytest.approx(0.4), "a thread that is new has waited since its start"


def test_how_long_a_pair_played_is_told():
    assert signals_of(used_s=1.0)["played_s"] == 1.0


def test_events_and_the_frequency_at_the_end_are_told():
    found = between(NOTHING, after(overheated=3, mhz=2500.0), 1, 1.0)
    assert (found["overheated"], found["mhz"]) == (3, 2500.0)


def test_of_nothing_nothing_is_told():
    assert between(NOTHING, NOTHING, 4, 0.0) == CLEAN


class Tree:
    """A host's /proc and /sys in a folder: as much of them as is read."""

    def __init__(self, folder):
        self.proc, self.sysfs, self.cgroup = folder / "proc", folder / "sys", folder / "cgroup"

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def ticks(self, *cpus):
        """The first eight columns of each CPU."""
        lines = ["cpu  1 1 1 1 1 1 1 1 0 0"]
        lines += [f"cpu{cpu} {' '.join(map(str, counts))} 99 99" for cpu, counts in enumerate(cpus)]
        self.write(self.proc / "stat", "\n".join([*lines, "intr 5 0", "ctxt 7", "btime 1"]) + "\n")

    def cpu(self, cpu, name, text):
        self.write(self.sysfs / f"devices/system/cpu/cpu{cpu}/{name}", f"{text}\n")

    def read(self, *cpus):
        return read(cpus, self.proc, self.sysfs, self.cgroup)


@pytest.fixture
def tree(tmp_path):
    made = Tree(tmp_path)
    made.ticks((10, 20, 40, 1000, 100, 3, 5, 7), (0, 0, 0, 2000, 0, 0, 0, 11), (50, 0, 0, 0, 0, 0, 0, 0))
    return made


def test_idle_and_stolen_time_are_those_of_the_leased_cpus(tree):
    assert tree.read(0).idle_s == pytest.approx(11.0)
    assert tree.read(0, 1).idle_s == pytest.approx(31.0)
    assert tree.read(0, 1).steal_s == pytest.approx({"cpu0": 0.07, "cpu1": 0.11})
    assert (tree.read(2).idle_s, tree.read(2).steal_s) == (0, {"cpu2": 0})


def test_a_cpu_that_went_offline_is_left_out(tree):
    assert tree.read(1, 9).idle_s == tree.read(1).idle_s
    assert tree.read(9).idle_s == 0


def test_siblings_are_the_other_threads_of_the_leased_cores(tree):
    for cpu, siblings in ((0, "0,2"), (1, "1"), (2, "0,2")):
        tree.cpu(cpu, "topology/thread_siblings_list", siblings)
    assert tree.read(0).siblings_s == pytest.approx({"cpu2": 0.5})
    assert tree.read(2).siblings_s == pytest.approx({"cpu0": 0.78}), "all but idle, waiting and stolen"
    assert tree.read(1).siblings_s == tree.read(0, 2).siblings_s == {}


def test_waiting_to_run_is_told_of_each_thread(tree):
    for thread, waited in ((1, 1_500_000_000), (2, 250_000_000)):
        tree.write(tree.proc / f"self/task/{thread}/schedstat", f"123 {waited} 7\n")
    assert read_own(tree.proc).delayed_s == pytest.approx({"1": 1.5, "2": 0.25})


def test_a_kernel_that_does_not_tell_who_waited_tells_of_no_wait(tree):
    (tree.proc / "self/task/1").mkdir(parents=True)
    assert read_own(tree.proc).delayed_s == {}


def test_a_thread_that_has_just_ended_is_no_fault(tree):
    for thread in (1, 2):
        tree.write(tree.proc / f"self/task/{thread}/schedstat", "1 2000000000 3\n")
    (tree.proc / "self/task/1/schedstat").unlink()
    (tree.proc / "self/task/1/schedstat").symlink_to(tree.proc / "nowhere")
    assert read_own(tree.proc).delayed_s == pytest.approx({"2": 2.0})


@pytest.mark.parametrize(
    ("cgroup", "files", "throttled_s"),
    [
        ("0::/job\n", {"fs/cgroup/job/cpu.stat": "usage_usec 5\nthrottled_usec 1500000\n"}, 1.5),
        ("4:cpu,cpuacct:/job\n", {"fs/cgroup/cpu/job/cpu.stat": "nr_throttled 2\nthrottled_time 2500000000\n"}, 2.5),
        ("0::/\n", {}, 0.0),
        ("", {}, 0.0),
    ],
)
def test_being_held_back_by_a_quota_is_told(tree, cgroup, files, throttled_s):
    tree.write(tree.cgroup, cgroup)
    for path, text in files.items():
        tree.write(tree.sysfs / path, text)
    assert tree.read(0).throttled_s == pytest.approx(throttled_s)


def test_throttling_of_the_processor_is_summed_over_the_leased_cpus(tree):
    for cpu, count in ((0, 3), (1, 4), (2, 100)):
        tree.cpu(cpu, "thermal_throttle/core_throttle_count", count)
    assert (tree.read(0).overheated, tree.read(0, 1).overheated) == (3, 7)


def test_the_frequency_is_the_mean_of_the_leased_cpus_or_unknown(tree):
    assert tree.read(0).mhz is None
    for cpu, khz in ((0, 3_000_000), (1, 2_000_000), (2, 800_000)):
        tree.cpu(cpu, "cpufreq/scaling_cur_freq", khz)
    assert (tree.read(0).mhz, tree.read(0, 1).mhz) == (3000.0, 2500.0)


def test_between_two_readings_of_a_tree_what_was_stolen_is_no_other_program(tree):
    before = tree.read(0)
    tree.ticks((10, 20, 40, 1000, 100, 3, 5, 30))
    found = between(before, tree.read(0), 1, 0.0)
    assert found["steal_s"] == pytest.approx(0.23)
    assert found["foreign_s"] == 0


# This host itself. Others may run here too, and are no fault of what is tested: so each is held against what the
# kernel's other counters say, which `signals` does not read.

SECONDS = 0.5
SLACK_S = 4 * TICK_S  # of counts that are rounded to ticks, at both ends of both


@pytest.fixture
def pinned():
    """This process on one CPU alone, the last that it may use."""
    mask = os.sched_getaffinity(0)
    cpu = max(mask)
    os.sched_setaffinity(0, {cpu})
    yield cpu
    os.sched_setaffinity(0, mask)


@pytest.fixture
def hog(pinned):
    """A program that keeps the same CPU busy."""
    script = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # it runs; the mask is inherited
        yield psutil.Process(process.pid)
        process.kill()


def spin():
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        pass


def rest():
    time.sleep(SECONDS)


def during(work, *cpus):
    """What went on while this process did something; how long it took; busy time of these CPUs that was not its own."""
    busy = {cpu: cpu_times(signals.PROC)[f"cpu{cpu}"].busy for cpu in cpus}
    before, own = read(cpus), read_own()
    work()
    used, last = of_own([(own, read_own())]), read(cpus)
    busy_s = sum(cpu_times(signals.PROC)[f"cpu{cpu}"].busy - busy[cpu] for cpu in cpus) * TICK_S
    others_s = busy_s - used["used_s"]
    return {**used, **between(before, last, len(cpus), used["used_s"])}, last.at_s - before.at_s, others_s


def test_a_busy_loop_alone_is_clean(pinned):
    found, _, others_s = during(spin, pinned)
    assert found["foreign_s"] <= max(0.0, others_s) + SLACK_S
    assert found["delayed_s"] <= max(0.0, others_s) + found["steal_s"] + SLACK_S


@pytest.mark.alone
def test_a_hog_on_the_same_cpu_is_seen_for_all_that_it_took(pinned, hog):
    begun = sum(hog.cpu_times()[:2])
    found, wall_s, _ = during(spin, pinned)
    took_s = sum(hog.cpu_times()[:2]) - begun
    assert took_s > 0.2 * wall_s, "two share a CPU about evenly, three or four a little less"
    assert found["foreign_s"] >= took_s - SLACK_S
    assert found["foreign_s"] <= 0.9 * wall_s, "and something is left for who was measured"
    timed = {"wall_ns": round(wall_s * 1e9), "cpus": [pinned], "synchronous": False}
    assert "foreign" in disturbances(one_round("cell", 1.0, **timed | found))


@pytest.mark.alone
def test_a_hog_on_the_same_cpu_keeps_a_thread_waiting_for_as_long(pinned, hog):
    if not (signals.PROC / "self/schedstat").exists():
        pytest.skip("this kernel does not tell how long a thread waited")
    found, wall_s, _ = during(spin, pinned)
    assert found["delayed_s"] == pytest.approx(found["foreign_s"] + found["steal_s"], abs=0.1 * wall_s)


def test_leased_cpus_that_are_idle_are_not_taken_by_others(pinned):
    cpus = [cpu for cpu in range(os.cpu_count()) if f"cpu{cpu}" in cpu_times(signals.PROC)]
    found, wall_s, others_s = during(rest, *cpus)
    sampled_s = 0.2 * wall_s * len(cpus)  # the kernel samples busy time, and misses what is shorter than a tick
    assert found["foreign_s"] <= max(0.0, others_s) + sampled_s


def test_a_reading_takes_a_time_that_a_round_does_not_notice():
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    begun = time.process_time()
    for _ in range(20):
        read(cpus)
    assert (time.process_time() - begun) / 20 < 0.02
