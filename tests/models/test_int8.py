"""What of a model is in int8: told of models that others quantized, and of such as only look so."""

import os
from pathlib import Path

import nncf
import numpy as np
import openvino as ov
import pytest
import torch
from openvino import opset13 as ops

from farm.models import describe
from farm.models.int8 import Int8, of_model
from tests.models.files import Classifier, write_ir, write_pixels_ir

CASES = Path(os.environ.get("FARM_SHARED", "../shared")) / "cases"


def read(path):
    return ov.Core().read_model(path)


def one_layer(weights, *, levels=None):
    """A product with these weights, which a FakeQuantize of so many levels rounds."""
    image = ops.parameter([1, 4], np.float32, name="image")
    if levels:
        low, high = np.float32(-1), np.float32(1)
        weights = ops.fake_quantize(weights, low, high, low, high, levels)
    return ov.Model([ops.matmul(image, weights, transpose_a=False, transpose_b=False)], [image], "one")


FLOATS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


def onnx(path, classifier):
    return classifier.write(path.with_suffix(".onnx"))


@pytest.mark.parametrize("write", [onnx, write_ir, write_pixels_ir])
def test_models_of_floats_are_not_quantized_whatever_goes_in(tmp_path, write):
    path = write(tmp_path / "model.xml", Classifier())
    assert of_model(read(path)) == Int8(layers=0, weighted_layers=2, weights_share=0.0, quantized=False)


def test_what_nncf_quantized_is_told_layer_by_layer_and_again_once_it_is_saved(tmp_path):
    model = read(Classifier().write(tmp_path / "model.onnx"))
    images = np.random.default_rng(0).standard_normal((4, 1, 3, 32, 32)).astype(np.float32)
    quantized = nncf.quantize(model, nncf.Dataset(list(images)), target_device=nncf.TargetDevice.CPU)
    found = of_model(quantized)
    assert (found.layers, found.weighted_layers, found.quantized) == (2, 2, True)
    assert 0.5 < found.weights_share < 1, "scales and biases are floats"
    ov.save_model(quantized, tmp_path / "int8.xml", compress_to_fp16=False)
    assert of_model(read(tmp_path / "int8.xml")) == found
    assert of_model(model).quantized is False, "it stays as it is"


@pytest.mark.parametrize(("levels", "quantized"), [(None, False), (16, True), (256, True), (65536, False)])
def test_float_weights_that_are_rounded_to_8_bits_are_int8(levels, quantized):
    found = of_model(one_layer(FLOATS, levels=levels))
    assert (found.layers, found.quantized) == (int(quantized), quantized)
    assert (found.weights_share > 0.5) is quantized


def test_compressed_weights_are_int8_though_activations_are_floats():
    weights = ops.multiply(ops.convert(ops.constant((FLOATS * 100).astype(np.int8)), np.float32), np.float32(0.01))
    found = of_model(one_layer(weights))
    assert (found.layers, found.weighted_layers, found.quantized) == (1, 1, True)
    assert found.weights_share == pytest.approx(12 / 13)


def test_a_constant_of_fp16_is_no_int8(tmp_path):
    weights = ops.convert(ops.constant(FLOATS.astype(np.float16)), np.float32)
    assert of_model(one_layer(weights)) == Int8(layers=0, weighted_layers=1, weights_share=0.0, quantized=False)


def test_a_product_of_two_activations_is_no_layer_with_weights():
    image = ops.parameter([2, 4, 4], np.float32)
    model = ov.Model([ops.matmul(image, image, transpose_a=False, transpose_b=True)], [image], "attention")
    assert of_model(model) == Int8(layers=0, weighted_layers=0, weights_share=0.0, quantized=False)


class Gru(torch.nn.Module):
    """A recurrent network of which NNCF quantizes the last layer alone."""

    def __init__(self):
        super().__init__()
        self.rows, self.head = torch.nn.GRU(3 * 32, 64, batch_first=True), torch.nn.Linear(64, 10)

    def forward(self, images):
        return self.head(self.rows(images.permute(0, 2, 1, 3).flatten(2))[0][:, -1])


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_of_a_recurrent_network_little_becomes_int8():
    torch.manual_seed(0)
    example = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        model = ov.convert_model(Gru().eval(), example_input=example, input=[ov.PartialShape([1, 3, 32, 32])])
    assert of_model(model).weighted_layers == 2
    images = np.random.default_rng(0).standard_normal((4, 1, 3, 32, 32)).astype(np.float32)
    found = of_model(nncf.quantize(model, nncf.Dataset(list(images)), target_device=nncf.TargetDevice.CPU))
    assert (found.layers, found.weighted_layers) == (1, 2)
    assert 0 < found.weights_share < 0.05


@pytest.mark.skipif(not CASES.exists(), reason=f"no {CASES}")
@pytest.mark.parametrize("name", ["qdq.onnx", "ir_int8.xml"])
def test_files_that_others_quantized_say_so(name, tmp_path):
    found = of_model(read(CASES / name))
    assert (found.layers, found.weighted_layers, found.quantized) == (4, 4, True)
    assert describe.of_file(CASES / name, tmp_path, name * 8, "1")["quantized"] is True
    assert "quantized" not in describe.of_file(CASES / "trained.onnx", tmp_path, "plain" * 8, "1")
