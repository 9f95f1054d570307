"""The zoo's networks against the fixtures: the released checkpoints' names, shapes and arithmetic."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from farm.catalog.models import MODELS, PREPROCESSING
from farm.data import cifar10, imageset
from farm.models import zoo
from farm.spec import resolve

SHARED = Path(os.environ.get("FARM_SHARED", Path(__file__).parents[3] / "shared"))
FIXTURE = SHARED / "fixtures" / "cifar_models.json"
REAL = SHARED / "data" / "cifar10" / "test.parquet"
WEIGHTS = SHARED / "data" / "weights"
TRAINED = {  # top-1 on all 10,000 test images, from the weights' README; how many are tried; a mark where it takes long
    "resnet20": (0.8818, 500, ()),
    "shufflenetv2_x2_0": (0.8658, 200, pytest.mark.slow),
    "vgg16_bn": (0.8106, 200, pytest.mark.slow),
    "repvgg_a2": (0.8343, 80, pytest.mark.slow),
}
RELEASED = json.loads(FIXTURE.read_text()) if FIXTURE.exists() else {}
OWN = tuple(name for name, spec in MODELS.items() if spec.function.startswith("farm.models."))
NETWORKS = tuple(name for name in OWN if name in RELEASED or not RELEASED)

fixtures = pytest.mark.skipif(not FIXTURE.exists(), reason=f"no {FIXTURE}: set FARM_SHARED")


def build(name, classes=10):
    return resolve(MODELS[name].function)(classes).eval()


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


def trained(name):
    return zoo.load(MODELS[name].function, WEIGHTS / f"cifar10_{name}.pt")


def real_images(count):
    """The first test images as a network's input, float32 (count, 3, 32, 32), and their labels."""
    images, labels, _ = cifar10.test({"count": count}, {"images": REAL}).block(0, count)
    return torch.from_numpy(imageset.prepare(images, PREPROCESSING["cifar10"])), labels


def predict(network, images):
    with torch.inference_mode():
        return torch.cat([network(part).argmax(1) for part in images.split(250)]).numpy()


@fixtures
def test_every_released_network_is_in_the_zoo():
    assert sorted(NETWORKS) == sorted(RELEASED)
    assert len(RELEASED) == 19


@fixtures
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_the_released_names_shapes_and_order(name):
    expected = RELEASED[name]
    network = build(name)
    assert [[key, list(value.shape)] for key, value in network.state_dict().items()] == expected["state_dict"]
    assert sum(parameter.numel() for parameter in network.parameters()) == expected["params"]


@fixtures
@pytest.mark.parametrize("name", NETWORKS)
def test_a_filled_network_gives_the_released_logits(name):
    expected = np.array(RELEASED[name]["logits"])
    images = torch.tensor(np.random.RandomState(1234).randn(2, 3, 32, 32), dtype=torch.float32)
    with torch.inference_mode():
        logits = filled(build(name))(images).numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-3)


@pytest.mark.parametrize("name", OWN)
def test_a_network_comes_in_eval_mode_for_any_number_of_classes(name):
    network = build(name, classes=7)
    assert not any(module.training for module in network.modules())
    with torch.inference_mode():
        assert network(torch.zeros(3, 3, 32, 32)).shape == (3, 7)


@pytest.mark.cifar10
@pytest.mark.skipif(not (REAL.exists() and WEIGHTS.exists()), reason=f"no CIFAR-10 in {SHARED}: set FARM_SHARED")
@pytest.mark.parametrize(
    ("name", "top1", "count"),
    [pytest.param(name, *figures, marks=marks) for name, (*figures, marks) in TRAINED.items()],
)
@pytest.mark.timeout(900)  # RepVGG-A2 computes 0.15 TMAC: 6 s of one core, more on a busy one
def test_a_trained_network_scores_its_accuracy_on_real_images(name, top1, count):
    known = 10_000
    images, labels = real_images(count)
    # The images in question are `count` of the `known` ones, in no order, so the share of hits among them is
    # hypergeometric around top1: three standard deviations, 0.042 to 0.125, are exceeded once in 370 times.
    deviation = math.sqrt(top1 * (1 - top1) / count * (known - count) / (known - 1))
    assert (predict(trained(name), images) == labels).mean() == pytest.approx(top1, abs=3 * deviation)
