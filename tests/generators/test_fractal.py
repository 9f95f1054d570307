"""Fractals are a function of parameters, seed and index, and look as they should."""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from farm.catalog.sources import SOURCES
from farm.errors import DataError
from farm.generators.equipment import PLAIN, Equipment
from farm.generators.fractal import chaos, ifs, random_numbers, rendering, source

COUNT = 130
PARAMETERS = SOURCES["fractal"].parameters(count=COUNT, seed=3, size=(16, 16), categories=60).model_dump()
DIGEST = "67906666565867f8b00e4cd505b811a669e7ab8e21d9d149f5b8cd059e0572c6"
FLIPS = [(1, 1), (1, -1), (-1, 1), (-1, -1)]


def made(equipment=PLAIN, **changes):
    return source.source(PARAMETERS | changes, {}, equipment)


def how(**changes):
    return source.rendering_of(PARAMETERS | changes, "cpu")


def images(start=0, stop=COUNT, **changes):
    return made(**changes).block(start, stop).images


WHOLE = images()


def lit(pixels):
    """Which pixels differ from the image's background, which is the colour that most of them have."""
    found = []
    for image in pixels:
        colours, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
        found.append((image != colours[counts.argmax()]).any(axis=2))
    return np.stack(found)


def test_fractals_have_the_wanted_size_and_no_classes():
    found = made(count=3, size=[12, 20])
    block = found.block(1, 3)
    assert (len(found), found.classes) == (3, None)
    assert block.images.shape == (2, 12, 20, 3)
    assert (block.images.dtype, block.labels.dtype) == (np.uint8, np.int64)
    assert block.labels.tolist() == [-1, -1]


@pytest.mark.parametrize("points", [1, 5000, 1 << 30])
@pytest.mark.parametrize("block", [1, 7, 64])
@pytest.mark.parametrize("workers", [1, 3])
def test_blocks_memory_and_workers_change_nothing(points, block, workers, monkeypatch):
    monkeypatch.setitem(source.TOGETHER, "cpu", points)
    monkeypatch.setattr(source, "BLOCK", block)
    assert np.array_equal(made(Equipment(workers=workers), count=40).block(0, 40).images, WHOLE[:40])


@pytest.mark.parametrize(("count", "step"), [(1, 1), (256, 256), (257, 129), (300, 150), (10_000, 250)])
def test_blocks_are_of_one_length_that_leaves_little_over(count, step):
    assert made(count=count, size=(32, 32)).step == step


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_torchs_threads_change_nothing(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        whole = rendering.render(how(), 0, COUNT)  # not through `Aligned`, which takes one
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(whole, WHOLE)


def test_an_image_far_away_needs_none_before_it():
    far = 10**12
    found = made(count=far + 20)
    assert np.array_equal(found.block(far, far + 3).images, made(count=far + 3).block(far, far + 3).images)


def test_the_bytes_are_those_of_every_machine():
    """If they have to change, the stage `synthesize` needs a new version."""
    digest = hashlib.sha256(WHOLE.tobytes()).hexdigest()
    assert digest == DIGEST


@pytest.mark.slow
@pytest.mark.parametrize("instructions", ["default", "avx2"])
def test_the_bytes_are_those_of_other_instruction_sets(instructions):
    code = (
        "import hashlib, torch; from tests.generators.test_fractal import WHOLE\n"
        "print(torch.backends.cpu.get_cpu_capability().lower(), hashlib.sha256(WHOLE.tobytes()).hexdigest())"
    )
    environment = os.environ | {"ATEN_CPU_CAPABILITY": instructions}
    command = [sys.executable, "-c", code]
    found = subprocess.run(
        command, env=environment, cwd=Path(__file__).parents[2], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    if found[0] != instructions:
        pytest.skip(f"this CPU has {found[0]}")
    assert found[1] == DIGEST


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (33, 17), (224, 224)])
def test_any_size_can_be_made(size):
    found = images(0, 4, count=4, size=size)
    assert found.shape == (4, *size, 3)
    assert len({image.tobytes() for image in found}) == 4
    if min(size) > 16:
        assert lit(found).mean(axis=(1, 2)).min() > 0.1


