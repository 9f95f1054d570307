"""What disturbs a measurement on purpose: a process on a CPU of its own choice. Started by `processes.hogging`.

    python hog.py CPU WORK BUSY_FROM_S BUSY_TO_S IDLE_FROM_S IDLE_TO_S    busy and idle by turns of random length

WORK: `spin`, which needs no memory, or `copy`, which moves more of it than caches hold.

It says when it is ready, and dies with the script that started it, however that script ends.
"""

import os
import random
import signal
import sys
import time

from farm.engine.spawn.server import leave_with_parent

READY = "ready\n"
SEED = 0
COPIED_MIB = 128


def spin() -> None:
    """Next to nothing."""


class Copy:
    """Half of a block of memory onto its other half, at each call."""

    def __init__(self) -> None:
        block = memoryview(bytearray(COPIED_MIB * 2**20))
        self.here, self.there = block[: len(block) // 2], block[len(block) // 2 :]

    def __call__(self) -> None:
        self.there[:] = self.here


def main() -> None:
    """Be busy and idle for so many seconds of wall time each, the same ones whenever it runs.

    Ctrl-C is left to the script.
    """
    leave_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cpu, name, *seconds = sys.argv[1:]
    os.sched_setaffinity(0, {int(cpu)})
    busy_from, busy_to, idle_from, idle_to = map(float, seconds)
    work = Copy() if name == "copy" else spin
    rng, clock = random.Random(SEED), time.monotonic
    sys.stdout.write(READY)
    sys.stdout.flush()
    while True:
        end = clock() + rng.uniform(busy_from, busy_to)
        while clock() < end:
            work()
        time.sleep(rng.uniform(idle_from, idle_to))


if __name__ == "__main__":
    main()
