"""DiStyleGAN against the fixture, and its images as a function of weights, seed and index."""

import json
import os
import pickle
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from farm.catalog.sources import SHIPPED, SOURCES
from farm.errors import DataError
from farm.generators.distylegan import checkpoint as checkpoints
from farm.generators.distylegan import source
from farm.generators.distylegan.network import Config, Doubling, Folded, Generator
from farm.generators.equipment import Equipment
from farm.generators.generated import normal
from farm.inputs import HashMemo, SearchPath, locate

SHARED = Path(os.environ.get("FARM_SHARED", Path(__file__).parents[3] / "shared"))
FIXTURE = SHARED / "fixtures" / "distylegan_small"
CONFIG = {"ngf": 8, "ndf": 8, "z_dim": 6, "c_dim": 3, "project_dim": 4, "nc": 3}
SHAPE = Config(**{name: value for name, value in CONFIG.items() if name != "ndf"})
COUNT = 600  # two aligned blocks and a part of the third

fixture = pytest.mark.skipif(not FIXTURE.exists(), reason=f"no {FIXTURE}: set FARM_SHARED")


def small_weights(seed=0):
    """The state dict that CONFIG tells of, large enough that images have contrast."""
    random = np.random.default_rng(seed)
    state = Generator(SHAPE).state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            numbers = (
                random.uniform(0.5, 1.5, value.shape) if "running_var" in name else random.normal(size=value.shape)
            )
            value.copy_(torch.from_numpy(numbers))
    return state


def write(folder, state=None, **config):
    folder.mkdir(exist_ok=True)
    torch.save(small_weights() if state is None else state, folder / "generator.pt")
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write(tmp_path_factory.mktemp("distylegan") / "small")


def made(folder, count=COUNT, seed=3, precision="f32", **equipment):
    parameters = {"count": count, "seed": seed, "precision": precision}
    return source.source(parameters, {"weights": folder}, Equipment(**equipment))


@pytest.fixture(scope="module")
def whole(checkpoint):
    return made(checkpoint).block(0, COUNT)


@fixture
def test_the_fixtures_images_come_out():
    expected = np.load(FIXTURE / "expected.npz")
    network = source.network({"precision": "f32"}, {"weights": FIXTURE})
    images = network.images(expected["z"], expected["labels"], 0, 0)
    np.testing.assert_allclose(images, expected["images"], rtol=0, atol=1e-5)


@fixture
def test_the_fixture_is_a_source():
    images = made(FIXTURE, count=20)
    assert (len(images), images.classes) == (20, 10)
    assert images.block(0, 20).images.std() > 1


def test_images_are_of_32_pixels_class_by_class(checkpoint, whole):
    assert made(checkpoint).classes == 3
    assert whole.images.shape == (COUNT, 32, 32, 3)
    assert (whole.images.dtype, whole.labels.dtype) == (np.uint8, np.int64)
    assert whole.labels.tolist() == [i % 3 for i in range(COUNT)]


def test_grey_levels_are_the_rounded_range_of_the_last_layer(checkpoint, whole):
    z = normal(3, 0, 256, CONFIG["z_dim"])
    with torch.inference_mode():
        images = source.network({"precision": "f32"}, {"weights": checkpoint}).images(z, np.arange(256) % 3, 3, 0)
    levels = (images.transpose(0, 2, 3, 1).astype(np.float64) + 1) * 127.5
    assert np.abs(levels - whole.images[:256]).max() < 0.501  # half a level, and what float32 rounds
    assert whole.images.min() < 20
    assert whole.images.max() > 235


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_threads_and_workers_change_nothing_and_are_left_as_they_were(checkpoint, whole, workers):
    before = torch.get_num_threads()
    torch.set_num_threads(workers)
    try:
        images = made(checkpoint, workers=workers).block(200, 580).images
        assert torch.get_num_threads() == workers
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(images, whole.images[200:580])


def test_reading_one_by_one_computes_a_block_once(checkpoint):
    images, computed = made(checkpoint), []
    images.compute = lambda base, own=images.compute: computed.append(base) or own(base)
    for index in range(250, 260):
        images.block(index, index + 1)
    assert computed == [0, 256]