def test_an_image_without_points_given_has_eight_a_pixel():
    assert how(points=None, size=(10, 20)).points == 1600
    few, many = (lit(images(0, 40, points=points, patches=False, blur=0)).mean() for points in (100, None))
    assert few < 0.8 * many


@pytest.mark.parametrize("points", [100, 128, 2048, 8192, 65_536, 131_073, 401_408, 2**24])
def test_as_many_points_are_stamped_as_were_asked_or_few_more(points):
    orbits, games, steps = how(points=points).game
    assert steps % chaos.STRIDE == 0
    assert steps <= chaos.MOST_STEPS
    assert points <= orbits * games * steps < 1.3 * points + 128


def test_all_images_differ_and_another_seed_gives_others():
    other = images(seed=4)
    assert len({image.tobytes() for image in (*WHOLE, *other)}) == 2 * COUNT


def test_every_image_fills_a_good_part_of_its_canvas():
    shares = lit(images(0, 60, size=(32, 32), blur=0)).mean(axis=(1, 2))
    assert shares.min() > 0.1  # a corner may be turned out of the canvas
    assert np.median(shares) > 0.3


def test_images_of_a_category_share_a_system_and_have_all_variations():
    category, variation = rendering.pairs(0, 3000, 60)
    assert category.tolist() == [i % 60 for i in range(3000)]
    assert np.bincount(variation).tolist() == [120] * ifs.VARIATIONS
    for one in range(60):
        assert np.bincount(variation[category == one]).tolist() == [2] * ifs.VARIATIONS


@pytest.mark.parametrize("categories", [1, 24, 25, 26, 1000])
def test_consecutive_images_have_all_variations(categories):
    category, variation = rendering.pairs(0, 2000, categories)
    own = variation[category == 0]
    assert len(set(own.tolist())) == min(ifs.VARIATIONS, len(own))
    assert set(variation[:50].tolist()) == set(range(ifs.VARIATIONS))


@pytest.mark.parametrize("points", [300, 200_000])
def test_hits_are_those_of_all_games(points):
    given = how(points=points, size=(9, 14))
    random = random_numbers.numbers(given.seed, rendering.LOOKS, 5, 2, rendering.POSE)
    systems, picks = rendering.on_canvas(given, random, 5, 7), rendering.picked(given, 5, 7)
    hits, tints = rendering.hits(given, systems, picks).numpy()
    orbits, games, steps = given.game
    assert picks.shape == (games, 2, orbits)
    assert hits.sum(axis=1).tolist() == [orbits * games * steps] * 2
    assert (tints >= 0).all()
    assert (tints <= hits * (1 + 1e-6)).all()
    expected = np.zeros((2, 11, 16))
    for game in range(games):
        moves = chaos.deal(systems, picks[game])
        for points_of in chaos.chaos_game(moves, steps):
            x, y = points_of.unbind(1)
            for one in range(2):
                at = y[..., one].clamp(0, 10).int().numpy(), x[..., one].clamp(0, 15).int().numpy()
                np.add.at(expected[one], at, 1)
    assert np.array_equal(hits, expected.reshape(2, -1))


def test_picks_lie_each_in_a_part_of_its_own():
    picks = rendering.picked(how(points=4096), 7, 10)
    assert picks.shape == (1, 3, 64)
    assert torch.equal((picks * 64).floor(), torch.arange(64.0).expand_as(picks))
    inner = (picks * 64) % 1
    assert len(inner.unique()) > 185
    assert inner.mean() == pytest.approx(0.5, abs=0.08)  # of 192 numbers: four standard errors


def test_images_are_flipped_four_ways():
    plain = {"categories": 1, "patches": False, "blur": 0, "rotation": 0.0, "count": 501, "points": 20_000}
    same = lit(np.stack([images(i, i + 1, **plain)[0] for i in range(0, 500, ifs.VARIATIONS)]))
    likeness = [[(one[::down, ::right] == same[0]).mean() for down, right in FLIPS] for one in same]
    assert {int(np.argmax(each)) for each in likeness} == {0, 1, 2, 3}
    assert np.max(likeness, axis=1).min() > 0.86  # the same system and other points: few pixels differ


