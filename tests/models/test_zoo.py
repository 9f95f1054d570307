"""Checkpoints, good and bad, and the networks they fit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from farm.catalog.models import MODELS, PREPROCESSING
from farm.checkpoint import NESTED, WRAPPERS, read_weights, unwrapped
from farm.data import digits, imageset
from farm.errors import DataError, InputError
from farm.models import zoo
from farm.spec import resolve

RESNET20 = "farm.models.resnet:resnet20"
SHIPPED = Path(zoo.__file__).parent / "weights" / "digits_resnet20.safetensors"
HERE = "tests.models.test_zoo"
CASES = Path(os.environ.get("FARM_SHARED", Path(__file__).parents[3] / "shared")) / "cases"


def tiny():
    """A user's own factory."""
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).train()


def no_network():
    """A user's factory gone wrong."""
    return "a path"


def state(classes=10):
    return resolve(RESNET20)(classes).state_dict()


def write(path, content):
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if spec.function])
def test_a_checkpoint_says_how_many_classes_there_are(tmp_path, name):
    """In the order of its layers, and in that of their names."""
    function = MODELS[name].function
    tensors = resolve(function)(7).state_dict()
    for file in ("a.pth", "a.safetensors"):
        network = zoo.load(function, write(tmp_path / file, tensors))
        with torch.inference_mode():
            assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 7)
        assert not network.training


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_half_precision_is_read_as_float32_and_counters_stay_integers(tmp_path, name):
    halves = {key: value.half() if value.is_floating_point() else value for key, value in state().items()}
    tensors = read_weights(write(tmp_path / name, halves))
    assert {value.dtype for value in tensors.values()} == {torch.float32, torch.int64}
    assert all(torch.equal(tensors[key], halves[key].to(tensors[key].dtype)) for key in halves)


@pytest.mark.parametrize("key", NESTED)
def test_a_wrapped_state_dict_is_unwrapped(tmp_path, key):
    beside = {"epoch": 3, "best": np.float64(0.9), "seen": np.int64(7), "lr": np.float32(0.1), "done": np.bool_(True)}
    path = write(tmp_path / "a.pt", {key: state(), **beside})
    assert list(read_weights(path)) == list(state())


def test_a_trainers_settings_are_no_state_dict(tmp_path):
    path = write(tmp_path / "a.pt", {"model": {"depth": 20}, "net": state(), "ema": {}})
    assert list(read_weights(path)) == list(state())


@pytest.mark.parametrize("prefix", [*WRAPPERS, "module.model.", "net._orig_mod."])
def test_what_wrapped_a_network_is_left_out_of_its_names(tmp_path, prefix):
    renamed = {f"{prefix}{name}": value for name, value in state(7).items()}
    network = zoo.load(RESNET20, write(tmp_path / "a.pt", {"model": renamed}))
    assert list(network.state_dict()) == list(state(7))


def test_a_prefix_that_the_network_has_itself_stays():
    inner = tiny().state_dict()
    own = {f"model.{name}": value for name, value in inner.items()}
    assert unwrapped(own, own) is own
    assert list(unwrapped({f"module.{name}": value for name, value in own.items()}, own)) == list(own)
    assert list(unwrapped(own, inner)) == list(inner)
    some = {"module.a": torch.ones(1), "b": torch.ones(1)}
    assert unwrapped(some) is some, "not all have it"
    assert unwrapped({}) == {}


@pytest.mark.skipif(not CASES.exists(), reason=f"no {CASES}: set FARM_SHARED")
@pytest.mark.parametrize("file", ["model_key.pt", "compiled.pt", "lightning.ckpt", "npscalar.pt"])
def test_other_peoples_checkpoints_are_read(file):
    expected, found = (unwrapped(read_weights(CASES / name)) for name in ("kuangliu.pt", file))
    assert list(found) == list(expected)
    assert {name: value.shape for name, value in found.items()} == {name: v.shape for name, v in expected.items()}


def test_torchscript_is_refused_with_the_way_to_convert_it(tmp_path):
    path = tmp_path / "a.pt"
    torch.jit.trace(tiny().eval(), torch.ones(1, 3, 2, 2)).save(path)
    with pytest.raises(
        DataError, match=r"a.pt: a TorchScript model, not a state dict: ov.save_model\(.*, and name mod"
    ):
        read_weights(path)


def test_a_factory_comes_with_or_without_weights(tmp_path):
    function = f"{HERE}:tiny"
    assert not zoo.made_by(function).training
    ones = {key: torch.ones_like(value) for key, value in tiny().state_dict().items()}
    network = zoo.made_by(function, write(tmp_path / "a.pt", ones))
    assert network(torch.ones(1, 12)).tolist() == [[13.0] * 4]


def test_a_factory_that_gives_no_network_is_refused():
    with pytest.raises(DataError, match=r"factory .*no_network' returned a str: it must return a torch.nn.Module"):
        zoo.made_by(f"{HERE}:no_network")


def test_a_function_that_does_not_exist_is_an_input_error():
    with pytest.raises(InputError, match=r"cannot import 'farm.models.resnet:resnet19'"):
        zoo.load("farm.models.resnet:resnet19", None)


def test_a_zoo_network_needs_weights():
    with pytest.raises(DataError, match="has no weights: give `weights: FILE`"):
        zoo.load(RESNET20, None)


