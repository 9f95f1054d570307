"""The study's models on the real test set; only where the data is."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from farm.axes import Images, Model
from farm.catalog.models import PREPROCESSING
from farm.stages import evaluate, export, quantize, synthesize
from tests.stages.bench import evaluation, exportation, quantization, synthesis
from tests.stages.test_stages import assert_same_but_for_ties

DATA = Path(os.environ.get("FARM_DATA", Path(__file__).parents[3] / "shared/data"))
COUNT = 1000  # of 10,000
CIFAR10 = PREPROCESSING["cifar10"]
EVALUATION = replace(evaluation(CIFAR10), dataset=Images(name="cifar10", options={"count": COUNT}))

pytestmark = [
    pytest.mark.cifar10,
    pytest.mark.slow,
    pytest.mark.skipif(not (DATA / "cifar10/test.parquet").exists(), reason="FARM_DATA has no cifar10/test.parquet"),
]


def test_resnet20_converts_without_loss_and_quantizes_within_a_point(bench):
    weights = {"weights": DATA / "weights/cifar10_resnet20.pt"}
    images = {"images": DATA / "cifar10/test.parquet"}
    model = Model(name="resnet20")
    _, ir = bench.run(export.run, exportation(model), files=weights)
    torch_facts, theirs = bench.run(evaluate.run, replace(EVALUATION, model=model), files=weights | images)
    ir_facts, ours = bench.run(evaluate.run, EVALUATION, {"model": ir}, images)
    assert torch_facts.n_images == COUNT
    assert torch_facts.top1 == pytest.approx(0.8818, abs=0.031), "the weights' own, of all images, within three sigmas"
    assert_same_but_for_ties(ours, theirs)

    train = {"images": DATA / "cifar10/train.parquet"}
    _, shard = bench.run(synthesize.run, synthesis("cifar10", 0, 100), files=train)
    _, int8 = bench.run(quantize.run, quantization(CIFAR10), {"model": ir, "calibration": shard})
    int8_facts, _ = bench.run(evaluate.run, EVALUATION, {"model": int8}, images)
    assert abs(int8_facts.top1 - ir_facts.top1) < 0.01