def test_images_are_turned_by_as_much_as_is_said():
    for degrees in (0.0, 30.0, 90.0):
        assert rendering.tangent_of_half(degrees) == pytest.approx(math.tan(math.radians(degrees) / 2), rel=1e-15)
    angles = {}
    for degrees in (0.0, 30.0):
        look = how(rotation=degrees, categories=1000)
        random = random_numbers.numbers(look.seed, rendering.LOOKS, 0, 1000, rendering.POSE)
        a, b, c, d = rendering.poses(look, random)
        assert torch.allclose((a * d - b * c).abs(), torch.ones(1000, dtype=torch.float64))
        angles[degrees] = torch.rad2deg(torch.atan(c / a))
    assert (angles[0.0] == 0).all()
    assert angles[30.0].abs().max() == pytest.approx(30, abs=0.3)
    assert angles[30.0].abs().mean() == pytest.approx(15, abs=1)  # nearly uniform
    assert not np.array_equal(images(rotation=0.0), WHOLE)


def test_backgrounds_vary_over_all_colours():
    corners = images(0, 400, count=400, categories=400, background=1.0)[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    backgrounds = np.median(corners, axis=1)
    assert len(np.unique(backgrounds, axis=0)) > 350
    assert (np.percentile(backgrounds, 10, axis=0) < 50).all()
    assert (np.percentile(backgrounds, 90, axis=0) > 205).all()


def test_images_are_colourful():
    assert (np.ptp(WHOLE.astype(int), axis=3).max(axis=(1, 2)) > 30).mean() > 0.95
    shades = [len(np.unique(image.reshape(-1, 3), axis=0)) for image in WHOLE]
    assert np.median(shades) > 50


def test_patches_cover_more_than_points_do():
    alone = lit(images(patches=False, blur=0))
    stamped = lit(images(patches=True, blur=0))
    assert stamped.mean() > 1.1 * alone.mean()


@pytest.mark.parametrize("background", [0.0, 0.25])
def test_a_background_is_no_brighter_than_the_wanted(background):
    found = images(0, 60, background=background, patches=False, blur=0, points=100)
    corners = found[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.quantile(corners.max(axis=2), 0.5) <= 255 * background
    assert found.max() > 200  # the fractal itself stays as bright as it was


def test_blur_smooths():
    steps = [np.abs(np.diff(images(blur=blur).astype(int), axis=2)).mean() for blur in (0, 2, 8)]
    assert steps[0] > 1.1 * steps[1] > 1.2 * steps[2]


def test_a_fill_that_no_attractor_has_is_told(monkeypatch):
    monkeypatch.setattr("farm.generators.fractal.categories.TURNS", 2)
    with pytest.raises(DataError, match=r"`fill: 0.999`: none of the first 2 .* of category 0 .*set `fill` lower"):
        images(0, 1, fill=0.999)


class ShortOfMemory:
    """Renders as `rendering.render` does where no more than `fits` images are in memory at once."""

    def __init__(self, fits):
        self.fits, self.asked = fits, []

    def __call__(self, given, start, stop):
        self.asked.append(given.together)
        if given.together > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return rendering.render(given, start, stop)


def test_where_a_gpus_memory_is_small_fewer_images_are_in_it_and_it_is_said(monkeypatch):
    short, said = ShortOfMemory(40), []
    monkeypatch.setattr(source, "render", short)
    found = made(Equipment(say=said.append), count=400).block(0, 300).images
    assert np.array_equal(found[:COUNT], WHOLE)
    assert short.asked == [400, 200, 100, 50, 25]
    assert said[-1] == "GPU memory is too small for 50 fractals at once: going on with 25"


def test_a_gpu_that_is_too_small_for_one_image_is_told(monkeypatch):
    monkeypatch.setattr(source, "render", ShortOfMemory(0))
    with pytest.raises(DataError, match="too small for one fractal: set `size` smaller or use a CPU"):
        images()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_a_gpu_gives_the_same_bytes():
    found = made(Equipment(device="cuda")).block(0, COUNT).images
    assert np.abs(found.astype(int) - WHOLE).max() == 0
