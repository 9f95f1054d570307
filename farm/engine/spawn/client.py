"""The client's side of the fork server: one server a host and session, started by whoever comes first.

Knows sockets and processes, not stages.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from farm.engine.spawn.server import READY, SOCKET, WELCOME, lock_path, log_path
from farm.errors import EngineError
from farm.files import locked
from farm.host.facts import VISIBLE

PIPE_BYTES = 65536
START_S = 600.0  # a shared disk may take minutes for what a server imports
LONGEST_POLL_S = 86_400.0  # the kernel counts milliseconds in 31 bits
# What nncf imports asks for CUDA; a process that has touched it cannot be forked into one that uses it.
NO_CUDA = {VISIBLE: "", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}

_lifelines: dict[Path, socket.socket] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a child ended. code: its exit code, negative for a signal. peak_rss_kib: its largest resident set."""

    code: int = 0
    peak_rss_kib: int = 0
    timed_out: bool = False


def hold(folder: Path) -> None:
    """Keep a lifeline to the folder's server until `release`; another one where that server has died."""
    if folder in _lifelines and _is_cut(_lifelines[folder]):
        release(folder)
    if folder not in _lifelines:
        _lifelines[folder] = lifeline(folder)


def _is_cut(line: socket.socket) -> bool:
    """Whether nobody is at the other end any more."""
    try:
        return not line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def lifeline(folder: Path) -> socket.socket:
    """A new lifeline to the folder's server, which is started if there is none. While it is open, the folder stays."""
    with locked(lock_path(folder), wait=True):
        folder.mkdir(mode=0o700, exist_ok=True)
        line = _connect(folder) or _start(folder)
        line.sendall(b"lifeline\n")
        if line.recv(len(WELCOME)) != WELCOME:
            raise EngineError(f"the fork server of {folder} does not answer; see {log_path(folder)}")
        return line


def run_child(folder: Path, request: Path, lines: Path, timeout_s: float) -> Iterator[str | Ending]:
    """Fork a child for a request and sleep until it has ended; hanging up, for whatever reason, ends it.

    lines: a pipe of this name is made, and what the child writes there is given line by line; last its ending.
    """
    connection = _connect(folder)
    if connection is None:
        release(folder)
        raise EngineError(f"the fork server of {folder} is gone; see {log_path(folder)}")
    os.mkfifo(lines, 0o600)
    pipe = os.open(lines, os.O_RDWR | os.O_NONBLOCK)  # for writing too: it never ends, whoever comes and goes
    deadline = time.monotonic() + timeout_s
    poll = select.poll()
    for handle in (connection.fileno(), pipe):
        poll.register(handle, select.POLLIN)
    try:
        with connection:
            with suppress(ConnectionError):  # then there is no answer either
                connection.sendall(f"run {request}\n".encode())
            while True:
                left_s = max(0.0, deadline - time.monotonic())
                ready = {handle for handle, _ in poll.poll(min(left_s, LONGEST_POLL_S) * 1000)}
                if pipe in ready and left_s > 0:  # what never stops talking still ends in time
                    yield from os.read(pipe, PIPE_BYTES).decode(errors="replace").splitlines()
                elif connection.fileno() in ready:
                    yield _ending(connection, folder)
                    return
                elif left_s <= LONGEST_POLL_S:
                    yield Ending(timed_out=True)
                    return
    finally:
        os.close(pipe)


def _ending(connection: socket.socket, folder: Path) -> Ending:
    answer = b""
    with suppress(ConnectionError):
        answer = connection.recv(PIPE_BYTES)
    if not answer:
        release(folder)
        raise EngineError(f"the fork server of {folder} ended; see {log_path(folder)}")
    return Ending(**json.loads(answer))


def release(folder: Path) -> None:
    """Let go of the folder's fork server, if this process holds it alive."""
    if line := _lifelines.pop(folder, None):
        line.close()


def _connect(folder: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(folder / SOCKET))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return connection


def _start(folder: Path) -> socket.socket:
    (folder / SOCKET).unlink(missing_ok=True)
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **NO_CUDA}
    environment.pop("OMP_NUM_THREADS", None)
    command = [sys.executable, "-P", "-m", "farm.engine.spawn.server", str(folder)]
    with log_path(folder).open("ab") as log:  # it leaves its family at once; its pipe stays open until it is ready
        ready = b""
        with suppress(subprocess.TimeoutExpired):
            ready = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
                timeout=START_S,
            ).stdout
    connection = _connect(folder)
    if ready != READY or connection is None:
        raise EngineError(f"the fork server did not start; see {log_path(folder)}")
    return connection
