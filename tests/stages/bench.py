import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.axes import Algorithm, Device, Images, Model, Preprocessing
from farm.catalog.algorithms import Default
from farm.catalog.models import PREPROCESSING
from farm.measuring import pairing
from farm.plan.parameters import Evaluate, Export, Quantize, Synthesize
from farm.stages.job import Job

DIGITS = Path(__file__).parents[2] / "farm/models/weights/digits_resnet20.safetensors"
PLAIN = Preprocessing(size=(32, 32))
DIGITS_PREPROCESSING = PREPROCESSING["digits"]


def factory(name):
    return Model(factory=f"tests.stages.networks:{name}")


class Bench:
    """Runs stage functions one after another in this process, each in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def run(self, function, parameters, inputs=None, files=None, **more):
        """What the stage tells, and its artefact's folder."""
        self.count += 1
        folder = self.folder / str(self.count) / "artefact"
        folder.mkdir(parents=True)
        cpus = tuple(sorted(os.sched_getaffinity(0)))
        job = Job(
            parameters=parameters,
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


def keep_every_pair(patch):
    """Whatever else runs on the host that runs the tests disturbs no pair, and slows no turn: it is not what is tested.

    patch: pytest's MonkeyPatch.
    """
    patch.setattr(pairing, "disturbances", lambda *_, **__: ())
    patch.setattr(pairing, "flagged", lambda rounds: [at_full_speed(one) for one in rounds])


def at_full_speed(one):
    """A round of which each turn was played so."""
    return replace(one, stretches=replace(one.stretches, full_speed=np.ones(len(one.stretches), np.bool_)))


@pytest.fixture
def undisturbed(monkeypatch):
    """Every pair counts."""
    keep_every_pair(monkeypatch)


@pytest.fixture(scope="session")
def session_bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="session")
def exported(session_bench):
    """The digits ResNet20 as FP32 IR."""
    from farm.stages import export

    return session_bench.run(export.run, exportation(Model(name="resnet20")), files={"weights": DIGITS})


@pytest.fixture(scope="session")
def quantized(session_bench, exported):
    """The digits ResNet20 quantized with 100 real digits."""
    from farm.stages import quantize, synthesize

    _, shard = session_bench.run(synthesize.run, synthesis("digits", 0, 100))
    return session_bench.run(quantize.run, quantization(), {"model": exported[1], "calibration": shard})


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The folder of a small classifier of digits as FP32 IR, for tests that a larger one tells no more."""
    from tests.models.files import Classifier, write_ir

    return write_ir(tmp_path_factory.mktemp("small") / "model.xml", Classifier()).parent


@pytest.fixture(scope="session")
def small_int8(session_bench, small):
    """The folder of the same, quantized with 20 real digits."""
    from farm.stages import quantize, synthesize

    _, shard = session_bench.run(synthesize.run, synthesis("digits", 0, 20))
    return session_bench.run(quantize.run, quantization(), {"model": small, "calibration": shard})[1]


def synthesis(source, start, stop, *, seed=0, **options):
    return Synthesize(images=Images(name=source, options={"seed": seed, **options}), start=start, stop=stop)


def exportation(model, **how):
    return Export(**{"model": model, "size": (32, 32), "layout": "NCHW", "input": "f32"} | how)


def quantization(preprocessing=DIGITS_PREPROCESSING, **changes):
    algorithm = Algorithm(name="default", options=Default(**changes).model_dump())
    return Quantize(algorithm=algorithm, preprocessing=preprocessing)


def evaluation(preprocessing=DIGITS_PREPROCESSING, count=None, *, device="CPU", metric="top1", model=None):
    dataset = Images(name="digits", options={"count": count})
    return Evaluate(
        device=Device(name=device), dataset=dataset, preprocessing=preprocessing, metric=metric, model=model
    )
