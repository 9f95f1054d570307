"""StyleGAN2-ADA against the fixture, against the conventional computation, and as a function of its parameters."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.catalog.sources import SOURCES
from farm.errors import DataError
from farm.generators.equipment import Equipment
from farm.generators.stylegan2 import convolution
from farm.generators.stylegan2.source import network, network_of, source
from tests.benchmarks import conventional_stylegan2 as conventional
from tests.generators import nvidia

SHARED = Path(os.environ.get("FARM_SHARED", Path(__file__).parents[3] / "shared"))
FIXTURE = SHARED / "fixtures" / "stylegan2ada_small.pkl"
EXPECTED = SHARED / "fixtures" / "stylegan2ada_small_expected.npz"
WIDE = 16  # channels of which convolutions are Winograd's here
COUNT = 150  # two aligned blocks and a part of the third

fixture = pytest.mark.skipif(not FIXTURE.exists(), reason=f"no {FIXTURE}: set FARM_SHARED")


def parameters(**given):
    """As a grid gives them, the rest by default."""
    said = SOURCES["stylegan2-ada"].parameters.model_validate({"weights": "network.pkl"} | given)
    return said.model_dump()


def opened(path, **given):
    return network(parameters(**given), {"weights": path})


def model_of(made):
    """The generator behind a network."""
    return made.images.__self__


@pytest.fixture
def saved(tmp_path):
    return lambda **generator: nvidia.write(tmp_path / "network.pkl", nvidia.snapshot(**generator))


@pytest.fixture(scope="module", autouse=True)
def small_networks_are_wide():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "WIDE", WIDE)
        yield


@pytest.fixture(params=["direct", "Winograd's"])
def way(request, monkeypatch):
    """Both ways to compute convolutions, whatever their width."""
    monkeypatch.setattr(convolution, "WIDE", 1 if request.param != "direct" else 1 << 20)
    monkeypatch.setattr(convolution, "SPACE", 1 << 12)  # several parts, the last one smaller


@fixture
@pytest.mark.parametrize("psi", [1.0, 0.7])
@pytest.mark.parametrize("noise", ["const", "none"])
def test_the_fixtures_images_come_out(way, psi, noise):
    expected = np.load(EXPECTED)
    wanted = expected[f"img_psi{psi}_{noise}"]
    made = opened(FIXTURE, truncation_psi=psi, noise_mode=noise)
    images = made.images(expected["z"], expected["labels"], 0, 0)
    np.testing.assert_allclose(images, wanted, rtol=0, atol=1e-4 * np.ptp(wanted))


def random_inputs(made, count=10, seed=5):
    numbers = np.random.default_rng(seed)
    return numbers.standard_normal((count, made.z_dim), np.float32), np.arange(count) % 4 - 1


def by_convention(snapshot, made, z, labels, *, psi=1.0, cutoff=None, noise=None):
    config = model_of(made).generator.config
    tensors = {name: value.double() for name, value in nvidia.tensors_of(snapshot["G_ema"]).items()}
    shape = conventional.Shape(config.classes, config.layers, config.sides[-1], config.clamp)
    given_z, given_labels = torch.from_numpy(z).double(), torch.from_numpy(labels)
    return conventional.images(tensors, shape, given_z, given_labels, psi=psi, cutoff=cutoff, noise=noise).numpy()


@pytest.mark.parametrize(
    ("generator", "given"),
    [
        ({}, {}),
        ({"resolution": 4}, {}),
        ({"resolution": 8, "base": 30, "most": 5}, {}),  # odd numbers of channels
        ({"resolution": 32, "base": 256, "most": 20}, {"truncation_psi": 0.5}),
        ({"classes": 0}, {"truncation_psi": 0.5, "truncation_cutoff": 3}),
        ({"classes": 0, "layers": 1, "z_dim": 3, "w_dim": 5}, {"truncation_psi": -1, "truncation_cutoff": 0}),
        ({"layers": 8}, {"truncation_psi": 2.0, "truncation_cutoff": 100}),
        ({"clamp": None}, {}),
        ({"clamp": 0.7}, {}),  # it cuts much off
        ({"noisy": False}, {}),
    ],
)
def test_images_are_those_of_the_conventional_computation(way, tmp_path, generator, given):
    snapshot = nvidia.snapshot(**generator)
    made = opened(nvidia.write(tmp_path / "network.pkl", snapshot), **given)
    z, labels = random_inputs(made)
    noise = None if generator.get("noisy", True) else (lambda _name, _side: None)
    wanted = by_convention(
        snapshot,
        made,
        z,
        labels,
        psi=given.get("truncation_psi", 1),
        cutoff=given.get("truncation_cutoff"),
        noise=noise,
    )
    images = made.images(z, labels, 0, 0)
    assert (images.dtype, images.shape) == (np.float32, (10, 3, *made.size))
    np.testing.assert_allclose(images, wanted, rtol=0, atol=1e-5 * np.ptp(wanted))  # what float32 rounds in 9 layers


def test_random_noise_is_added_where_the_constant_noise_was(way, tmp_path):
    snapshot = nvidia.snapshot()
    made = opened(nvidia.write(tmp_path / "network.pkl", snapshot), noise_mode="random")
    z, labels = random_inputs(made)
    numbers = [each.numpy() for each in model_of(made)._noise(9, 100, 10)]
    tensors, drawn = nvidia.tensors_of(snapshot["G_ema"]), iter(numbers)

    def noise(name, side):
        return torch.from_numpy(next(drawn)).view(-1, 1, side, side) * tensors[f"{name}.noise_strength"]

    wanted = by_convention(snapshot, made, z, labels, noise=noise)
    np.testing.assert_allclose(made.images(z, labels, 9, 100), wanted, rtol=0, atol=1e-5 * np.ptp(wanted))


def test_random_noise_is_normal_and_each_images_own(saved):
    made = opened(saved(resolution=16), noise_mode="random")
    layers = model_of(made)._noise(2**63 - 1, 10, 40)
    assert [tuple(each.shape) for each in layers] == [(40, side, side) for side in (4, 8, 8, 16, 16)]
    flat = torch.cat([each.flatten(1) for each in layers], dim=1)
    assert abs(flat.mean()) < 0.02  # of 26,000 numbers: three standard errors
    assert abs(flat.std() - 1) < 0.02
    assert len(flat.unique()) > 0.99 * flat.numel()
    assert torch.equal(flat[5], torch.cat([each.flatten() for each in model_of(made)._noise(2**63 - 1, 15, 1)]))
    assert not torch.equal(flat[5], torch.cat([each.flatten() for each in model_of(made)._noise(1, 15, 1)]))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("noise", ["const", "none", "random"])
def test_bfloat16_is_within_a_grey_level_on_average(monkeypatch, way, saved, noise, fast):
    monkeypatch.setattr(convolution, "fast_bfloat16", lambda: fast)  # whatever this machine has
    path = saved(seed=4)
    exact, coarse = (
        source(parameters(count=64, precision=each, noise_mode=noise), {"weights": path}).block(0, 64).images
        for each in ("f32", "bf16")
    )
    difference = np.abs(exact.astype(int) - coarse)
    assert 0 < difference.mean() < 1
    assert exact.std() > 20


@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize("noise", ["const", "random"])
def test_all_that_is_computed_with_lies_on_the_device(saved, noise, precision):
    given = parameters(noise_mode=noise, precision=precision, truncation_psi=0.5)
    made = network(given, {"weights": saved()}, Equipment(device="meta"))  # torch's device for shapes alone
    z, labels = random_inputs(made)
    w = model_of(made).generator.latents(torch.from_numpy(z).to("meta"), torch.from_numpy(labels).to("meta"))
    assert w.device.type == "meta"
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):  # the images, to the CPU
        made.images(z, labels, 0, 0)


def test_labels_choose_the_image_and_none_is_a_class_of_its_own(saved):
    made = opened(saved())
    z = np.repeat(random_inputs(made, 1)[0], 4, axis=0)
    images = made.images(z, np.array([-1, 0, 1, 2]), 0, 0)
    assert len({image.tobytes() for image in images}) == 4
    with pytest.raises(DataError, match="labels from -1 to 3: the generator has the classes 0 to 2"):
        made.images(z, np.array([-1, 0, 1, 3]), 0, 0)


def test_an_unconditional_generator_takes_no_notice_of_labels(saved):
    made = opened(saved(classes=0))
    z, _ = random_inputs(made, 4)
    assert made.classes is None
    assert np.array_equal(made.images(z, np.array([-1, 0, 5, 99]), 0, 0), made.images(z, np.full(4, -1), 0, 0))


@pytest.mark.parametrize(
    ("resolution", "channels", "step"), [(32, 512, 64), (64, 512, 16), (256, 128, 4), (1024, 32, 1), (16, 4, 64)]
)
def test_how_many_images_are_computed_together_falls_with_their_size(saved, resolution, channels, step):
    made = opened(saved(resolution=min(resolution, 16), classes=0))
    sides = (resolution // 4).bit_length()
    config = model_of(made).generator.config
    object.__setattr__(config, "channels", (channels,) * sides)  # weights of that size would take a while
    made = network_of(model_of(made))
    assert (made.size, made.step) == ((resolution, resolution), step)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("stylegan2") / "network.pkl"
    return nvidia.write(path, nvidia.snapshot(resolution=8, base=8 * WIDE, most=WIDE))


VARIANTS = [
    {},
    {"noise_mode": "random"},
    {"noise_mode": "none", "truncation_psi": 0.6, "truncation_cutoff": 2},
    {"precision": "bf16"},
    {"precision": "bf16", "noise_mode": "random", "latents": "nvidia"},
]
variants = pytest.mark.parametrize("given", VARIANTS, ids=lambda given: ",".join(map(str, given.values())) or "default")


@pytest.fixture(scope="module")
def whole(small):
    """A variant's whole set, computed once."""
    kept = {}

    def block(variant):
        key = str(variant)
        if key not in kept:
            kept[key] = made(small, **variant).block(0, COUNT)
        return kept[key]

    return block


