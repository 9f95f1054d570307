"""What models from elsewhere say of themselves, asked in a process and remembered."""

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torchvision
from onnx.external_data_helper import set_external_data
from torchvision.transforms._presets import ImageClassification

from farm.axes import Preprocessing
from farm.errors import DataError
from farm.models import describe
from tests.models.files import Classifier, Int8Classifier, write_ir, write_pixels_ir, write_tflite

CONTENT = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def forget():
    """Answers are kept in the process, too."""
    describe._remembered.cache_clear()
    yield
    describe._remembered.cache_clear()


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """torchvision's real answer."""
    return describe.of_torchvision(tmp_path_factory.mktemp("cache") / "new", torchvision.__version__)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vit_b_16"])
def test_torchvision_s_own_words_are_told_of_every_weights_name(said, name):
    members = torchvision.models.get_model_weights(name)
    assert set(said[name]) == {each.name for each in members} | {"DEFAULT"}
    for key, found in said[name].items():
        weights = members[key]
        how = weights.transforms()
        assert isinstance(how, ImageClassification)
        assert found == {
            "url": weights.url,
            "size": [*how.crop_size, *how.crop_size],
            "resize": how.resize_size[0],
            "interpolation": how.interpolation.value,
            "mean": how.mean,
            "std": how.std,
        }


def test_every_classifier_of_torchvision_s_is_told(said):
    assert set(said) == set(torchvision.models.list_models(module=torchvision.models))
    assert all(found["url"].startswith("https://") for weights in said.values() for found in weights.values())
    assert {found["interpolation"] for weights in said.values() for found in weights.values()} == {
        "bilinear",
        "bicubic",
    }


def test_an_answer_is_remembered_and_no_process_asked_again(tmp_path):
    path = Classifier().write(tmp_path / "model.onnx")
    first = describe.of_file(path, tmp_path / "cache", CONTENT, "1.0")
    (memo,) = (tmp_path / "cache").iterdir()
    assert json.loads(memo.read_text()) == first
    assert {key: first[key] for key in ("input", "outputs", *NCHW)} == {"input": "f32", "outputs": 10, **NCHW}
    memo.write_text(json.dumps({"input": "from the memo"}))
    assert describe.of_file(path, tmp_path / "cache", CONTENT, "1.0") == first, "once a process"
    describe._remembered.cache_clear()
    assert describe.of_file(path, tmp_path / "cache", CONTENT, "1.0") == {"input": "from the memo"}
    other = "f" * 64
    assert describe.of_file(path, tmp_path / "cache", other, "1.0") == first, "another content is asked about anew"


def test_a_torn_memo_is_asked_about_anew(tmp_path):
    path = Classifier().write(tmp_path / "model.onnx")
    memo = tmp_path / f"model-{describe.FORMAT}-1.0-{CONTENT[:16]}.json"
    memo.write_text('{"input": "f')
    found = describe.of_file(path, tmp_path, CONTENT, "1.0")
    assert found["layout"] == "NCHW"
    assert json.loads(memo.read_text()) == found


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path):
    path = Classifier().write(tmp_path / "model.onnx")
    (tmp_path / "file").write_text("in the way of the folder")
    found = describe.of_file(path, tmp_path / "file" / "cache", CONTENT, "1.0")
    assert found["size"] == [32, 32]


NCHW = {"layout": "NCHW", "size": [32, 32]}
NHWC = {"layout": "NHWC", "size": [32, 32]}


@pytest.mark.parametrize(
    ("name", "write", "expected"),
    [
        ("a.onnx", lambda path: Classifier().write(path), {"input": "f32", **NCHW}),
        ("a.onnx", lambda path: Classifier(input="f16").write(path), {"input": "f16", **NCHW}),
        ("a.onnx", lambda path: Classifier(input="u8", layout="NHWC").write(path), {"input": "u8", **NHWC}),
        ("a.onnx", lambda path: Classifier(size=("H", "W")).write(path), {"input": "f32", "layout": "NCHW"}),
        ("a.onnx", lambda path: Classifier(size=("H", 40)).write(path), {"input": "f32", "layout": "NCHW"}),
        ("a.onnx", lambda path: Classifier(size=(48, 40)).write(path), {"input": "f32", **NCHW, "size": [48, 40]}),
        ("a.xml", lambda path: write_ir(path, Classifier(batch=1)), {"input": "f32", **NCHW}),
        ("a.xml", lambda path: write_pixels_ir(path, Classifier()), {"input": "u8", **NHWC}),
        ("a.onnx", lambda path: Classifier(channels=1).write(path), {"input": "f32", "mode": "grey", **NCHW}),
        (
            "a.onnx",
            lambda path: Classifier(channels=1, layout="NHWC").write(path),
            {"input": "f32", "mode": "grey", **NHWC},
        ),
        (
            "a.onnx",
            lambda path: Classifier(channels=1, size=(32, 3)).write(path),
            {"input": "f32", "layout": "NHWC", "size": [1, 32]},
        ),
        ("a.onnx", lambda path: Classifier(channels=2).write(path), {"input": "f32"}),
        ("a.tflite", write_tflite, {"input": "f32", **NHWC}),
        ("a.tflite", lambda path: write_tflite(path, input="u8"), {"input": "u8", **NHWC}),
        ("a.tflite", Int8Classifier().write, {"input": "f32", "quantized": True, **NHWC}),
    ],
)
def test_a_model_file_tells_its_input(tmp_path, name, write, expected):
    told = describe._file_now(str(write(tmp_path / name)))
    assert len(told.pop("named")) == 1
    assert told.pop("shape").count(",") == 3
    assert len(told.pop("sides")) == 4
    assert told == {**expected, "outputs": 10}


