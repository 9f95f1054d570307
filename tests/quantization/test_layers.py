"""Errors of layers: which one is told to be the worst, and that the others are not."""

import nncf
import numpy as np
import onnx
import openvino as ov
import pytest
import torch
from openvino import opset13 as ops
from torch import nn

from farm.errors import DataError
from farm.models.layer_names import name_after_modules
from farm.quantization import layers
from farm.stages.export import without_fast_path
from tests.models.files import write_tflite

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


def converted(network):
    with without_fast_path():
        return ov.convert_model(network, example_input=torch.zeros(1, 3, 8, 8), input=[ov.PartialShape([-1, 3, 8, 8])])


def saved(network, path):
    model = converted(network)
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


def test_a_product_of_two_activations_is_no_layer(tmp_path, plain):
    """As a transformer's scores are, to which a constant is added for where each token stands."""
    images = ops.parameter([1, 3, 8, 8])
    tokens = ops.reshape(images, ops.constant(np.array([1, 3, 64])), False)
    scores = ops.add(ops.matmul(tokens, tokens, False, True), ops.constant(np.ones((3, 3), np.float32)))
    ov.save_model(ov.Model([ops.result(scores)], [images], "scores"), tmp_path / "a.xml")
    with pytest.raises(DataError, match="no layer with a bias in common"):
        layers.compare(tmp_path / "a.xml", tmp_path / "a.xml", batches())


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


def onnx_of(path):
    """A convolution, a linear layer applied to tokens (a product and a sum), and one of vectors (`Gemm`)."""
    drawn = np.random.default_rng(0)
    weights = {
        "kernel": (6, 3, 3, 3), "kernel bias": (6,), "mix": (6, 6), "mix bias": (6,), "fc": (5, 6), "fc bias": (5,)
    }  # fmt: skip
    constants = [
        onnx.numpy_helper.from_array(drawn.standard_normal(shape).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    constants.append(onnx.numpy_helper.from_array(np.array([0, 6, -1]), "tokens"))
    made = onnx.helper.make_node
    nodes = [
        made("Conv", ["images", "kernel", "kernel bias"], ["convolved"], name="conv"),
        made("Relu", ["convolved"], ["positive"]),
        made("Reshape", ["positive", "tokens"], ["rows"]),
        made("Transpose", ["rows"], ["columns"], perm=[0, 2, 1]),
        made("MatMul", ["columns", "mix"], ["mixed"], name="mix"),
        made("Add", ["mix bias", "mixed"], ["moved"]),
        made("ReduceMean", ["moved"], ["features"], axes=[1], keepdims=0),
        made("Gemm", ["features", "fc", "fc bias"], ["logits"], name="fc", transB=1, alpha=0.5, beta=2.0),
    ]
    images = onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["N", 3, 8, 8])
    logits = onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph(nodes, "tokens", [images], [logits], constants)
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        self.mix = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 5)
        for bias in (self.mix.in_proj_bias, self.mix.out_proj.bias):
            nn.init.normal_(bias)  # zeros are left out

    def forward(self, images):
        tokens = self.stem(images).flatten(2).transpose(1, 2)
        return self.fc(self.mix(tokens, tokens, tokens, need_weights=False)[0].mean(dim=1))


@pytest.mark.parametrize(
    ("write", "kinds"),
    [
        (lambda path: ov.Core().read_model(onnx_of(path)), ["Convolution", "MatMul", "MatMul"]),
        (lambda path: converted(Attention().eval()), ["Convolution", "MatMul", "MatMul", "MatMul"]),
        (lambda path: ov.Core().read_model(write_tflite(path)), ["Convolution", "MatMul"]),
    ],
    ids=["onnx", "attention", "tflite"],
)
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of attention's own checks
def test_a_layer_has_its_bias_wherever_a_frontend_puts_it(tmp_path, write, kinds):
    exact, rough = tmp_path / "a.xml", tmp_path / "b.xml"
    model = write(tmp_path / "model.tflite" if len(kinds) == 2 else tmp_path / "model.onnx")
    ov.save_model(model, exact, compress_to_fp16=False)
    shape = [1, *model.input(0).partial_shape.get_min_shape()][-3:]
    random = np.random.default_rng(0)
    images = [random.standard_normal((1, *shape)).astype(np.float32) for _ in range(4)]
    quantized = nncf.quantize(ov.Core().read_model(exact), nncf.Dataset(images))
    ov.save_model(quantized, rough, compress_to_fp16=False)
    found = layers.compare(exact, rough, iter(images))
    assert [layer.kind for layer in found] == kinds
    assert all(0 < layer.sqnr_db < 80 for layer in found)
    assert all(layer.sqnr_db > 200 for layer in layers.compare(exact, exact, iter(images)))


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
    with pytest.raises(DataError, match=r"plain.xml and .*b.xml have no layer with a bias in common: "):
        layers.compare(*paths, batches())
