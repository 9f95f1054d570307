"""Who is named for having disturbed a measurement."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from farm.host.load import PROGRAMS, WORTH_NAMING
from farm.measuring.disturbers import PROCESSOR, Disturbers
from tests.measuring.rows import heard

BUSY = {"foreign_s": 0.5}


def runs_on(proc, **cpus):
    """Threads of processes, by the CPU that each ran on last: ``p5=[0, 1]`` is process 5, with two."""
    for process, threads in cpus.items():
        for number, cpu in enumerate(threads):
            folder = proc / process[1:] / "task" / str(number)
            folder.mkdir(parents=True)
            (folder / "stat").write_bytes(
                b"1 (odd) \xff na)me) " + b" ".join([b"R", *[b"0"] * (PROCESSOR - 1), str(cpu).encode(), b"0", b"0"])
            )


def named(proc, *pairs, cpus=(0,)):
    """The programs that are named after these pairs: what processes had used before and after, and what it disturbed.

    Each pair takes a second.
    """
    looks = [look for before, after, _ in pairs for look in (before, after)]
    now = iter(range(1000))
    told = [[heard(100.0, **disturbed)] for *_, disturbed in pairs]
    seen = []

    def processes():
        seen.append(len(seen))
        return looks[seen[-1]]

    disturbers = Disturbers(cpus=cpus, proc=proc, processes=processes, clock=lambda: next(now))

    def measure_pair(longer):
        assert longer == 2.0
        rounds = told.pop(0)
        if not rounds[0].foreign_s:
            seen.append(len(seen))  # the look after it that nobody takes
        return rounds

    pair = disturbers.amid(measure_pair)
    for _ in pairs:
        assert len(pair(2.0)) == 1
    return disturbers.names()


def test_who_ran_on_the_cores_while_a_pair_was_disturbed_is_named_the_busiest_first(tmp_path):
    runs_on(tmp_path, p5=[0], p6=[7, 0], p7=[7], p8=[0])
    before = {5: ("make", 1.0), 7: ("far", 0.0), 8: ("idle", 3.0)}
    after = {5: ("make", 1.2), 6: ("cc1", 0.5), 7: ("far", 1.0), 8: ("idle", 3.01)}
    assert named(tmp_path, (before, after, BUSY)) == ("cc1", "make")


def test_nobody_is_named_for_what_ran_beside_undisturbed_pairs(tmp_path):
    runs_on(tmp_path, p5=[0])
    assert named(tmp_path, ({}, {5: ("make", 1.0)}, {})) == ()


def test_processes_of_one_name_count_together_and_all_disturbed_pairs_do(tmp_path):
    runs_on(tmp_path, p5=[0], p6=[0], p7=[0])
    first = ({}, {5: ("cc1", 0.2), 6: ("cc1", 0.2), 7: ("make", 0.3)}, BUSY)
    assert named(tmp_path, first) == ("cc1", "make")
    second = ({7: ("make", 0.3)}, {7: ("make", 1.0)}, BUSY)
    assert named(tmp_path, first, ({}, {5: ("cc1", 9.0)}, {}), second) == ("make", "cc1")


def test_so_many_are_named_at_most_and_none_that_hardly_ran(tmp_path):
    runs_on(tmp_path, **{f"p{number}": [0] for number in range(9)})
    assert len(named(tmp_path, ({}, {number: (f"p{number}", 0.5) for number in range(9)}, BUSY))) == PROGRAMS
    little = 0.9 * WORTH_NAMING
    assert named(tmp_path, ({}, {1: ("little", little)}, BUSY)) == ()


def test_a_program_that_has_ended_and_one_with_a_hostile_name_do_no_harm(tmp_path):
    runs_on(tmp_path, p5=[0])
    after = {4: ("gone", 1.0), 5: ("\x1b[2J\udcff", 1.0)}
    assert named(tmp_path, ({}, after, BUSY)) == ("\\x1b[2J\\udcff",)


def test_a_thread_of_which_nothing_can_be_read_hides_no_other(tmp_path):
    runs_on(tmp_path, p5=[0, 0, 0])
    (tmp_path / "5/task/0/stat").write_bytes(b"")
    (tmp_path / "5/task/1/stat").unlink()
    assert named(tmp_path, ({}, {5: ("make", 1.0)}, BUSY)) == ("make",)


@pytest.mark.alone
def test_a_real_program_on_the_cores_is_named(tmp_path):
    cpu, name = min(os.sched_getaffinity(0)), "disturbs-farm"
    (tmp_path / name).symlink_to(Path("/bin/sh").resolve())
    loop = ["taskset", "-c", str(cpu), str(tmp_path / name), "-c", "echo; while :; do :; done"]
    with subprocess.Popen(loop, stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout.readline()
            disturbers = Disturbers(cpus=(cpu,))

            def measure_pair(_):
                time.sleep(0.5)
                return [heard(100.0, **BUSY)]

            disturbers.amid(measure_pair)(1.0)
        finally:
            program.kill()
    assert name in disturbers.names()