def test_outputs_that_a_shape_does_not_tell_are_not_told(tmp_path):
    assert "outputs" not in describe._file_now(str(Classifier(outputs=("a", "b")).write(tmp_path / "a.onnx")))
    assert "outputs" not in describe._file_now(str(Classifier(flat=False).write(tmp_path / "b.onnx")))


def test_a_model_with_several_outputs_says_that_one_must_be_named(tmp_path):
    told = describe._file_now(str(Classifier(outputs=("a", "b")).write(tmp_path / "a.onnx")))
    assert describe.misnamed(None, told["named"]) == (
        "the model has several outputs (a, b): say which with `output: NAME`"
    )
    assert describe.misnamed("c", told["named"]) == "no output 'c': the model has a, b"
    assert describe.misnamed("b", told["named"]) == ""
    assert (told["input"], told["size"]) == ("f32", [32, 32])


@pytest.mark.parametrize(
    ("sides", "how", "fits"),
    [
        ([None, 3, 32, 32], {}, True),
        ([1, 3, 32, 32], {}, True),
        ([None, 3, None, None], {"size": (40, 24)}, True),
        (None, {}, True),
        ([None, 3, 32, 32], {"size": (40, 40)}, False),
        ([None, 3, 32, 32], {"layout": "NHWC"}, False),
        ([None, 3, 32, 32], {"mode": "grey"}, False),
        ([None, 32, 32], {}, False),
    ],
)
def test_images_that_a_models_input_cannot_take_are_told(sides, how, fits):
    said = describe.misshapen("[?,3,32,32]", sides, replace(Preprocessing(size=(32, 32)), **how))
    assert bool(said) != fits
    assert fits or said.startswith("the model takes [?,3,32,32], not N")


def test_a_model_that_takes_no_images_tells_its_fault(tmp_path):
    path = Classifier(input="i64").write(tmp_path / "a.onnx")
    (fault,) = describe._file_now(str(path)).values()
    assert fault.startswith("the input ")
    assert fault.endswith(" takes i64; farm gives float32, float16 or uint8: convert the model's input")


@pytest.mark.parametrize("name", ["a.onnx", "a.xml", "a.tflite"])
def test_a_broken_file_tells_its_fault_and_nothing_is_remembered_of_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"no model")
    (fault,) = describe.of_file(tmp_path / name, tmp_path / "cache", CONTENT, "1.0").values()
    assert fault.startswith("not a model that OpenVINO can read, or damaged (")
    assert not (tmp_path / "cache").exists()


def test_an_ir_consists_of_two_files(tmp_path):
    path = write_ir(tmp_path / "model.xml", Classifier())
    assert describe.beside(path) == (tmp_path / "model.bin",)
    assert all(other.exists() for other in describe.beside(path))


@pytest.mark.parametrize(
    ("together", "expected"), [(True, ["all.data"]), (False, ["kernel", "matrix of logits"])], ids=["one", "several"]
)
def test_external_data_of_an_onnx_model_is_found(tmp_path, together, expected):
    path = tmp_path / "model.onnx"
    onnx.save(
        Classifier().model(),
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=together,
        location="all.data" if together else None,
        size_threshold=0,
    )
    assert sorted(describe.beside(path)) == [tmp_path / name for name in expected]
    assert set(tmp_path.iterdir()) == {path, *describe.beside(path)}


def test_external_data_may_lie_in_a_folder_of_its_own(tmp_path):
    (tmp_path / "weights").mkdir()
    path = tmp_path / "model.onnx"
    onnx.save(Classifier().model(), path, save_as_external_data=True, location="weights/all.data", size_threshold=0)
    assert describe.beside(path) == (tmp_path / "weights" / "all.data",)


def referring(path, location):
    """A model whose tensors lie in another file, whatever its name is."""
    model = Classifier().model()
    for tensor in model.graph.initializer:
        set_external_data(tensor, location=location)
        tensor.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_of_a_long_name_is_found(tmp_path):
    name = f"{'long' * 40}.data"  # its length does not fit into one byte of a Protocol Buffer's number
    assert describe.beside(referring(tmp_path / "model.onnx", name)) == (tmp_path / name,)


@pytest.mark.parametrize(
    "name", ["/etc/hostname", "/dev/zero", "../other.data", "..", ".", "a/../..", "a/../../b", "a\0b"]
)
def test_external_data_outside_the_models_folder_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="names external data outside its own folder"):
        describe.beside(referring(tmp_path / "model.onnx", name))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.onnx", lambda path: Classifier().write(path)),
        ("a.onnx", Path.touch),
        ("a.onnx", lambda path: path.write_bytes(b"\x0a\x08location\x12")),
        ("a.tflite", write_tflite),
    ],
)
def test_a_model_in_one_file_has_none_beside_it(tmp_path, name, write):
    write(tmp_path / name)
    assert describe.beside(tmp_path / name) == ()
