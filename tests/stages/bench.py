import os
from pathlib import Path

import pytest

from farm.catalog.models import PREPROCESSING
from farm.grid.settings import EFFORT
from farm.measuring import pairing
from farm.stages.job import Job

DIGITS = Path(__file__).parents[2] / "farm/models/weights/digits_resnet20.safetensors"
PLAIN = {"size": (32, 32), "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "scale": 1 / 255}
DIGITS_PREPROCESSING = {name: getattr(PREPROCESSING["digits"], name) for name in PLAIN}


def factory(name):
    return {"factory": f"tests.stages.networks:{name}"}


class Bench:
    """Runs stage functions one after another in this process, each in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def run(self, function, parameters, inputs=None, files=None, **more):
        """What the stage said, and its artefact's folder."""
        self.count += 1
        folder = self.folder / str(self.count) / "artefact"
        folder.mkdir(parents=True)
        cpus = tuple(sorted(os.sched_getaffinity(0)))
        job = Job(
            parameters=parameters,
            effort={name: value for name, value in parameters.get("measure", {}).items() if name in EFFORT},
            inputs=inputs or {},
            files=files or {},
            folder=folder,
            cpus=cpus,
            **{"cores": len(cpus), **more},
        )
        return function(job), folder


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def undisturbed(monkeypatch):
    """Whatever else runs on the host that runs the tests disturbs no pair: it is not what is tested."""
    monkeypatch.setattr(pairing, "disturbances", lambda *_, **__: ())


@pytest.fixture(scope="session")
def session_bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="session")
def exported(session_bench):
    """The digits ResNet20 as FP32 IR."""
    from farm.stages import export

    return session_bench.run(export.run, exportation({"name": "resnet20"}), files={"weights": DIGITS})


@pytest.fixture(scope="session")
def quantized(session_bench, exported):
    """The digits ResNet20 quantized with 100 real digits."""
    from farm.stages import quantize, synthesize

    _, shard = session_bench.run(synthesize.run, {"source": "digits", "start": 0, "stop": 100, "seed": 0})
    return session_bench.run(quantize.run, quantize_parameters(), {"model": exported[1], "calibration": shard})


def exportation(model, **how):
    return {"model": model, "size": (32, 32), "layout": "NCHW", "input": "f32"} | how


def quantize_parameters(**changes):
    from farm.catalog.algorithms import Default

    return {
        "algorithm": "default",
        "parameters": Default(**changes).model_dump(),
        "preprocessing": DIGITS_PREPROCESSING,
    }
