"""The zoo's networks against the fixtures: the released checkpoints' keys, shapes and arithmetic."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from farm.images import cifar10, imageset
from farm.models import MODELS, PREPROCESSING, zoo
from farm.spec import resolve

SHARED = Path(os.environ.get("FARM_SHARED", Path(__file__).parents[3] / "shared"))
FIXTURE = SHARED / "fixtures" / "cifar_models.json"
REAL = SHARED / "data" / "cifar10" / "test.parquet"
TRAINED = SHARED / "data" / "weights" / "cifar10_resnet20.pt"
NETWORKS = tuple(name for name, spec in MODELS.items() if spec.function)

fixtures = pytest.mark.skipif(not FIXTURE.exists(), reason=f"no {FIXTURE}: set FARM_SHARED")


def build(name, classes=10):
    return resolve(MODELS[name].function)(classes)


def filled(network):
    """The fixture's fill: entry i of the state dict comes from RandomState(i)."""
    state = {}
    for i, (key, tensor) in enumerate(network.state_dict().items()):
        random, shape = np.random.RandomState(i), tuple(tensor.shape)
        if key.endswith("num_batches_tracked"):
            value = np.zeros(shape, np.int64)
        elif key.endswith("running_var"):
            value = random.uniform(0.5, 1.5, shape)
        elif key.endswith("running_mean"):
            value = 0.1 * random.randn(*shape)
        elif len(shape) == 1:
            value = key.endswith("weight") + 0.1 * random.randn(*shape)
        else:
            value = random.randn(*shape) * math.sqrt(2 / math.prod(shape[1:]))
        state[key] = torch.tensor(value, dtype=tensor.dtype)
    network.load_state_dict(state)
    return network


@fixtures
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_the_released_keys_shapes_and_order(name):
    expected = json.loads(FIXTURE.read_text())[name]
    network = build(name)
    assert [[key, list(value.shape)] for key, value in network.state_dict().items()] == expected["state_dict"]
    assert sum(parameter.numel() for parameter in network.parameters()) == expected["params"]


@fixtures
@pytest.mark.parametrize("name", NETWORKS)
def test_a_filled_network_gives_the_released_logits(name):
    expected = np.array(json.loads(FIXTURE.read_text())[name]["logits"])
    images = torch.tensor(np.random.RandomState(1234).randn(2, 3, 32, 32), dtype=torch.float32)
    with torch.inference_mode():
        logits = filled(build(name))(images).numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_in_eval_mode_for_any_number_of_classes(name):
    network = build(name, classes=7)
    assert not any(module.training for module in network.modules())
    with torch.inference_mode():
        assert network(torch.zeros(3, 3, 32, 32)).shape == (3, 7)


@pytest.mark.cifar10
@pytest.mark.skipif(not (REAL.exists() and TRAINED.exists()), reason=f"no CIFAR-10 in {SHARED}: set FARM_SHARED")
def test_a_trained_resnet20_scores_its_accuracy_on_real_images():
    network = zoo.load(function=MODELS["resnet20"].function, weights=TRAINED, factory=False)
    images, labels = cifar10.test({"count": 2000}, {"images": REAL}).block(0, 2000)
    prepared = torch.from_numpy(imageset.prepare(images, PREPROCESSING["cifar10"]))
    with torch.inference_mode():
        predictions = torch.cat([network(part).argmax(1) for part in prepared.split(250)]).numpy()
    top1 = float((predictions == labels).mean())
    assert top1 == pytest.approx(0.88, abs=0.005)  # 0.8818 on all 10,000
