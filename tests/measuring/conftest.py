import os
from dataclasses import replace

import numpy as np
import pytest

from farm.axes import Device, Preprocessing
from farm.data.imageset import prepare
from farm.measuring.request import RoundRequest
from farm.measuring.runner import REQUESTS
from farm.measuring.running import RunningRound
from tests.models.files import Classifier, write_ir

CONFIG = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
HOW = Preprocessing(size=(32, 32), mean=(0.25, 0.5, 0.75), std=(0.5, 1.0, 2.0))
TURN_NS = 5_000_000  # three stretches
REQUEST = RoundRequest(
    ir="",
    images="",
    device=Device(threads=1),
    preprocessing=HOW,
    cpus=(min(os.sched_getaffinity(0)),),
    warmup_seconds=0.0,
    config=CONFIG,
)


def request_with(**changes):
    """The request with some of it, or of its device, changed."""
    of_device = {name: value for name, value in changes.items() if name in Device.__dataclass_fields__}
    rest = {name: value for name, value in changes.items() if name not in of_device}
    device = replace(REQUEST.device, **of_device)
    return replace(REQUEST, device=device, **{"probed": device.name == "CPU"} | rest)


@pytest.fixture(scope="session")
def free(tmp_path_factory):
    """A model with a free batch."""
    return write_ir(tmp_path_factory.mktemp("free") / "model.xml", Classifier())


@pytest.fixture(scope="session")
def fixed(tmp_path_factory):
    """A model with a batch of 1 built in."""
    return write_ir(tmp_path_factory.mktemp("fixed") / "model.xml", Classifier(batch=1, built_in=1))


@pytest.fixture(scope="session")
def pixels():
    """So many images that each of eight rotating batches of 16 has its own."""
    return np.random.default_rng(0).integers(0, 256, (8 * REQUESTS, 32, 32, 3), np.uint8)


@pytest.fixture(scope="session")
def prepared(pixels):
    return prepare(pixels, HOW)


def asked(folder, **changes):
    """A request whose images lie in a folder: zeros, if there are none."""
    inputs = folder / "inputs.npy"
    if not inputs.exists():
        np.save(inputs, np.zeros((4, 3, 32, 32), np.float32))
    return request_with(**{"images": str(inputs)} | changes)


def answer_of(folder, *, turns=2, turn_ns=TURN_NS, **changes):
    """What a round answers that has played so many turns."""
    with RunningRound(asked(folder, **changes), folder) as one:
        one.compiled()
        one.warmed_up()
        for _ in range(turns):
            one.turn(turn_ns)
        return one.end()
