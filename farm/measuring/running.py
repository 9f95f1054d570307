"""A round while it lives: its process, its turns, its end. Knows sockets and signals, not what it does in a turn."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from farm.codec import encode
from farm.measuring import one_round
from farm.measuring.one_round import REPLY, WORD
from farm.measuring.request import RoundRequest
from farm.measuring.round import Stretches

MEBI = 2**20
MOST_MAPPED = 32 * MEBI  # the greatest that glibc takes
KEPT_MEMORY = {"GLIBC_TUNABLES": f"glibc.malloc.trim_threshold={2**40}:glibc.malloc.mmap_threshold={MOST_MAPPED}"}


class RoundCrashed(RuntimeError):  # noqa: N818 - it says what happened
    """A signal ended a round."""

    def __init__(self, runtime: str, number: int) -> None:
        super().__init__(runtime, number)
        self.runtime = runtime
        self.number = number

    def __str__(self) -> str:
        return f"a round of {self.runtime} was ended by signal {self.number} ({signal.Signals(self.number).name})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a round says at its end. facts: columns of `farm.measuring.round.Round`. stretches: by its own turns."""

    facts: Mapping[str, Any]
    stretches: Stretches


class RunningRound:
    """A fresh interpreter for one round, which runs only while this process waits for it, and is stopped otherwise.

    Its methods raise RuntimeError if the round has failed, RoundCrashed if a signal ended it. As a context it ends the
    round for certain, and passes on what it wrote to stderr.
    """

    SCRIPT: ClassVar[tuple[str, ...]] = ("-m", one_round.__name__)  # what the interpreter runs

    def __init__(self, request: RoundRequest, scratch: Path) -> None:
        """Start it. scratch: a folder of its own."""
        self.request = request
        scratch.mkdir(exist_ok=True)
        name = "round" + "-" * request.longer
        self._files = question, self._answer, self._log = [
            scratch / f"{name}.{kind}" for kind in ("json", "npz", "log")
        ]
        question.write_text(encode(request), encoding="utf-8")
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, "-P", *self.SCRIPT, str(question), str(self._answer)]
        with theirs, self._log.open("wb") as log, on_cpus(request.cpus):
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                env=round_environment(),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.kill()  # a process that is stopped dies of it too
        self._process.wait()
        sys.stderr.write(self._logged())
        for file in self._files:
            file.unlink(missing_ok=True)

    def compiled(self) -> None:
        """Wait until its model is."""
        self._heard()
        self.stop()

    def warmed_up(self) -> int:
        """Let it infer until that takes no less time; gives what an inference took then, in nanoseconds."""
        self.begin(1)
        _, each_ns = self._heard()
        self.stop()
        return each_ns

    def turn(self, turn_ns: int) -> int:
        """Let it infer for so many nanoseconds at least. Gives for how long of that it was at full speed."""
        self.begin(turn_ns)
        return self.finish()

    def begin(self, turn_ns: int) -> None:
        """Begin a turn."""
        self.go_on()
        self._say(turn_ns)

    def finish(self) -> int:
        """Wait until a turn is over."""
        full_speed_ns, _ = self._heard()
        self.stop()
        return full_speed_ns

    def end(self) -> Answer:
        """Let it say what it measured, and end."""
        self.go_on()
        self._say(0)
        self._heard()
        with np.load(self._answer) as arrays:
            told = {name: arrays[name] for name in arrays}
        facts = json.loads(str(told.pop("facts")))
        return Answer(facts=facts, stretches=Stretches(full_speed=np.zeros(len(told["turn"]), np.bool_), **told))

    def go_on(self) -> None:
        """Let it run."""
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Stop it, wherever it is: the threads of its libraries as well."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def _say(self, word: int) -> None:
        try:
            self._socket.sendall(WORD.pack(word))
        except (BrokenPipeError, ConnectionResetError):
            self._fail()

    def _heard(self) -> tuple[int, int]:
        try:
            reply = self._socket.recv(REPLY.size, socket.MSG_WAITALL)
        except ConnectionResetError:
            reply = b""
        if len(reply) < REPLY.size:
            self._fail()
        full_speed_ns, each_ns = REPLY.unpack(reply)
        return full_speed_ns, each_ns

    def _fail(self) -> NoReturn:
        """Say how it ended: it hangs up only then."""
        self.go_on()
        code = self._process.wait()
        if code < 0:
            raise RoundCrashed(self.request.runtime, -code)
        last = (self._logged().strip().splitlines() or ["no word"])[-1]
        raise RuntimeError(f"a round of {self.request.runtime} failed with exit code {code}: {last}")

    def _logged(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def on_cpus(cpus: Collection[int]) -> Iterator[None]:
    """This thread on these CPUs: what it starts inherits that, and so do the threads that libraries start there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def round_environment() -> dict[str, str]:
    """This process's environment without OpenMP's settings, and with memory that is kept.

    The fork server's passive waiting suits stages that share cores; here, where the cores are leased, it would only
    make PyTorch slower: its threads would fall asleep between two layers. Whether glibc gives freed memory back to the
    kernel hangs on where in it something else happens to lie: some processes would do so at each inference.
    """
    without = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    return KEPT_MEMORY | {name: value for name, value in os.environ.items() if name not in without}
