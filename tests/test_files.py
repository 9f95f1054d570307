"""Files that appear whole or not at all, and locks that end with their holder."""

import os
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from farm.errors import InputError
from farm.files import locked, new_folder, replaced, reserved, write_whole
from farm.generators.distylegan import checkpoint
from farm.generators.distylegan.network import Config
from farm.generators.distylegan.training import output

CONFIG = Config(ngf=8, z_dim=2, c_dim=2, project_dim=2, nc=3)
RESERVING = """
import sys
from pathlib import Path
from farm.files import reserved
with reserved(Path(sys.argv[1])):
    print("reserved", flush=True)
    sys.stdin.read()
"""


def generator(folder, value):
    checkpoint.save(folder, {"weight": torch.full((1000,), float(value))}, CONFIG, {"ndf": value})


def sheet(folder, value):
    output.write_samples(folder, 1, np.full((4, 32, 32, 3), value, np.uint8), 2)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda folder, value: write_whole(folder / "file", bytes([value]) * 1000), "file"),
        (lambda folder, value: write_whole(folder / "file", bytes([value]), durable=False), "file"),
        (generator, "generator.pt"),
        (generator, "config.json"),
        (sheet, "samples/epoch-0001.png"),
    ],
)
def test_who_reads_a_file_while_it_is_replaced_has_the_old_one_whole(tmp_path, write, name):
    write(tmp_path, 1)
    before = (tmp_path / name).read_bytes()
    with (tmp_path / name).open("rb") as reading:
        write(tmp_path, 2)
        assert reading.read() == before
    assert (tmp_path / name).read_bytes() != before
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".new")]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_an_error_or_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path, error):
    write_whole(tmp_path / "file", b"old")

    def fail_halfway():
        with replaced(tmp_path / "file") as new:
            new.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_only_the_first_writer_of_a_file_writes_it(tmp_path):
    write_whole(tmp_path / "file", b"first", first=True)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "file", b"second", first=True)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"first")]


def test_a_folder_appears_whole_and_the_first_one_stays(tmp_path):
    with new_folder(tmp_path / "folder") as slow:
        with new_folder(tmp_path / "folder") as quick:
            for new in (slow, quick):
                new.mkdir()
                (new / new.parent.name).write_text("whole")
            assert not (tmp_path / "folder").exists()
        assert (tmp_path / "folder" / quick.parent.name).read_text() == "whole"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == [quick.parent.name]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_nobody_made_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), new_folder(tmp_path / "folder"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_one_holders_until_it_lets_go(tmp_path):
    with locked(tmp_path / "lock"), pytest.raises(BlockingIOError), locked(tmp_path / "lock"):
        pass
    with locked(tmp_path / "lock"):
        pass


def test_who_waits_for_a_lock_that_its_holder_removes_locks_the_next_file_of_that_name(tmp_path):
    path, waits, locks, leave = tmp_path / "lock", threading.Event(), threading.Event(), threading.Event()

    def wait_for_it():
        waits.set()
        with locked(path, wait=True):
            locks.set()
            leave.wait(60)

    waiter = threading.Thread(target=wait_for_it, daemon=True)
    with locked(path):
        waiter.start()
        assert waits.wait(60)
        path.unlink()
    assert locks.wait(60)
    with pytest.raises(BlockingIOError), locked(path):
        pass
    leave.set()
    waiter.join(60)


def a_socket(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.close()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("make", [os.mkfifo, a_socket, lambda path: path.symlink_to(path.with_name("elsewhere"))])
def test_what_is_no_regular_file_is_refused_as_a_lock_at_once(tmp_path, monkeypatch, make, wait):
    monkeypatch.chdir(tmp_path)  # a socket's path has a limit
    make(tmp_path / "lock")
    with pytest.raises(InputError, match=r"lock is to be a lock, and is no regular file: remove it"):
        locked(tmp_path / "lock", wait=wait).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_folder_is_one_processes_until_it_ends_however_it_ends(tmp_path):
    folder, link = tmp_path / "deep" / "folder", tmp_path / "link"
    link.symlink_to(folder)
    with subprocess.Popen(
        [sys.executable, "-c", RESERVING, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "reserved\n"
        for path in (folder, link):
            with (
                pytest.raises(InputError, match=rf"another process writes to {path}: wait for it, or"),
                reserved(path),
            ):
                pass
        child.send_signal(signal.SIGKILL)
    with reserved(link):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("hello")
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(InputError, match=r"cannot make the folder .*; choose another --out"), reserved(path):
            pass
