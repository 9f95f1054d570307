"""A small fork server, one a host and session: fresh processes that have torch, nncf and openvino imported.

Knows sockets and processes, not stages. Started as ``python -P -m farm.engine.spawn.server FOLDER``.

A client connects to ``FOLDER/socket`` and sends one line:

    lifeline          answered and kept open; the server ends with its last lifeline, and removes FOLDER
    run REQUEST.json  forks a child for the request; answers one line of JSON when the child has ended

A client that hangs up ends its child: so a stage dies with the worker that asked for it, however that
worker died. If the server itself dies, the kernel kills the children (PR_SET_PDEATHSIG).
"""

import ctypes
import gc
import json
import logging
import os
import selectors
import shutil
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from farm.files import locked

SOCKET = "socket"
READY = b"ready\n"
WELCOME = b"welcome\n"
PATIENCE_S = 30.0
STALE_S = 2 * 86_400
PRELOAD = (  # torch, nncf and openvino, with what they import when first used: it takes longer than many a stage
    "torch.fx.experimental.symbolic_shapes",
    "nncf.torch",
    "nncf.openvino.quantization.quantize_model",
    "openvino.frontend.pytorch.ts_decoder",
    "pyarrow.parquet",
    "farm.engine.spawn.child",
    *(f"farm.stages.{name}" for name in ("synthesize", "export", "quantize", "evaluate", "measure")),
)
# OpenVINO and NNCF report each conversion to Google Analytics unless they find no such module: a farm asks nobody for
# thousands of reports, and each forks the stage's process anew.
REPORTS = "openvino_telemetry"
PR_SET_PDEATHSIG = 1


class _Server:
    """Children by the descriptor that tells of their end, and the connection that asked for each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(folder / SOCKET))
        self.listener.listen(128)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.lifelines: set[socket.socket] = set()
        self.children: dict[socket.socket, tuple[int, int]] = {}  # connection -> (pid, pidfd)
        self.met = False

    def serve(self) -> None:
        """Until the last lifeline has gone and nobody is about to bring one."""
        while True:
            events = self.selector.select(None if self.lifelines else PATIENCE_S)
            for key, _ in events:
                if self.selector.get_map().get(key.fd) is key:  # an earlier event of this batch may have ended it
                    key.data(key.fileobj)
            if not self.lifelines and (self.met or not events) and self.leave():
                return

    def leave(self) -> bool:
        """Remove the folder, unless a client holds the lock: then it is about to connect."""
        lock = lock_path(self.folder)
        try:
            with locked(lock):
                for connection in tuple(self.children):
                    self.hang_up(connection)
                self.listener.close()
                shutil.rmtree(self.folder, ignore_errors=True)
                log = log_path(self.folder)
                if log.exists() and log.stat().st_size == 0:
                    log.unlink()
                lock.unlink(missing_ok=True)
        except BlockingIOError:
            return False
        return True

    def accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        self.selector.register(connection, selectors.EVENT_READ, self.hear)

    def hear(self, connection: socket.socket) -> None:
        word, rest = "", ""
        with suppress(ConnectionError):  # then it has gone
            word, _, rest = connection.recv(65536).decode().strip().partition(" ")
            if word == "lifeline":
                connection.sendall(WELCOME)
                self.lifelines.add(connection)
                self.met = True
                return
        if word == "run":
            self.start(connection, rest)
        else:
            self.hang_up(connection)

    def start(self, connection: socket.socket, request: str) -> None:
        pid = os.fork()
        if pid == 0:
            self.become_child(request)
        handle = os.pidfd_open(pid)
        self.children[connection] = (pid, handle)
        self.selector.register(handle, selectors.EVENT_READ, lambda _: self.reap(connection))

    def become_child(self, request: str) -> NoReturn:
        code = 70
        try:
            leave_with_parent()
            os.setsid()
            self.forget()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            code = int(import_module("farm.engine.spawn.child").main(Path(request)))
        except BaseException:  # such as SystemExit from a user's code; the client reads the exit code  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(code)

    def forget(self) -> None:
        """Close the server's descriptors in a child: they are not its to hold open."""
        for key in tuple(self.selector.get_map().values()):
            if isinstance(key.fileobj, int):
                os.close(key.fileobj)
            else:
                key.fileobj.close()  # type: ignore[attr-defined]
        self.selector.close()

    def reap(self, connection: socket.socket) -> None:
        pid, _ = self.children[connection]
        _, status, usage = os.wait4(pid, 0)
        answer = {"code": os.waitstatus_to_exitcode(status), "peak_rss_kib": usage.ru_maxrss}
        kill_group(pid)
        try:
            connection.sendall(json.dumps(answer).encode() + b"\n")
        except ConnectionError:
            sys.stderr.write(f"nobody waits for {pid} any more\n")
        self.drop(connection)

    def hang_up(self, connection: socket.socket) -> None:
        """The other side has gone: end its child, or count its lifeline out."""
        self.lifelines.discard(connection)
        if connection in self.children:
            pid, _ = self.children[connection]
            kill_group(pid)
            os.waitpid(pid, 0)
        self.drop(connection)

    def drop(self, connection: socket.socket) -> None:
        _, handle = self.children.pop(connection, (0, -1))
        if handle >= 0:
            self.selector.unregister(handle)
            os.close(handle)
        self.selector.unregister(connection)
        connection.close()


def leave_with_parent() -> None:
    """Have the kernel kill this process when its parent dies."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(70)


def kill_group(pid: int) -> None:
    """Kill a child and whatever it started; it leads its own session once it has got that far."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def lock_path(folder: Path) -> Path:
    """Held while a client connects, and while the server leaves. Beside the folder, to outlive it."""
    return folder.with_suffix(".lock")


def log_path(folder: Path) -> Path:
    """What the server itself says; empty as a rule."""
    return folder.with_suffix(".log")


def sweep(root: Path) -> None:
    """Remove what sessions left behind that ended days ago by no fault of ours (a power cut).

    A folder that somebody works in is locked, however old it is; then the files that go with it stay, too.
    """
    for path in root.iterdir():
        with suppress(FileNotFoundError, BlockingIOError):  # another session may end at this moment
            if time.time() - path.stat().st_mtime <= STALE_S:
                continue
            if path.is_dir():
                with locked(path):
                    shutil.rmtree(path, ignore_errors=True)
            elif not path.with_suffix("").is_dir():
                path.unlink()


def preload() -> None:
    """Import what stages need, so that a child need not."""
    sys.modules[REPORTS] = None  # type: ignore[assignment]
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it warns that no GPU is to be seen
    for name in PRELOAD:
        import_module(name)


def main() -> None:
    """Leave the caller's family, to outlive a Ray worker that others follow; import what stages need, and serve."""
    if os.fork() > 0:
        os._exit(0)
    folder = Path(sys.argv[1])
    preload()
    sweep(folder.parent)
    gc.collect()
    gc.freeze()
    server = _Server(folder)
    with locked(folder):
        os.write(1, READY)
        os.dup2(2, 1)
        server.serve()


if __name__ == "__main__":
    main()
