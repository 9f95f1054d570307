"""Errors of layers: which one is told to be the worst, and that the others are not."""

import nncf
import numpy as np
import openvino as ov
import pytest
import torch
from openvino import opset13 as ops
from torch import nn

from farm.errors import DataError
from farm.models.layer_names import name_after_modules
from farm.quantization import layers

PATHS = ["first", "second", "third", "fc"]


class Chain(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.third = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.fc = nn.Linear(8, 5)

    def forward(self, images):
        features = torch.relu(self.second(torch.relu(self.first(images))))
        return self.fc(torch.relu(self.third(features)).mean(dim=(2, 3)))


def chain():
    torch.manual_seed(0)
    return Chain().eval()


def saved(network, path):
    shape = ov.PartialShape([-1, 3, 8, 8])
    model = ov.convert_model(network, example_input=torch.zeros(1, 3, 8, 8), input=[shape])
    name_after_modules(model, network)
    ov.save_model(model, path, compress_to_fp16=False)
    return path


def edited(path, target, changes):
    """The same with other constants: changes: layer and input (its weight or its bias) -> what is done to the array.

    Converting another network from PyTorch would take ten times as long.
    """
    model = ov.Core().read_model(path)
    layer_of = {op.get_friendly_name(): op for op in model.get_ops()}
    for (name, kind), change in changes.items():
        layer = layer_of[name]
        (added,) = layer.output(0).get_target_inputs() if kind == "bias" else [layer.input(1)]
        constant = added.get_node().input_value(1)
        values = constant.get_node().data.copy()
        change(values)
        constant.replace(ops.constant(values).output(0))
    ov.save_model(model, target, compress_to_fp16=False)
    return target


def times(factor, *index):
    """Multiplies a part of an array."""

    def change(values):
        values[index] *= factor

    return change


def batches(count=4, size=2):
    random = np.random.default_rng(0)
    return (random.standard_normal((size, 3, 8, 8)).astype(np.float32) for _ in range(count))


def int8(path):
    images = nncf.Dataset(list(batches(4, 1)))
    return nncf.quantize(ov.Core().read_model(path), images, target_device=nncf.TargetDevice.CPU)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return saved(chain(), tmp_path_factory.mktemp("layers") / "plain.xml")


def test_a_model_has_no_error_to_itself(plain):
    found = layers.compare(plain, plain, batches())
    assert [layer.name for layer in found] == PATHS
    assert [layer.kind for layer in found] == ["Convolution", "Convolution", "GroupConvolution", "MatMul"]
    assert all(layer.sqnr_db > 200 for layer in found)


def test_the_error_is_the_power_of_the_difference_over_the_signal_s(tmp_path, plain):
    """Another bias in the last layer: nothing before it differs."""
    other = edited(plain, tmp_path / "b.xml", {("fc", "bias"): lambda bias: np.add(bias, 0.01, out=bias)})
    *before, last = layers.compare(plain, other, batches())
    assert all(layer.sqnr_db > 200 for layer in before)
    with torch.inference_mode():
        signal = np.concatenate([chain()(torch.from_numpy(batch)).numpy() for batch in batches()])
    power = np.square(signal).mean(axis=1)
    assert last.sqnr_db == pytest.approx(np.median(10 * np.log10(power / 0.01**2)), abs=0.01)
    ratios = np.abs(signal).max(axis=1) / np.median(np.abs(signal), axis=1)
    assert last.range_ratio == pytest.approx(np.median(ratios), rel=1e-4)


def test_a_channel_out_of_scale_is_what_the_range_tells(tmp_path, plain):
    path = edited(plain, tmp_path / "a.xml", {("second", "weight"): times(300.0, 0)})
    ratios = {layer.name: layer.range_ratio for layer in layers.compare(path, path, batches())}
    assert max(ratios, key=ratios.get) == "second"
    assert ratios["second"] > 100
    assert ratios["first"] < 5


def test_the_layer_that_int8_ruins_is_the_worst(tmp_path, plain):
    """The second convolution's input has one channel 1000 times the others, and hardly any weight on it: it takes the
    256 levels from the others."""
    ruined = {
        ("first", "weight"): times(1000, 0),
        ("first", "bias"): times(1000, 0, 0),
        ("second", "weight"): times(1 / 1000, slice(None), 0),
    }
    path = edited(plain, tmp_path / "a.xml", ruined)
    ov.save_model(int8(path), tmp_path / "b.xml", compress_to_fp16=False)
    errors = {layer.name: layer.sqnr_db for layer in layers.compare(path, tmp_path / "b.xml", batches())}
    assert list(errors) == PATHS
    assert errors["first"] > 20
    assert min(errors, key=errors.get) == "second"
    assert errors["second"] < errors["first"] - 10


def test_layers_without_a_bias_and_residual_sums_are_left_out(tmp_path):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 3, padding=1)
            self.left = nn.Conv2d(4, 4, 3, padding=1, bias=False)
            self.right = nn.Conv2d(4, 4, 1)

        def forward(self, images):
            features = torch.relu(self.stem(images))
            return (self.left(features) + self.right(features)).mean(dim=(2, 3))

    torch.manual_seed(0)
    path = saved(Residual().eval(), tmp_path / "a.xml")
    assert [layer.name for layer in layers.compare(path, path, batches())] == ["stem", "right"]


def test_channels_of_a_transformer_are_its_last_axis(tmp_path):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Linear(3, 6)

        def forward(self, images):
            return self.mix(images.flatten(2).transpose(1, 2)).mean(dim=1)

    torch.manual_seed(0)
    network = Tokens().eval()
    with torch.no_grad():
        network.mix.weight[2] *= 100
        network.mix.bias[2] *= 100
    path = saved(network, tmp_path / "a.xml")
    (layer,) = layers.compare(path, path, batches())
    assert layer.kind == "MatMul"
    assert layer.range_ratio > 30


def fixed(path, target):
    """The same with a fixed batch of 1."""
    model = ov.Core().read_model(path)
    model.reshape([1, 3, 8, 8])
    ov.save_model(model, target, compress_to_fp16=False)
    return target


def test_a_fixed_batch_takes_images_one_by_one(tmp_path, plain):
    rough = tmp_path / "rough.xml"
    ov.save_model(int8(plain), rough, compress_to_fp16=False)
    images = list(batches(6, 1))
    together = layers.compare(plain, rough, iter([np.concatenate(images)]))
    one_by_one = layers.compare(fixed(plain, tmp_path / "a.xml"), fixed(rough, tmp_path / "b.xml"), iter(images))
    assert [layer.name for layer in one_by_one] == PATHS
    for one, other in zip(one_by_one, together, strict=True):
        assert one.sqnr_db == pytest.approx(other.sqnr_db, abs=0.1)
        assert one.range_ratio == pytest.approx(other.range_ratio, rel=1e-3)


def test_two_models_without_a_common_layer_are_refused(tmp_path, plain):
    class Other(nn.Module):
        def __init__(self):
            super().__init__()
            self.own = nn.Linear(3, 5)

        def forward(self, images):
            return self.own(images.mean(dim=(2, 3)))

    paths = (plain, saved(Other().eval(), tmp_path / "b.xml"))
    with pytest.raises(
        DataError, match=r"plain.xml and .*b.xml have no layer in common: not two versions of one model"
    ):
        layers.compare(*paths, batches())
