"""Layers of converted networks, named after the modules that they come from."""

from functools import cache, partial

import nncf
import numpy as np
import openvino as ov
import pytest
import torch
from torch import nn

from farm.models.int8 import WEIGHTED
from farm.models.layer_names import name_after_modules
from farm.models.mobilenetv2 import MobileNetV2
from farm.models.repvgg import RepVgg, reparameterized
from farm.models.resnet import ResNet
from farm.models.shufflenetv2 import ShuffleNetV2
from farm.models.vgg import Vgg
from farm.quantization.default import check_ignored_scope
from tests.models.files import layer_counts

FAMILIES = {  # as narrow or shallow as they can be: the converter takes as long as there are layers and weights
    "resnet": partial(ResNet, 1, 10),
    "vgg": partial(Vgg, (1, 1, 1, 1, 1), 10),
    "mobilenetv2": partial(MobileNetV2, 0.1, 10),
    "shufflenetv2": partial(ShuffleNetV2, (8, 16, 32), 64, 10),
    "repvgg": partial(RepVgg, 0.125, 0.125, 10),
}
SLOW = dict.fromkeys(("shufflenetv2", "repvgg"), pytest.mark.slow)
SIZES = {"vgg": 32}  # the others take smaller images, too


def converted(network, size=8):
    example = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, size, size)).astype(np.float32))
    model = ov.convert_model(network, example_input=example, input=[ov.PartialShape([-1, 3, size, size])])
    name_after_modules(model, network)
    return model


def randomised(network):
    """Weights and statistics of batch normalisation at random, some of the factors negative: folding has work to do."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network.eval()


def layers(model):
    return [op for op in model.get_ordered_ops() if op.get_type_name() in WEIGHTED]


def names(model):
    return [op.get_friendly_name() for op in layers(model)]


def paths(network):
    return [path for path, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def weights_agree(model, network):
    """Whether each layer's constant is its module's weight, but for a factor for each output channel."""
    for op in layers(model):
        ours = op.input_value(1).get_node().get_data()
        theirs = network.get_submodule(op.get_friendly_name()).weight.detach().numpy()
        ours, theirs = (each.reshape(len(theirs), -1) for each in (ours, theirs))
        cosine = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
        assert np.abs(cosine) == pytest.approx(1, abs=1e-5), op.get_friendly_name()


@pytest.fixture(scope="module")
def named():
    """Networks by name with their converted models, each made once."""

    @cache
    def make(name):
        network = randomised(FAMILIES[name]())
        return network, converted(network, size=SIZES.get(name, 8))

    return make


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in FAMILIES])
def test_every_weighted_layer_of_every_family_is_named_after_its_module(named, name):
    network, model = named(name)
    assert sorted(names(model)) == sorted(paths(network))
    weights_agree(model, network)


@pytest.mark.slow
def test_a_fused_repvgg_is_named_after_its_fused_modules():
    network = reparameterized(randomised(FAMILIES["repvgg"]()))
    assert sorted(names(converted(network))) == sorted(paths(network))


class Shared(nn.Module):
    """One convolution, used twice."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.again = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 5)

    def forward(self, images):
        features = self.again(torch.relu(self.again(torch.relu(self.stem(images)))))
        return self.fc(features.mean(dim=(2, 3)))


def test_a_shared_module_names_its_first_use_and_names_stay_unique():
    found = names(converted(randomised(Shared())))
    assert found[0] == "stem"
    assert found[1] == "again"
    assert found[2] != "again"
    assert found[3] == "fc"
    assert len(set(found)) == 4


class Twins(nn.Module):
    """Two convolutions of the same weights, used in the other order than they are defined in."""

    def __init__(self, *, folded):
        super().__init__()
        self.second = nn.Conv2d(4, 4, 3, padding=1, bias=not folded)
        self.first = nn.Conv2d(4, 4, 3, padding=1, bias=not folded)
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.first.load_state_dict(self.second.state_dict())
        self.after = nn.ModuleList(nn.BatchNorm2d(4) if folded else nn.Identity() for _ in range(2))

    def forward(self, images):
        features = torch.relu(self.after[0](self.first(torch.relu(self.stem(images)))))
        return self.after[1](self.second(features)).mean(dim=(2, 3))


def test_of_layers_with_equal_weights_each_is_named_after_its_own_module():
    network = Twins(folded=False)
    nn.init.zeros_(network.first.bias)
    assert names(converted(network.eval())) == ["stem", "first", "second"]


def test_of_layers_with_equal_weights_none_is_named_after_another_module():
    """Folding loses their names, and their weights do not tell which is which."""
    found = names(converted(randomised(Twins(folded=True))))
    assert found[0] == "stem"
    assert found[1] != "second"
    assert found[2] != "first"


def test_a_layer_that_no_module_has_keeps_its_name():
    class Free(nn.Module):
        def __init__(self):
            super().__init__()
            self.kernel = nn.Parameter(torch.randn(5, 3, 3, 3))

        def forward(self, images):
            return nn.functional.conv2d(images, self.kernel).mean(dim=(2, 3))

    (name,) = names(converted(Free()))
    assert "conv" in name.lower()


def test_names_survive_quantization_and_a_module_s_path_is_an_ignored_scope(named, tmp_path):
    network, model = named("resnet")
    prefix = r"layer2\."
    kept = [path for path in paths(network) if path.startswith("layer2.")]
    images = np.random.default_rng(0).standard_normal((2, 1, 3, 8, 8)).astype(np.float32)
    check_ignored_scope(model, [prefix], tmp_path)
    quantized = nncf.quantize(
        model,
        nncf.Dataset(list(images)),
        target_device=nncf.TargetDevice.CPU,
        ignored_scope=nncf.IgnoredScope(patterns=[prefix + ".*"]),
        advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
    )
    ov.save_model(quantized, tmp_path / "model.xml", compress_to_fp16=False)
    saved = ov.Core().read_model(tmp_path / "model.xml")
    assert sorted(names(saved)) == sorted(paths(network))
    in_fp32 = [op for op in layers(saved) if op.input_value(1).get_node().get_type_name() == "Constant"]
    assert sorted(op.get_friendly_name() for op in in_fp32) == sorted(kept)
    assert layer_counts(saved) == (len(paths(network)) - len(kept), len(paths(network)))


class Products(nn.Module):
    """Matrix products by constants that are no module's weights."""

    def __init__(self):
        super().__init__()
        self.vector, self.cube = torch.arange(192.0), torch.ones(1, 192, 10)

    def forward(self, images):
        flat = images.flatten(1)
        return (flat[:, None] @ self.cube)[:, 0] + (flat @ self.vector)[:, None]


def test_constants_that_are_no_weights_are_left_alone():
    model = converted(Products().eval())
    assert any(op.get_type_name() == "MatMul" for op in model.get_ops())
    assert not {op.get_friendly_name() for op in model.get_ops()} & {"vector", "cube", ""}
