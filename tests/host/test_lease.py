"""Leases: who holds a core holds it alone, until the end or until killed."""

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import InputError
from farm.host.lease import host_cores, lease, lock_folder, safe_folder
from farm.host.topology import Core

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
    with pytest.raises(OSError, match="symbolic link"), lease(CORES[:1], 1, tmp_path):
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


def is_free(path):
    if not path.exists():
        return True
    with path.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
