"""What disturbs a measurement on purpose: a process on a CPU of its own choice. Started by `processes.company`.

    python company.py busy CPU BUSY_FROM_S BUSY_TO_S IDLE_FROM_S IDLE_TO_S    busy and idle by turns of random length
    python company.py infer CPU IR.xml                  inferences of 64 images in a loop, as a light stage would do

It says when it is ready, and dies with the script that started it, however that script ends.
"""

import os
import random
import signal
import sys
import time

from farm.engine.spawn.server import leave_with_parent

READY = "ready\n"
BATCH = 64
SEED = 0


def busy(*seconds: str) -> None:
    """Busy and idle by turns, for so many seconds of wall time each, the same ones whenever it runs."""
    busy_from, busy_to, idle_from, idle_to = map(float, seconds)
    rng, clock = random.Random(SEED), time.monotonic
    _ready()
    while True:
        end = clock() + rng.uniform(busy_from, busy_to)
        while clock() < end:
            pass
        time.sleep(rng.uniform(idle_from, idle_to))


def infer(model: str) -> None:
    """Inferences of a model in batches, on one thread."""
    import numpy as np
    import openvino as ov

    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1})
    shape = compiled.input(0).partial_shape
    images = np.zeros((BATCH, *(axis.get_length() for axis in list(shape)[1:])), np.float32)
    compiled(images)
    _ready()
    while True:
        compiled(images)


def _ready() -> None:
    sys.stdout.write(READY)
    sys.stdout.flush()


def main() -> None:
    """Be company. Ctrl-C is left to the script."""
    leave_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    what, cpu, *details = sys.argv[1:]
    os.sched_setaffinity(0, {int(cpu)})
    {"busy": busy, "infer": infer}[what](*details)


if __name__ == "__main__":
    main()
