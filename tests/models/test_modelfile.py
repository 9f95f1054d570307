"""Model files, good and bad, made on the spot; what is read must compute what the file says."""

import numpy as np
import onnx
import openvino as ov
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from farm.axes import Preprocessing
from farm.errors import DataError
from farm.models import modelfile
from farm.models.modelfile import input_shape, named_operations
from tests.models.files import Classifier, Int8Classifier, layer_counts, write_ir, write_pixels_ir, write_tflite

TYPES = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}


def interface(layout="NCHW", kind="f32", size=(32, 32)):
    return Preprocessing(size=size, layout=layout, input=kind)


def images(count, how):
    pixels = np.random.default_rng(0).integers(0, 256, input_shape(how, count))
    return pixels.astype(np.uint8) if how.input == "u8" else ((pixels - 127.5) / 64).astype(TYPES[how.input])


def run(model, batch):
    """A model's logits in float32, image by image where its batch is fixed."""
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    fixed = model.input(0).partial_shape[0].is_static
    parts = [batch[i : i + 1] for i in range(len(batch))] if fixed else [batch]
    return np.concatenate([np.array(compiled(part)[0]) for part in parts])


def batch_of(model):
    """The batch as OpenVINO writes it: ? or a number."""
    return model.input(0).partial_shape[0].to_string()