def test_a_folded_generator_makes_the_same_images():
    torch.manual_seed(0)
    generator = Generator(SHAPE)
    generator(torch.randn(64, SHAPE.z_dim), torch.arange(64) % 3)  # statistics unlike those of a new network
    before = {name: value.clone() for name, value in generator.eval().state_dict().items()}
    z, labels = torch.randn(20, SHAPE.z_dim, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 3
    with torch.inference_mode():
        assert (Folded(generator)(z, labels) - generator(z, labels)).abs().max() < 1e-5
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


@pytest.mark.parametrize(("height", "width"), [(4, 4), (3, 5), (1, 1)])
def test_doubling_is_repetition_and_then_a_convolution(height, width):
    torch.manual_seed(0)
    convolution, maps = torch.nn.Conv2d(6, 4, 3, padding=1), torch.randn(2, 6, height, width)
    with torch.inference_mode():
        expected = convolution(torch.nn.functional.interpolate(maps, scale_factor=2, mode="nearest"))
        found = Doubling(convolution)(maps)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_bf16_is_near_and_not_the_same(checkpoint, whole):
    images = made(checkpoint, precision="bf16").block(0, 256).images
    distance = np.abs(images.astype(int) - whole.images[:256])
    assert 0 < distance.mean() < 2  # weights of unit variance are harder than trained ones


def test_a_packed_checkpoint_gives_the_images_of_its_rounded_weights(checkpoint, tmp_path):
    halves = {name: v.half() if v.is_floating_point() else v for name, v in small_weights().items()}
    config = json.dumps(asdict(checkpoints.load(checkpoint).config))
    safetensors.torch.save_file(halves, tmp_path / "x.safetensors", metadata={"config": config})
    rounded = {name: v.float() if v.is_floating_point() else v for name, v in halves.items()}
    expected = made(write(tmp_path / "rounded", rounded), count=9).block(0, 9).images
    assert np.array_equal(made(tmp_path / "x.safetensors", count=9).block(0, 9).images, expected)


def test_a_packed_file_without_its_config_is_told(tmp_path):
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(DataError, match=r"x\.safetensors: ngf None"):
        made(tmp_path / "x.safetensors")
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "y.safetensors", metadata={"config": "{"})
    with pytest.raises(DataError, match=r"y\.safetensors: its metadata's `config` is not JSON"):
        made(tmp_path / "y.safetensors")


def test_the_shipped_weights_are_found_and_make_images_of_every_class(tmp_path):
    shipped = Path(checkpoints.__file__).parents[1]
    search = SearchPath(grid=tmp_path, data=(shipped,), cache=tmp_path)
    wanted = SOURCES["distylegan"].inputs[0]
    found = locate(wanted, {"weights": SHIPPED}, {"name": "distylegan"}, search, HashMemo(tmp_path / "memo"))
    assert not found.missing
    images = made(Path(found.path), count=20)
    assert images.classes == 10
    assert images.block(0, 20).images.std() > 40
    assert Path(found.path).stat().st_size < 5e6


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_class_is_told(checkpoint, label):
    network = source.network({"precision": "f32"}, {"weights": checkpoint})
    with pytest.raises(DataError, match="expected 0 to 2: DiStyleGAN makes no image without a class"):
        network.images(np.zeros((1, 6), np.float32), np.array([label]), 0, 0)


def test_all_images_differ_and_other_seeds_and_weights_give_others(checkpoint, whole, tmp_path):
    others = [made(checkpoint, seed=4), made(write(tmp_path / "other", small_weights(1)))]
    blocks = [whole.images, *(images.block(0, COUNT).images for images in others)]
    assert len({image.tobytes() for block in blocks for image in block}) == 3 * COUNT


def test_latents_are_standard_normal_and_all_their_own():
    z = normal(2**63 - 1, 0, 500, 64)
    assert (z.shape, z.dtype) == ((500, 64), np.float32)
    assert abs(z.mean()) < 0.03  # of 32,000 numbers: five standard errors
    assert abs(z.std() - 1) < 0.02
    assert len(np.unique(z)) > 31_900
    assert np.array_equal(normal(2**63 - 1, 300, 310, 64), z[300:310])


def test_a_checkpoint_in_half_precision_computes_in_float32(tmp_path):
    state = {name: value.half() if value.is_floating_point() else value for name, value in small_weights().items()}
    generator = checkpoints.load(write(tmp_path / "half", state))
    assert {value.dtype for value in generator.parameters()} == {torch.float32}
    assert not generator.training


