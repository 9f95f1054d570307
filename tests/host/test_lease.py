"""Leases: who holds a core holds it alone, until the end or until killed."""

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import InputError
from farm.host.lease import host_cores, lease, lock_folder, safe_folder
from farm.host.topology import Core, usable_cores

CORES = tuple(Core(node=cpu // 4, cpus=(cpu, cpu + 8)) for cpu in range(8))  # two nodes of four cores


def cpus_of(held):
    return {cpu for core in held.cores for cpu in core.cpus}


def test_a_lease_holds_whole_cores_and_tells_their_cpus(tmp_path):
    with lease(CORES, 2, tmp_path) as held:
        assert held.cores == CORES[:2]
        assert held.cpus == (0, 1, 8, 9)


def test_two_holders_never_share_a_core(tmp_path):
    with lease(CORES, 3, tmp_path) as one, lease(CORES, 4, tmp_path) as two, lease(CORES, 1, tmp_path) as three:
        assert len(cpus_of(one) | cpus_of(two) | cpus_of(three)) == 16


def test_a_lease_lies_on_one_node_where_that_is_enough(tmp_path):
    with lease(CORES, 3, tmp_path) as one, lease(CORES, 3, tmp_path) as two:
        assert {core.node for core in one.cores} == {0}
        assert {core.node for core in two.cores} == {1}
        with pytest.raises(TimeoutError), lease(CORES, 2, tmp_path, wait_s=0):
            pass  # one core is free on each node, and two are not lent across them


HYBRID = tuple(Core(efficient=cpu >= 4, node=0, cpus=(cpu,)) for cpu in range(10))  # four fast, six slow


def test_performance_cores_are_lent_first_whatever_their_numbers_are(tmp_path):
    cores = (Core(efficient=True, node=0, cpus=(0,)), Core(node=0, cpus=(1,)))
    with lease(cores, 1, tmp_path) as held:
        assert held.cores == (Core(node=0, cpus=(1,)),)


def test_efficiency_cores_are_lent_while_others_hold_the_performance_cores(tmp_path):
    with lease(HYBRID, 4, tmp_path) as one, lease(HYBRID, 2, tmp_path, wait_s=0) as two:
        assert one.cores == HYBRID[:4]
        assert two.cores == HYBRID[4:6]


def test_a_lease_lies_on_one_kind_of_core_where_that_is_enough(tmp_path):
    with lease(HYBRID, 5, tmp_path) as held:
        assert held.cores == HYBRID[4:9]
    with (
        lease(HYBRID, 3, tmp_path),
        lease(HYBRID, 5, tmp_path),
        pytest.raises(TimeoutError),
        lease(HYBRID, 2, tmp_path, wait_s=0),
    ):
        pass  # one core of each kind is free, and two are not lent across them


def test_more_cores_than_there_are_of_a_kind_are_lent_across_kinds_performance_cores_among_them(tmp_path):
    with lease(HYBRID, 8, tmp_path) as held:
        assert held.cores == HYBRID[:8]


def test_one_kind_matters_more_than_one_node(tmp_path):
    cores = tuple(Core(efficient=cpu % 2 == 1, node=cpu // 4, cpus=(cpu,)) for cpu in range(8))
    with lease(cores, 3, tmp_path) as fast, lease(cores, 3, tmp_path, wait_s=0) as slow:
        assert [core.cpus[0] for core in fast.cores] == [0, 2, 4]
        assert [core.cpus[0] for core in slow.cores] == [1, 3, 5]


def test_more_cores_than_a_node_has_are_lent_across_nodes(tmp_path):
    with lease(CORES, 6, tmp_path) as held:
        assert len(held.cores) == 6


def test_none_leases_all(tmp_path):
    with lease(CORES, None, tmp_path) as held:
        assert held.cores == CORES


def test_a_lease_is_all_or_nothing(tmp_path):
    with lease(CORES, 5, tmp_path):
        text = f"4 cores were not free within 0 s; others hold them in {tmp_path}"
        with pytest.raises(TimeoutError, match=text), lease(CORES, 4, tmp_path, wait_s=0):
            pass
        with lease(CORES, 3, tmp_path) as held:  # what was tried for in vain is not kept
            assert len(held.cores) == 3


def test_cores_are_free_again_after_an_error_of_the_holder(tmp_path):
    with pytest.raises(ValueError, match="holder"), lease(CORES, None, tmp_path):
        raise ValueError("holder")
    with lease(CORES, None, tmp_path, wait_s=0) as held:
        assert held.cores == CORES


@pytest.mark.parametrize("count", [0, -1, 9])
def test_what_could_never_be_lent_is_refused_at_once(tmp_path, count):
    with pytest.raises(InputError, match=f"{count} cores wanted, but this host lends 8"), lease(CORES, count, tmp_path):
        pass


def test_who_waits_gets_the_cores_as_soon_as_they_are_free(tmp_path):
    got = threading.Event()

    def wait():
        with lease(CORES, None, tmp_path):
            got.set()

    with lease(CORES, 1, tmp_path):
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert not got.wait(0.3)  # longer than the pause between two tries
    assert got.wait(30)
    waiter.join()


def hold(folder, told):
    with lease(CORES, 5, folder):
        told.send(os.getpid())
        signal.pause()


def test_a_killed_holders_cores_are_free_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    holder = context.Process(target=hold, args=(tmp_path, there))
    holder.start()
    assert here.poll(60)
    assert here.recv() == holder.pid
    with pytest.raises(TimeoutError), lease(CORES, None, tmp_path, wait_s=0):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with lease(CORES, None, tmp_path, wait_s=0) as held:
        assert held.cores == CORES


def test_a_holders_child_does_not_hold_its_cores_on(tmp_path):
    with lease(CORES, None, tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:  # the kernel may let the locks go a moment after the child's exec
        with lease(CORES, None, tmp_path, wait_s=10) as held:
            assert held.cores == CORES
            assert child.poll() is None
    finally:
        child.communicate(b"\n")


@given(counts=st.lists(st.integers(1, 8), max_size=6))
def test_whatever_is_asked_for_no_core_is_lent_twice(counts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("locks")
    with ExitStack() as holders:
        lent = []
        for count in counts:
            try:
                held = holders.enter_context(lease(CORES, count, folder, wait_s=-1))
            except TimeoutError:
                continue
            assert len(held.cores) == count
            lent += held.cores
        assert len(set(lent)) == len(lent)


def test_the_lock_folder_is_the_users_own_and_closed_to_others(monkeypatch, tmp_path):
    monkeypatch.delenv("FARM_LOCKS", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = lock_folder()
    assert folder == tmp_path / f"farm-cores-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert lock_folder() == folder


def test_a_shared_lock_folder_may_be_somebody_elses(monkeypatch, tmp_path):
    monkeypatch.setenv("FARM_LOCKS", str(tmp_path / "locks"))
    assert lock_folder() == tmp_path / "locks"
    assert lock_folder().is_dir()


def test_a_link_or_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    for name in ("link", "file", "file/inside"):
        for shared in (False, True):
            with pytest.raises(InputError, match="FARM_LOCKS"):
                safe_folder(tmp_path / name, shared=shared)


root = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
NOBODY = 65534


@root
def test_somebody_elses_folder_is_refused_unless_it_is_shared_on_purpose(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(InputError, match="is not a folder of this user's"):
        safe_folder(folder)
    assert safe_folder(folder, shared=True) == folder


@root
def test_two_users_can_share_one_folder(monkeypatch, tmp_path):
    """The lock files that the first user leaves must be open to the second."""
    tmp_path.chmod(0o1777)
    monkeypatch.chdir(tmp_path)  # the way here is closed to others
    for user in (NOBODY - 1, NOBODY):
        os.seteuid(user)
        try:
            with lease(CORES[:1], 1, Path(), wait_s=0) as held:
                assert held.cores == CORES[:1]
        finally:
            os.seteuid(0)


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "core-0.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no regular file"), lease(CORES[:1], 1, tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_this_host_lends_at_least_one_of_its_cores():
    cpus = {cpu for core in host_cores() for cpu in core.cpus}
    assert cpus
    assert cpus <= os.sched_getaffinity(0)


def test_who_needs_all_cores_is_not_overtaken_by_who_needs_one(tmp_path):
    cores = tuple(Core(node=0, cpus=(cpu,)) for cpu in range(2))
    order = []
    with lease(cores, 1, tmp_path):
        waits = threading.Thread(target=lambda: hold("all", None))

        def hold(name, count):
            with lease(cores, count, tmp_path, wait_s=30.0):
                order.append(name)

        waits.start()
        while is_free(tmp_path / "queue.lock"):
            pass
        with pytest.raises(TimeoutError), lease(cores, 1, tmp_path, wait_s=0.3):
            pass  # a core is free, but somebody was here first
    waits.join()
    hold("one", 1)
    assert order == ["all", "one"]


needs_two_cores = pytest.mark.skipif(len(host_cores()) < 2, reason="two holders need two cores of this host")


def compute_on_first():
    """Pin oneself to the first CPU of the mask, compute, and tell the CPU on which that went."""
    os.sched_setaffinity(0, usable_cores()[0].cpus[:1])
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    return {int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[36])}


def infer_on_one_thread():
    """Let OpenVINO pin its one thread, which it does while it infers, and tell the CPUs of that thread's mask."""
    import numpy as np
    import openvino as ov
    from openvino import opset13 as ops

    image = ops.parameter([64, 512], np.float32)
    model = ov.Model([ops.result(ops.matmul(image, np.eye(512, dtype=np.float32), False, False))], [image])
    config = {"INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": True}
    request = ov.Core().compile_model(model, "CPU", config).create_infer_request()
    masks, until = [os.sched_getaffinity(0)], time.monotonic() + 30
    while len(min(masks, key=len)) > 1 and time.monotonic() < until:
        request.start_async([np.ones((64, 512), np.float32)])
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # it has just ended
                masks.append(os.sched_getaffinity(int(thread.name)))
        request.wait()
    return min(masks, key=len)


def work_at_once(work, folder, both, told):
    with lease(host_cores(), 1, folder) if folder else nullcontext() as held:
        if held:
            os.sched_setaffinity(0, held.cpus)
        both.wait(60)  # both have their cores
        told.send(work())
        both.wait(60)  # and keep them


def cpus_of_two(work, folder):
    """The CPUs that each of two processes at once works on; with leases in the folder, if there is one."""
    context = multiprocessing.get_context("spawn")
    both = context.Barrier(2)
    pipes = [context.Pipe(duplex=False) for _ in range(2)]
    workers = [context.Process(target=work_at_once, args=(work, folder, both, told), daemon=True) for _, told in pipes]
    for worker in workers:
        worker.start()
    assert all(here.poll(60) for here, _ in pipes)
    one, two = (here.recv() for here, _ in pipes)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    return one, two


@pytest.mark.alone  # it is told by what else its cores do
@needs_two_cores
@pytest.mark.parametrize("work", [compute_on_first, infer_on_one_thread])
def test_two_processes_that_lease_a_core_each_never_share_one(work, tmp_path):
    one, two = cpus_of_two(work, tmp_path)
    assert one
    assert two
    assert one.isdisjoint(two)


@pytest.mark.alone  # it is told by what else its cores do
@needs_two_cores
@pytest.mark.parametrize("work", [compute_on_first, infer_on_one_thread])
def test_without_leases_two_processes_meet_on_the_same_cpu_while_others_are_free(work):
    """What leases are for: who pins by himself does not know of others. OpenVINO takes the first CPU, too."""
    one, two = cpus_of_two(work, None)
    assert len(one) == 1
    assert one == two


def is_free(path):
    if not path.exists():
        return True
    with path.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_two_containers_that_have_a_thread_each_of_one_core_do_not_both_lease_it(tmp_path):
    one, other = Core(node=0, cpus=(0,), outside=(8,)), Core(node=0, cpus=(8,), outside=(0,))
    with lease((one,), 1, tmp_path), pytest.raises(TimeoutError), lease((other,), 1, tmp_path, wait_s=0):
        pass