def made(path, count=COUNT, seed=3, workers=1, **given):
    return source(parameters(count=count, seed=seed, **given), {"weights": path}, Equipment(workers=workers))


@variants
@settings(max_examples=15)
@given(count=st.integers(1, COUNT), workers=st.integers(1, 3), data=st.data())
def test_any_count_slicing_and_number_of_workers_give_the_same_bytes(small, whole, given, count, workers, data):
    start = data.draw(st.integers(0, count))
    stop = data.draw(st.integers(start, count))
    block = made(small, count, workers=workers, **given).block(start, stop)
    assert np.array_equal(block.images, whole(given).images[start:stop])
    assert block.labels.tolist() == [i % 3 for i in range(start, stop)]


@variants
@settings(max_examples=5)
@given(slices=st.lists(st.tuples(st.integers(0, COUNT - 1), st.integers(1, 70)), min_size=2, max_size=5))
def test_the_order_of_reading_changes_nothing(small, whole, given, slices):
    images = made(small, **given)
    for start, length in slices:
        stop = min(start + length, COUNT)
        assert np.array_equal(images.block(start, stop).images, whole(given).images[start:stop])


def test_all_images_differ_and_other_seeds_noise_and_weights_give_others(small, whole, saved):
    others = [made(small, seed=4), made(saved(seed=1, resolution=8, base=8 * WIDE, most=WIDE))]
    others += [made(small, noise_mode=mode) for mode in ("random", "none")]
    blocks = [whole({}).images, *(images.block(0, COUNT).images for images in others)]
    assert len({image.tobytes() for block in blocks for image in block}) == len(blocks) * COUNT


