"""The study's models on the real test set; only where the data is."""

import os
from pathlib import Path

import pytest

from farm.catalog.algorithms import Default
from farm.catalog.models import PREPROCESSING
from farm.stages import evaluate, export, quantize, synthesize
from tests.stages.bench import PLAIN, exportation
from tests.stages.test_stages import assert_same_but_for_ties

DATA = Path(os.environ.get("FARM_DATA", Path(__file__).parents[3] / "shared/data"))
CIFAR10 = {name: getattr(PREPROCESSING["cifar10"], name) for name in PLAIN}
EVALUATION = {
    "device": "CPU", "precision": "f32", "dataset": {"name": "cifar10", "count": None}, "preprocessing": CIFAR10,
    "metric": "top1",
}  # fmt: skip

pytestmark = [
    pytest.mark.cifar10,
    pytest.mark.slow,
    pytest.mark.skipif(not (DATA / "cifar10/test.parquet").exists(), reason="FARM_DATA has no cifar10/test.parquet"),
]


def test_resnet20_converts_without_loss_and_quantizes_within_a_point(bench):
    weights = {"weights": DATA / "weights/cifar10_resnet20.pt"}
    images = {"images": DATA / "cifar10/test.parquet"}
    model = {"name": "resnet20"}
    _, ir = bench.run(export.run, exportation(model), files=weights)
    torch_facts, theirs = bench.run(
        evaluate.run, EVALUATION | {"runtime": "pytorch", "model": model}, files=weights | images
    )
    ir_facts, ours = bench.run(evaluate.run, EVALUATION | {"runtime": "openvino"}, {"model": ir}, images)
    assert torch_facts["n_images"] == 10_000
    assert torch_facts["top1"] == pytest.approx(0.8818, abs=0.003), "the weights' own figure, measured in bf16"
    assert_same_but_for_ties(ours, theirs)

    train = {"images": DATA / "cifar10/train.parquet"}
    _, shard = bench.run(synthesize.run, {"source": "cifar10", "start": 0, "stop": 300, "seed": 0}, files=train)
    parameters = {"algorithm": "default", "parameters": Default().model_dump(), "preprocessing": CIFAR10}
    _, int8 = bench.run(quantize.run, parameters, {"model": ir, "calibration": shard})
    int8_facts, _ = bench.run(evaluate.run, EVALUATION | {"runtime": "openvino"}, {"model": int8}, images)
    assert abs(int8_facts["top1"] - ir_facts["top1"]) < 0.01