def half_of(path, content):
    write(path, content)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class Payload:
    """What an unpickler with code would run."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("a.pt", lambda path: half_of(path, state()), "not a checkpoint, or truncated"),
        ("a.safetensors", lambda path: half_of(path, state()), "not a safetensors file, or truncated"),
        ("a.pt", lambda path: path.write_bytes(b"<html>404"), "not a checkpoint, or truncated"),
        ("a.pt", lambda path: path.write_bytes(b"hello world\n"), "not a checkpoint, or truncated"),
        ("a.pt", lambda path: path.write_bytes(b"\x80\x46x"), "not a checkpoint, or truncated"),
        ("a.pt", lambda path: path.write_bytes(b""), "not a checkpoint, or truncated"),
        ("a.pt", Path.is_file, r"not a checkpoint, or truncated \(FileNotFoundError"),
        ("a.safetensors", lambda path: path.write_bytes(b"hello world\n"), "not a safetensors file"),
        ("a.safetensors", Path.is_file, "not a safetensors file"),
        ("a.pt", lambda path: torch.save(tiny(), path), r"needs code .*\(torch.nn.modules.*weights_only"),
        ("a.pt", lambda path: torch.save({"a": Payload()}, path), "needs code .*mkdir.*weights_only"),
        ("a.pt", lambda path: torch.save(torch.zeros(2), path), "holds a Tensor, not a state dict"),
        ("a.pt", lambda path: torch.save({"epoch": 3}, path), "'epoch' is a int, not a dense tensor: save"),
        ("a.pt", lambda path: torch.save({"b": torch.zeros(3)}, path), "no 2-D tensor"),
        ("a.safetensors", lambda path: save_file({}, path), "no 2-D tensor"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, monkeypatch, name, make, says):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name}: {says}"):
        zoo.load(RESNET20, tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_keys_of_another_network_are_listed_five_at_most(tmp_path):
    other = {f"layer{i}.weight": torch.zeros(2, 2) for i in range(8)}
    with pytest.raises(DataError) as caught:
        zoo.load(RESNET20, write(tmp_path / "a.pt", other))
    text = str(caught.value)
    assert "a.pt: weights of another network than ResNet: missing: conv1.weight, bn1.weight, bn1.bias" in text
    assert "and 102 more; unexpected: layer0.weight, layer1.weight, layer2.weight" in text
    assert "layer4.weight and 3 more; give its own weights" in text
    assert "layer5" not in text


def test_a_tensor_of_another_shape_is_told_with_both_shapes(tmp_path):
    wrong = state() | {"conv1.weight": torch.zeros(8, 3, 3, 3)}
    expected = r"another shape: conv1.weight is \(8, 3, 3, 3\), not \(16, 3, 3, 3\); give"
    with pytest.raises(DataError, match=expected) as caught:
        zoo.load(RESNET20, write(tmp_path / "a.pt", wrong))
    assert "missing" not in str(caught.value)


def test_whole_numbers_in_place_of_weights_are_refused(tmp_path):
    wrong = state() | {"conv1.weight": state()["conv1.weight"].to(torch.int8)}
    with pytest.raises(DataError, match=r"another type: conv1.weight is torch.int8, not torch.float32; give"):
        zoo.load(RESNET20, write(tmp_path / "a.pt", wrong))


def test_a_checkpoint_without_counters_of_batches_fits(tmp_path):
    """Older than PyTorch 0.4.1, as torchvision's first ones are; only training reads them."""
    known = {key: torch.ones_like(value) for key, value in state().items() if not key.endswith("num_batches_tracked")}
    network = zoo.load(RESNET20, write(tmp_path / "a.safetensors", known))
    assert all(torch.equal(network.state_dict()[key], value) for key, value in known.items())


def test_a_factorys_weights_are_checked_too(tmp_path):
    with pytest.raises(DataError, match=r"another network than Sequential: missing: 1.weight, 1.bias; unexpected"):
        zoo.made_by(f"{HERE}:tiny", write(tmp_path / "a.pt", state()))


def test_the_shipped_weights_read_the_digits():
    network = zoo.load(MODELS["resnet20"].function, SHIPPED)
    images, labels, _ = digits.split("test").block(0, 300)
    with torch.inference_mode():
        logits = network(torch.from_numpy(imageset.prepare(images, PREPROCESSING["digits"])))
    assert (logits.argmax(1).numpy() == labels).mean() >= 0.985


BOMB = """
import resource, sys, zipfile
from pathlib import Path
import torch
from farm.checkpoint import read_weights
folder, most = Path(sys.argv[1]), 512 << 20
torch.save({"fc.weight": torch.zeros(4, 4)}, folder / "small.pt")
small, bomb = zipfile.ZipFile(folder / "small.pt"), zipfile.ZipFile(folder / "bomb.pt", "w", zipfile.ZIP_DEFLATED)
with small, bomb:
    for name in small.namelist():
        content = small.read(name)
        if name.endswith("data/0"):
            content = bytes(most)
        bomb.writestr(name, content.replace(b"K\\x10", b"J" + (most // 4).to_bytes(4, "little"), 1))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + most // 2, -1))
try:
    read_weights(folder / "bomb.pt")
except MemoryError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_small_file_that_unpacks_to_more_than_there_is_memory_for_is_no_damaged_file(tmp_path):
    ended = subprocess.run([sys.executable, "-c", BOMB, tmp_path], capture_output=True, text=True, check=True)
    assert "bomb.pt: " in ended.stdout, ended.stderr
    assert (tmp_path / "bomb.pt").stat().st_size < 1 << 20