def test_nvidias_latents_are_those_of_its_generate_script(small):
    images = made(small, count=3, seed=85, latents="nvidia").block(0, 3).images
    z = np.concatenate([np.random.RandomState(seed).randn(1, 6) for seed in (85, 86, 87)])
    wanted = opened(small).images(z.astype(np.float32), np.arange(3), 85, 0)
    levels = np.clip((wanted.transpose(0, 2, 3, 1).astype(np.float64) + 1) * 127.5, 0, 255)
    assert np.abs(levels - images).max() < 0.51  # half a level, and what another batch rounds


def test_nvidias_seeds_end_at_32_bits(small):
    assert len(made(small, count=5, seed=2**32 - 5, latents="nvidia").block(0, 5).images) == 5
    with pytest.raises(DataError, match=r"here 4294967292 to 4294967296, and numpy's last one is 4294967295: set"):
        made(small, count=5, seed=2**32 - 4, latents="nvidia")


def without_average():
    snapshot = nvidia.snapshot()
    generator = snapshot["G_ema"].state
    generator["_init_kwargs"]["mapping_kwargs"]["w_avg_beta"] = None
    del generator["_modules"]["mapping"].state["_buffers"]["w_avg"]
    return snapshot


def test_truncation_needs_the_mean_intermediate_latent(tmp_path):
    path = nvidia.write(tmp_path / "network.pkl", without_average())
    assert opened(path).classes == 3
    with pytest.raises(DataError, match=r"network.pkl: has no mean .*: set `truncation_psi` to 1"):
        opened(path, truncation_psi=0.9)


def test_weights_that_give_nan_are_told(tmp_path):
    snapshot = nvidia.snapshot()
    mapping = snapshot["G_ema"].state["_modules"]["mapping"].state["_modules"]
    mapping["fc0"].state["_parameters"]["bias"].data += torch.nan
    with pytest.raises(DataError, match=r"network.pkl: the weights give NaN: train or fetch"):
        made(nvidia.write(tmp_path / "network.pkl", snapshot)).block(0, 1)
