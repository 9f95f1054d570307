"""Models of every kind exported as FP32 IR."""

import numpy as np
import openvino as ov
import pytest
import torch

from farm.axes import Model
from farm.errors import DataError
from farm.models import torchvision
from farm.plan.facts import Exported
from farm.stages import export
from tests.models.files import Classifier, write_ir, write_pixels_ir, write_tflite
from tests.stages import networks
from tests.stages.bench import exportation, factory

FILES = {
    "onnx": (lambda path: Classifier().write(path), {}, True),
    "onnx, batch of 1": (lambda path: Classifier(batch=1, built_in=1).write(path), {}, False),
    "onnx, any size": (lambda path: Classifier(size=("H", "W")).write(path), {"size": (40, 32)}, True),
    "xml": (lambda path: write_ir(path, Classifier()), {}, True),
    "xml of raw pixels": (
        lambda path: write_pixels_ir(path, Classifier()),
        {"layout": "NHWC", "input": "u8"},
        True,
    ),
    "tflite": (write_tflite, {"layout": "NHWC"}, True),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_model_file_is_exported_as_it_is(bench, tmp_path, kind):
    write, how, dynamic = FILES[kind]
    name = kind.split()[0].strip(",")
    path = write(tmp_path / f"model.{name}")
    parameters = exportation(Model(format=name, options={"output": None}), **how)
    facts, folder = bench.run(export.run, parameters, files={"model": path})
    assert facts == Exported(size_mib=export.size_mib(folder), dynamic_batch=dynamic, weighted_layers=2, classes=10)
    core = ov.Core()
    ours, theirs = core.read_model(folder / "model.xml"), core.read_model(path)
    assert len(ours.inputs) == len(ours.outputs) == 1
    size = parameters.size
    shape = [1, *size, 3] if how.get("layout") == "NHWC" else [1, 3, *size]
    random = np.random.default_rng(0).integers(0, 256, shape)
    given = random.astype(np.uint8) if how.get("input") == "u8" else (random / 64 - 2).astype(np.float32)
    theirs.reshape(shape)
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    logits = [np.array(core.compile_model(model, "CPU", config)(given)[0]) for model in (ours, theirs)]
    assert logits[0] == pytest.approx(logits[1], rel=1e-5, abs=1e-6)


def test_one_of_several_outputs_is_exported(bench, tmp_path):
    path = Classifier(outputs=("a", "b")).write(tmp_path / "model.onnx")
    parameters = exportation(Model(format="onnx", options={"output": "b"}))
    facts, folder = bench.run(export.run, parameters, files={"model": path})
    assert facts.classes == 10
    assert ov.Core().read_model(folder / "model.xml").output(0).names == {"b"}


def test_a_model_file_that_is_not_what_the_grid_says_is_refused(bench, tmp_path):
    path = Classifier().write(tmp_path / "model.onnx")
    parameters = exportation(Model(format="onnx", options={"output": None}), layout="NHWC")
    with pytest.raises(DataError, match="not NHWC images of 32x32"):
        bench.run(export.run, parameters, files={"model": path})


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ("unconverted", "^OpenVINO cannot convert aten::linalg_svdvals: replace these operations in the model$"),
        ("two_outputs", r"must give logits of shape \(batch, classes\), not a tuple"),
        ("feature_map", r"must be logits of shape \(batch, classes\), not \[\?,4,30,30\]"),
        ("grey", r"^the model takes no images of 32x32 .* with 3 channels \(.*channels.*\): set its `size` or `mode`$"),
        ("otherwise_traced", "the converted model differs from PyTorch by 1 of its largest output"),
    ],
)
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of the last
def test_a_network_that_cannot_be_converted_is_refused(bench, network, says):
    with pytest.raises(DataError, match=says):
        bench.run(export.run, exportation(factory(network)))


@pytest.mark.parametrize("network", ["vision_transformer", "swin"])
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of its own checks
def test_attention_is_converted_as_it_is_written_and_for_any_batch(bench, network):
    """At inference torch fuses it into one operation, which the converter does not know."""
    _, folder = bench.run(export.run, exportation(factory(network)))
    images = np.random.default_rng(0).standard_normal((5, 3, 32, 32), dtype=np.float32)
    logits = ov.Core().compile_model(folder / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(images)[0]
    with torch.inference_mode():
        expected = getattr(networks, network)().eval()(torch.from_numpy(images)).numpy()
    assert np.abs(expected).max() > 0.01
    assert logits == pytest.approx(expected, abs=1e-4)
    assert torch.backends.mha.get_fastpath_enabled(), "for those that run after it"


def test_logits_with_axes_of_length_1_are_logits(bench):
    facts, folder = bench.run(export.run, exportation(factory("pooled")))
    assert facts.classes == 4
    images = np.random.default_rng(0).standard_normal((5, 3, 32, 32), dtype=np.float32)
    logits = ov.Core().compile_model(folder / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(images)[0]
    with torch.inference_mode():
        assert logits == pytest.approx(networks.pooled()(torch.from_numpy(images)).numpy()[..., 0, 0], abs=1e-5)


def test_a_grey_network_takes_one_channel(bench):
    facts, folder = bench.run(export.run, exportation(factory("grey"), mode="grey"))
    assert facts.classes == 4
    assert ov.Core().read_model(folder / "model.xml").input(0).partial_shape.to_string() == "[?,1,32,32]"


def test_a_network_of_torchvision_s_is_exported_with_its_checkpoint(bench, tmp_path):
    torch.manual_seed(0)
    weights = torchvision.torchvision.models.get_model("squeezenet1_1", weights=None, num_classes=7).state_dict()
    torch.save(weights, tmp_path / "weights.pt")
    parameters = exportation(Model(name="torchvision/squeezenet1_1"), size=(48, 64))
    facts, folder = bench.run(export.run, parameters, files={"weights": tmp_path / "weights.pt"})
    assert facts.classes == 7
    model = ov.Core().read_model(folder / "model.xml")
    assert model.input(0).partial_shape.to_string() == "[?,3,48,64]"
    assert "features.3.squeeze" in {op.get_friendly_name() for op in model.get_ops()}
