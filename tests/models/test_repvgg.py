"""RepVGG re-parameterised: the deployed network gives the trained one's logits with one convolution a block."""

import copy
from functools import cache

import pytest
import torch

from farm.errors import DataError
from farm.models.repvgg import reparameterized
from farm.models.resnet import resnet20
from tests.models.test_networks import REAL, SHARED, WEIGHTS, build, filled, predict, real_images, trained

VARIANTS = {"repvgg_a0": 10, "repvgg_a1": 2, "repvgg_a2": 100}  # and of how many classes
TOLERANCE = 1e-4  # of the largest logit: float32 sums in another order through 22 layers


def logits(network):
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return network(images)


def assert_same_logits(found, expected):
    assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max()


def assert_same_state(found, expected):
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.fixture(scope="module")
def made():
    """A network of each variant and its deployed form, made once; to be read only."""

    @cache
    def make(name):
        network = filled(build(name, VARIANTS[name]))
        return network, reparameterized(network)

    return make


@pytest.mark.parametrize("name", VARIANTS)
def test_a_deployed_network_gives_the_logits_of_the_trained_one(made, name):
    network, deployed = made(name)
    found = logits(deployed)
    assert found.shape == (4, VARIANTS[name])
    assert_same_logits(found, logits(network))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_deployed_network_has_one_convolution_with_bias_for_each_block(made, name):
    blocks = ["stage0", *(f"stage{i}.{k}" for i, depth in enumerate((2, 4, 14, 1), start=1) for k in range(depth))]
    layers = [f"{block}.rbr_reparam" for block in blocks]
    state = made(name)[1].state_dict()
    assert list(state) == [f"{layer}.{kind}" for layer in [*layers, "linear"] for kind in ("weight", "bias")]
    assert all(state[f"{layer}.weight"].shape[2:] == (3, 3) for layer in layers)
    assert {value.dtype for value in state.values()} == {torch.float32}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_deployed_network_has_fewer_parameters_and_none_of_them_is_shared(made, name):
    own, fused = (list(network.parameters()) for network in made(name))
    assert sum(p.numel() for p in fused) < sum(p.numel() for p in own)
    assert not {p.data_ptr() for p in fused} & {p.data_ptr() for p in own}


def test_the_trained_network_stays_as_it_was_also_in_training_mode_and_is_deployed_in_eval_mode(made):
    network = copy.deepcopy(made("repvgg_a0")[0]).train()
    before = copy.deepcopy(network.state_dict())
    deployed = reparameterized(network)
    assert_same_state(network.state_dict(), before)
    assert all(module.training for module in network.modules())
    assert not any(module.training for module in deployed.modules())
    assert_same_logits(logits(deployed), logits(network.eval()))


def test_a_deployed_network_deployed_again_is_its_copy(made):
    once = made("repvgg_a0")[1]
    twice = reparameterized(once)
    assert twice is not once
    assert_same_state(twice.state_dict(), once.state_dict())


@pytest.mark.parametrize("network", [resnet20(10), torch.nn.Identity()], ids=["resnet20", "identity"])
def test_another_network_cannot_be_deployed(network):
    with pytest.raises(DataError, match=rf"a {type(network).__name__} has no branches to fuse: only repvgg_a0"):
        reparameterized(network)


@pytest.mark.slow
@pytest.mark.cifar10
@pytest.mark.skipif(not (REAL.exists() and WEIGHTS.exists()), reason=f"no CIFAR-10 in {SHARED}: set FARM_SHARED")
def test_a_trained_repvgg_predicts_the_same_when_deployed():
    network = trained("repvgg_a2")
    images, _ = real_images(20)
    assert (predict(reparameterized(network), images) == predict(network, images)).all()