@pytest.mark.parametrize(
    ("odd", "how", "batch"),
    [
        ({}, interface(), "?"),
        ({"batch": 1}, interface(), "?"),
        ({"batch": 4}, interface(), "?"),
        ({"batch": 1, "built_in": 1}, interface(), "1"),
        ({"batch": 1, "flat_built_in": 1}, interface(), "?"),
        ({"size": ("H", "W")}, interface(size=(32, 40)), "?"),
        ({"layout": "NHWC"}, interface("NHWC"), "?"),
        ({"input": "f16"}, interface(kind="f16"), "?"),
        ({"input": "u8", "layout": "NHWC"}, interface("NHWC", "u8"), "?"),
        ({"input": "u8", "batch": 1, "built_in": 1}, interface(kind="u8"), "1"),
    ],
    ids=str,
)
@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_a_model_read_computes_what_onnx_itself_does(tmp_path, suffix, odd, how, batch):
    classifier = Classifier(**odd)
    write = write_ir if suffix == ".xml" else lambda path, made: made.write(path)
    model = modelfile.read(write(tmp_path / f"model{suffix}", classifier), how, None)
    assert batch_of(model) == batch
    assert model.input(0).partial_shape.to_string() == f"[{batch},{','.join(map(str, input_shape(how, 1)[1:]))}]"
    reference = ReferenceEvaluator(classifier.model())
    given = images(3, how)
    expected = np.concatenate([reference.run(None, {"images": given[i : i + 1]})[0] for i in range(3)])
    # float32 sums over 27 products in another order; a wrong channel or image is off by its whole size
    assert np.abs(run(model, given) - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("batch", [None, 1])
@pytest.mark.parametrize("kind", ["f32", "u8"])
def test_a_tflite_model_keeps_its_layout_and_type_and_computes_the_same(tmp_path, kind, batch):
    path, how = write_tflite(tmp_path / "model.tflite", batch=batch, input=kind), interface("NHWC", kind)
    model = modelfile.read(path, how, None)
    assert model.input(0).partial_shape.to_string() == "[?,32,32,3]"
    assert model.input(0).element_type.to_string() == kind
    raw = ov.Core().read_model(path)
    raw.reshape([1, 32, 32, 3])
    given = images(3, how)
    assert run(model, given) == pytest.approx(run(raw, given), rel=1e-5)


def test_a_tflite_model_is_the_onnx_model_of_the_same_weights(tmp_path):
    given = images(3, interface("NHWC"))
    ours = run(modelfile.read(write_tflite(tmp_path / "a.tflite"), interface("NHWC"), None), given)
    plain = ReferenceEvaluator(Classifier().model()).run(None, {"images": given.transpose(0, 3, 1, 2)})[0]
    difference = ours - plain
    assert np.abs(difference - difference[0]).max() > 1e-3, "TFLite's convolution has a bias before its ReLU"


def test_preprocessing_inside_an_ir_stays_inside(tmp_path):
    path, how = write_pixels_ir(tmp_path / "model.xml", Classifier()), interface("NHWC", "u8")
    pixels = images(3, how)
    floats = ((pixels.astype(np.float32) - 127.5) / 64).transpose(0, 3, 1, 2)
    expected = ReferenceEvaluator(Classifier().model()).run(None, {"images": floats})[0]
    assert np.abs(run(modelfile.read(path, how, None), pixels) - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(("named", "scale"), [("logits", 1), ("aside", 2)])
def test_one_of_several_outputs_is_chosen_by_its_name(tmp_path, named, scale):
    classifier = Classifier(outputs=("logits", "aside"))
    model = modelfile.read(classifier.write(tmp_path / "model.onnx"), interface(), named)
    assert len(model.outputs) == 1
    given = images(2, interface())
    both = ReferenceEvaluator(classifier.model()).run(None, {"images": given})
    assert both[1] == pytest.approx(2 * both[0], rel=1e-5)
    assert run(model, given) == pytest.approx(scale * both[0], rel=1e-4)


def test_an_only_output_may_be_named_too(tmp_path):
    path = Classifier().write(tmp_path / "model.onnx")
    assert len(modelfile.read(path, interface(), "logits").outputs) == 1


@pytest.mark.parametrize(
    ("odd", "how", "output", "says"),
    [
        ({"batch": 4, "built_in": 4}, interface(), None, r"batch is fixed \(\[4,3,32,32\]\) at another number than 1"),
        ({"batch": 1, "built_in": 4}, interface(), None, "OpenVINO cannot convert .*Reshape"),
        (
            {},
            interface(size=(32, 48)),
            None,
            r"takes \[\?,3,32,32\], not NCHW images of 32x48 \(height x width\) with 3 channels",
        ),
        (
            {},
            interface("NHWC"),
            None,
            r"takes \[\?,3,32,32\], not NHWC images of 32x32 .*: set .* `layout` or `mode` of",
        ),
        ({"layout": "NHWC"}, interface(), None, r"takes \[\?,32,32,3\], not NCHW images"),
        ({}, interface(kind="u8"), None, "the input images takes f32; farm gives float32, float16 or uint8"),
        ({"input": "i64"}, interface(), None, "the input images takes i64; farm gives"),
        ({"outputs": ("a", "b")}, interface(), None, r"several outputs \(a, b\): say which with `output: NAME`"),
        ({"outputs": ("a", "b")}, interface(), "c", "no output 'c': the model has a, b"),
        ({}, interface(), "probabilities", "no output 'probabilities': the model has logits"),
        (
            {"inputs": ("left", "right")},
            interface(),
            None,
            r"2 inputs \(left, right\): say what each gets, as in `inputs",
        ),
        ({"flat": False}, interface(), None, r"must be logits of shape \(batch, classes\), not \[\?,4,15,15\]"),
        ({"custom": True}, interface(), None, "OpenVINO cannot convert nobody.Odd: replace these operations in"),
    ],
    ids=str,
)
def test_an_onnx_model_that_cannot_be_used_is_refused(tmp_path, odd, how, output, says):
    path = Classifier(**odd).write(tmp_path / "model.onnx")
    with pytest.raises(DataError, match=f"model.onnx: .*{says}"):
        modelfile.read(path, how, output)


def test_an_operation_of_nobodys_in_a_tflite_model_is_named(tmp_path):
    path = write_tflite(tmp_path / "model.tflite", custom=True)
    with pytest.raises(DataError, match=r"model.tflite: OpenVINO cannot convert NobodysOwn: replace these"):
        modelfile.read(path, interface("NHWC"), None)


class Unconverted(torch.nn.Module):
    def forward(self, batch):
        return torch.linalg.svdvals(batch.mean(1))


def test_an_operation_of_pytorch_s_without_a_rule_is_named():
    with pytest.raises(DataError, match=r"^OpenVINO cannot convert aten::linalg_svdvals: replace"), named_operations():
        ov.convert_model(Unconverted(), example_input=torch.zeros(1, 3, 8, 8), input=[ov.PartialShape([-1, 3, 8, 8])])


def test_another_fault_while_converting_stays_what_it_is():
    with pytest.raises(RuntimeError, match="nothing to do with operations"), named_operations():
        raise RuntimeError("nothing to do with operations")


WRITE = {
    ".onnx": lambda path: Classifier().write(path),
    ".xml": lambda path: write_ir(path, Classifier()),
    ".tflite": write_tflite,
}


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: b"",
        lambda whole: b"hello world\n" * 50,
        lambda whole: bytes(len(whole)),
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-4],
    ],
    ids=["empty", "text", "zeros", "half", "end missing"],
)
def test_a_file_that_is_no_model_or_is_cut_off_is_refused(tmp_path, suffix, spoil):
    path = WRITE[suffix](tmp_path / f"model{suffix}")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=rf"model{suffix}: not a model that OpenVINO can read, or damaged \(\S"):
        modelfile.read(path, interface("NHWC" if suffix == ".tflite" else "NCHW"), None)


