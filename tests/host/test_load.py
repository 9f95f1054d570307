"""How busy a host is, from two looks at its counters."""

import os

import pytest

from farm.host.check import other_processes
from farm.host.load import SAMPLE_S, CpuTime, Load, cpu_times, sample

STAT = "cpu  {0} 0 0 {1} 0 0 0 {2} 0 0\ncpu0 {0} 0 0 {1} 0 0 0 {2} 0 0\ncpu1 0 0 0 {3} 0 0 0 0 0 0\nintr 5 0\n"


def looks(*each):
    """A function that tells one after the other."""
    left = list(each)
    return lambda: left.pop(0)


def look(tmp_path, before, after, processes=(), cpus=frozenset({0, 1})):
    (tmp_path / "stat").write_text(STAT.format(*before))

    def sleep(seconds):
        assert seconds == SAMPLE_S
        (tmp_path / "stat").write_text(STAT.format(*after))

    return sample(tmp_path, cpus, sleep, looks(*processes) if processes else dict)


def test_busy_is_all_but_idle_and_waiting_for_disks(tmp_path):
    (tmp_path / "stat").write_text("cpu  1 2 4 100 1000 8 16 32 0 0\nbtime 5\n")
    assert cpu_times(tmp_path) == {"cpu": CpuTime(busy=31, idle=1100, steal=32)}


def test_an_old_kernels_line_without_steal_is_read(tmp_path):
    (tmp_path / "stat").write_text("cpu0 1 2 4 100\n")
    assert cpu_times(tmp_path) == {"cpu0": CpuTime(busy=7, idle=100, steal=0)}


def test_stolen_is_a_share_of_the_time_that_was_wanted():
    assert CpuTime(busy=98, idle=10_000, steal=2).stolen == 0.02
    assert CpuTime(busy=0, idle=0, steal=0).stolen == 0


@pytest.mark.parametrize(
    ("after", "cpus", "busy"),
    [
        ((0, 150, 0, 150), {0, 1}, 0.0),
        ((50, 100, 0, 150), {0, 1}, 1.0),
        ((25, 125, 0, 150), {0, 1}, 0.5),
        ((50, 100, 0, 150), {1}, 0.0),  # the other CPU is not ours
        ((25, 100, 25, 150), {0}, 0.5),
        ((0, 100, 0, 100), {0, 1}, 0.0),  # no tick went by
    ],
)
def test_busy_cpus_are_counted_among_our_own(tmp_path, after, cpus, busy):
    assert look(tmp_path, (0, 100, 0, 100), after, cpus=frozenset(cpus)) == Load(busy=busy, programs=())


def test_the_busiest_programs_are_named_first_and_idle_ones_not_at_all(tmp_path):
    before = {1: ("init", 9.0), 2: ("make", 1.0), 3: ("node", 0.0), 5: ("sshd", 0.0)}
    after = {1: ("init", 9.0), 2: ("make", 1.5), 3: ("node", 0.25), 4: ("cc1", 0.4), 5: ("sshd", 0.1)}
    found = look(tmp_path, (0, 0, 0, 0), (0, 50, 0, 50), (before, after))
    assert found == Load(busy=0, programs=("make (1.0)", "cc1 (0.8)", "node (0.5)"))


def test_a_host_that_shows_no_counters_tells_no_load(tmp_path):
    assert cpu_times(tmp_path) == {}
    assert sample(tmp_path, frozenset({0}), lambda _: None, dict) is None
    (tmp_path / "stat").write_text("cpu  1 2 4 100\n")
    assert sample(tmp_path, frozenset({0}), lambda _: None, dict) is None


def test_this_process_is_none_of_the_others():
    found = other_processes()
    assert os.getpid() not in found
    assert os.getppid() in found
    assert all(name and seconds >= 0 for name, seconds in found.values())