def test_the_parameters_have_no_size_for_it_is_the_generators_own():
    assert set(SOURCES["distylegan"].parameters.model_fields) == {"count", "seed", "weights", "precision"}


def without(name):
    return {key: value for key, value in small_weights().items() if key != name}


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (
            small_weights() | {"fc.0.weight": torch.zeros(256, 9)},
            r"shape: fc.0.weight is \(256, 9\), not \(256, 7\): give",
        ),
        (without("img.0.weight"), "missing: img.0.weight"),
        (small_weights() | {"extra": torch.zeros(1)}, "unexpected: extra: give"),
        (
            small_weights() | {"project.1.bias": torch.zeros(8, dtype=torch.int64)},
            "another type: .*int64, not torch.fl",
        ),
        ({}, "missing: project.0.weight, .* and 26 more"),
        ({"optimizer": small_weights()}, r"'optimizer' is a \w+, not a dense tensor"),
        (small_weights() | {"epoch": 3}, "'epoch' is a int, not a dense tensor"),
        ({0: torch.zeros(1)}, "0 is a Tensor, not a dense tensor"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "'a' is a Tensor, not a dense tensor"),
        ([1, 2], "holds a list, not a state dict"),
        (torch.zeros(3), "holds a Tensor, not a state dict"),
    ],
)
def test_weights_that_are_not_the_generators_are_told_by_name(tmp_path, state, says):
    with pytest.raises(DataError, match=rf"generator.pt: .*{says}"):
        made(write(tmp_path / "bad", state))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (
            {"ngf": 16},
            r"generator.pt: not the weights that config.json tells of: .* fc.0.weight is \(256, 7\), not \(512",
        ),
        ({"ngf": 65_536, "z_dim": 65_536}, "generator.pt: not the weights .*project.0.weight"),
        ({"ngf": 12}, "config.json: ngf 12: must be a multiple of 8"),
        ({"nc": 1}, "config.json: nc 1: farm's images have 3 channels"),
        ({"z_dim": None}, "config.json: z_dim None: each must be a whole number from 1"),
        ({"z_dim": "6", "c_dim": 0}, "config.json: z_dim '6', c_dim 0: each"),
        ({"c_dim": 1 << 40, "project_dim": True}, "config.json: c_dim 1099511627776, project_dim True: each"),
    ],
)
def test_a_config_of_another_generator_is_told(tmp_path, config, says):
    with pytest.raises(DataError, match=says):
        made(write(tmp_path / "bad", **config))


def code(folder):
    """A pickle that would run something."""

    class Attack:
        def __reduce__(self):
            return (os.system, ("true",))

    (folder / "generator.pt").write_bytes(pickle.dumps(Attack()))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"config.json: cannot be read as JSON \(FileNotFound"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config.json: cannot be read as JSON \(JSONDecode"),
        (lambda folder: (folder / "config.json").write_text("[" * 100_000), "config.json: cannot be read as JSON"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff"), r"cannot be read as JSON \(UnicodeDecode"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json: ngf None, z_dim None, c_dim None"),
        (lambda folder: (folder / "generator.pt").unlink(), r"generator.pt: not a checkpoint, .*\(FileNotFoundError"),
        (lambda folder: (folder / "generator.pt").write_bytes(b""), "generator.pt: not a checkpoint"),
        (lambda folder: (folder / "generator.pt").write_bytes(b"hello"), "generator.pt: not a checkpoint"),
        (lambda folder: os.truncate(folder / "generator.pt", 3000), "generator.pt: not a checkpoint, or truncated"),
        (code, "generator.pt: not a checkpoint, .*Weights only load failed"),
    ],
)
def test_a_damaged_checkpoint_is_told_with_its_file(tmp_path, damage, says):
    folder = write(tmp_path / "bad")
    damage(folder)
    with pytest.raises(DataError, match=says):
        made(folder)


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "generator.pt").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"generator.pt/config.json: .* give a folder with generator.pt and config.json"
    ):
        made(tmp_path / "generator.pt")


def test_weights_that_give_nan_are_told(tmp_path):
    state = small_weights()
    state["upsample1.2.running_var"] -= 9
    with pytest.raises(DataError, match="bad: the weights give NaN: train or fetch"):
        made(write(tmp_path / "bad", state)).block(0, 1)