@pytest.mark.parametrize("suffix", WRITE)
def test_a_file_that_is_not_there_is_refused(tmp_path, suffix):
    with pytest.raises(DataError, match="not a model that OpenVINO can read"):
        modelfile.read(tmp_path / f"model{suffix}", interface(), None)


@pytest.mark.parametrize("size", [None, 0, 100])
def test_an_ir_without_all_of_its_weights_is_refused(tmp_path, size):
    path = write_ir(tmp_path / "model.xml", Classifier())
    weights = path.with_suffix(".bin")
    content = weights.read_bytes()
    weights.unlink() if size is None else weights.write_bytes(content[:size])
    with pytest.raises(DataError, match=r"or damaged \(.*bin file"):
        modelfile.read(path, interface(), None)


def test_external_data_is_read_and_missed(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(Classifier().model(), path, save_as_external_data=True, all_tensors_to_one_file=False, size_threshold=0)
    assert (tmp_path / "kernel").exists()
    given = images(2, interface())
    expected = ReferenceEvaluator(Classifier().model()).run(None, {"images": given})[0]
    assert run(modelfile.read(path, interface(), None), given) == pytest.approx(expected, rel=1e-4)
    (tmp_path / "kernel").unlink()
    with pytest.raises(DataError, match=r"model.onnx: .*externally stored data in file \(kernel"):
        modelfile.read(path, interface(), None)


@pytest.mark.parametrize("suffix", [".tflite", ".xml"])
def test_a_model_that_takes_and_gives_int8_is_read_in_what_those_numbers_stand_for(tmp_path, suffix):
    """Also from an IR that OpenVINO's tools made of it. All is rounded as TFLite's integers are."""
    path, classifier = tmp_path / "model.tflite", Int8Classifier()
    classifier.write(path)
    if suffix == ".xml":
        path, before = path.with_suffix(suffix), ov.Core().read_model(path)
        assert [each.get_element_type().to_string() for each in before.inputs + before.outputs] == ["i8", "i8"]
        ov.save_model(before, path, compress_to_fp16=False)
    model = modelfile.read(path, interface("NHWC"), None)
    assert layer_counts(model) == (2, 2)
    given = images(8, interface("NHWC"))
    assert given.max() > classifier.images.real(np.int8(127)), "some are beyond what int8 can hold"
    expected = classifier.answers(given)
    assert len(np.unique(expected)) > 20
    assert run(model, given) == pytest.approx(expected, abs=1e-4)


def test_int8_numbers_that_nothing_gives_a_meaning_are_refused(tmp_path):
    image = ov.opset13.parameter([-1, 3, 32, 32], np.int8, name="image")
    mean = ov.opset13.reduce_mean(ov.opset13.convert(image, np.float32), np.array([2, 3]))
    ov.save_model(ov.Model([mean], [image]), tmp_path / "a.xml")
    with pytest.raises(DataError, match="takes i8; farm gives float32, float16 or uint8"):
        modelfile.read(tmp_path / "a.xml", interface(), None)


def test_int8_numbers_that_also_go_elsewhere_than_into_their_scale_are_left_as_they_are(tmp_path):
    image = ov.opset13.parameter([-1, 3, 32, 32], np.int8, name="image")
    floats = ov.opset13.convert(image, np.float32)
    scaled = ov.opset13.fake_quantize(floats, *map(np.float32, (-128, 127, -1.28, 1.27)), levels=256)
    both = ov.opset13.add(scaled, ov.opset13.multiply(floats, np.float32(0.01)))
    ov.save_model(ov.Model([ov.opset13.reduce_mean(both, np.array([2, 3]))], [image]), tmp_path / "a.xml")
    with pytest.raises(DataError, match="takes i8; farm gives float32, float16 or uint8"):
        modelfile.read(tmp_path / "a.xml", interface(), None)


def test_a_number_an_image_is_a_class_of_one(tmp_path):
    image = ov.opset13.parameter([-1, 3, 32, 32], np.float32, name="image")
    ov.save_model(ov.Model([ov.opset13.reduce_mean(image, np.array([1, 2, 3]))], [image]), tmp_path / "a.xml")
    model = modelfile.read(tmp_path / "a.xml", interface(), None)
    assert model.output(0).partial_shape.to_string() == "[?,1]"
    given = images(3, interface())
    assert run(model, given)[:, 0] == pytest.approx(given.mean(axis=(1, 2, 3)), abs=1e-6)


@pytest.mark.parametrize("axes", [[0, 1, 2, 3], None])
def test_an_output_without_a_batch_is_refused(tmp_path, axes):
    image = ov.opset13.parameter([1, 3, 32, 32], np.float32, name="image")
    gives = (
        ov.opset13.reduce_mean(image, np.array(axes)) if axes else ov.opset13.reshape(image, np.array([12, -1]), False)
    )
    ov.save_model(ov.Model([gives], [image]), tmp_path / "a.xml")
    with pytest.raises(DataError, match=r"must be logits of shape \(batch, classes\), not"):
        modelfile.read(tmp_path / "a.xml", interface(), None)


TWO = Classifier(inputs=("left", "right"))  # which are added to each other


def test_of_several_inputs_one_gets_the_images_and_the_others_numbers(tmp_path):
    path = TWO.write(tmp_path / "model.onnx")
    right = np.full((1, 3, 32, 32), 0.5, np.float32)
    model = modelfile.read(path, interface(), None, {"left": "image", "right": right.tolist()})
    assert [modelfile.name_of(value) for value in model.inputs] == ["left"]
    assert model.input(0).partial_shape[0] == 1, "a constant of one image is of no batch"
    given = images(1, interface())
    expected = ReferenceEvaluator(TWO.model()).run(None, {"left": given, "right": right})[0]
    assert run(model, given) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("constants", "says"),
    [
        ({"left": "image"}, "`inputs` says of 1 of 2 inputs: the model has left, right"),
        ({"left": "image", "write": 1}, "no input 'write': the model has left, right"),
        (
            {"left": "image", "right": [[1, 1]]},
            r"the numbers of input 'right' are \[1,2\], and it takes \[\?,3,32,32\]",
        ),
    ],
)
def test_numbers_that_are_none_for_an_input_are_refused(tmp_path, constants, says):
    with pytest.raises(DataError, match=says):
        modelfile.read(TWO.write(tmp_path / "model.onnx"), interface(), None, constants)


def test_all_outputs_are_kept_as_they_are_where_they_are_no_logits(tmp_path):
    path = Classifier(outputs=("a", "b"), batch="N").write(tmp_path / "free.onnx")
    free = modelfile.read_whole(path, interface())
    assert ([modelfile.name_of(value) for value in free.outputs], free.input(0).partial_shape[0].is_dynamic) == (
        ["a", "b"],
        True,
    )
    fixed = modelfile.read_whole(Classifier(batch=1, flat=False).write(tmp_path / "one.onnx"), interface())
    assert fixed.input(0).partial_shape[0] == 1
    built_in = modelfile.read_whole(Classifier(built_in=1).write(tmp_path / "built_in.onnx"), interface())
    assert built_in.input(0).partial_shape[0] == 1
    with pytest.raises(DataError, match="batch is fixed"):
        modelfile.read_whole(Classifier(batch=4).write(tmp_path / "four.onnx"), interface())
    with pytest.raises(DataError, match="not NCHW images of 16x16"):
        modelfile.read_whole(path, interface(size=(16, 16)))
