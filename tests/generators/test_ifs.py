"""Iterated function systems: random ones, their variations and poses, and the random numbers they take."""

import itertools
import math

import numpy as np
import pytest
import torch

from farm.generators.fractal import chaos, ifs, random_numbers
from tests.generators.systems import SIERPINSKI, TENT, points_of, pose, random_systems, system

EVERY = torch.arange(-(2**15), 2**15).to(torch.int16)  # each random number there is


def test_random_numbers_of_an_item_need_no_others():
    whole = random_numbers.numbers(5, 1, 100, 40, 37)
    assert (whole.shape, whole.dtype) == ((40, 37), torch.int16)
    for item in (100, 117, 139):
        assert torch.equal(random_numbers.numbers(5, 1, item, 1, 37)[0], whole[item - 100])


def test_random_numbers_differ_by_seed_purpose_turn_and_item():
    asked = [(1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 1, 1), (1, 1, 2, 1), (1, 1, 1, 2)]
    numbers = [random_numbers.numbers(seed, purpose, item, 1, 16, turn) for seed, purpose, item, turn in asked]
    assert len({tuple(each[0].tolist()) for each in numbers}) == len(asked)


def test_random_numbers_are_those_of_philox_low_bits_first():
    words = np.random.Philox(key=np.array([7, 2], np.uint64), counter=[3 * 5, 4, 0, 0]).random_raw(12)
    expected = [int(word) >> shift & 0xFFFF for word in words for shift in (0, 16, 32, 48)]
    numbers = random_numbers.numbers(7, 2, 5, 1, 37, turn=4)[0].to(torch.int64) & 0xFFFF
    assert numbers.tolist() == expected[:37]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 511, 65536])
def test_numbers_below_a_limit_are_equally_frequent(limit):
    found = torch.bincount(random_numbers.below(EVERY, limit), minlength=limit)
    assert len(found) == limit
    assert found.max() - found.min() <= 1


def test_uniform_numbers_are_exact_and_below_one():
    assert torch.equal(random_numbers.uniform(EVERY).to(torch.float64), torch.arange(2**16) / 2.0**16)


def test_random_systems_are_those_of_the_paper():
    systems = random_systems(4000)
    assert systems.maps.min() == -1
    assert 0.999 < systems.maps.max() < 1
    assert systems.maps.mean().abs() < 0.005  # of 168,000 numbers: three and a half standard errors
    assert systems.many.min() == ifs.FEWEST_MAPS
    assert systems.many.max() == ifs.MAPS
    assert torch.bincount(systems.many)[2:].min() > 550  # of 667 for each of 2, ..., 7 maps: five standard errors


def test_a_maps_probability_is_its_share_of_the_determinants():
    systems = random_systems(200)
    a, b, c, d = systems.maps[..., :4].to(torch.float64).unbind(-1)
    wanted = (a * d - b * c).abs() * (torch.arange(ifs.MAPS) < systems.many[:, None])
    shares = systems.bounds.to(torch.float64).diff(dim=1, prepend=torch.zeros((200, 1), dtype=torch.float64))
    torch.testing.assert_close(shares, wanted / wanted.sum(1, keepdim=True), atol=1e-6, rtol=0)
    assert (systems.bounds[torch.arange(200), systems.many - 1] == 1).all()


def test_weight_vectors_leave_a_system_or_change_one_coefficient_of_all_maps():
    systems = random_systems(1).part(torch.zeros(ifs.VARIATIONS, dtype=torch.int64))
    ratios = ifs.varied(systems, torch.arange(ifs.VARIATIONS)).maps / systems.maps
    expected = [[1.0] * 6]
    for place, factor in itertools.product(range(6), (0.2, 0.6, 1.4, 1.8)):
        expected.append([factor if k == place else 1.0 for k in range(6)])
    assert ifs.VARIATIONS == 25
    assert torch.allclose(ratios, torch.tensor(expected)[:, None], rtol=1e-6)


@pytest.mark.parametrize("degrees", [0, 1e-3, 15, 30, 90])
def test_poses_are_rotations_by_the_angle(degrees):
    a, b, c, d = (each.item() for each in pose(degrees))
    angle = math.radians(degrees)
    assert (a, b, c, d) == pytest.approx((math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle)))


@pytest.mark.parametrize(("mirrored", "upended"), list(itertools.product((1, -1), repeat=2)))
def test_an_attractor_far_away_is_flipped_and_fills_its_canvas(mirrored, upended):
    one = system(TENT)
    maps = one.maps.clone()
    maps[0, :3, 4:] += torch.tensor([500.0, -700.0])
    one = ifs.Systems(maps=maps, bounds=one.bounds, many=one.many)
    frames, _ = chaos.frame(one)
    x, y = points_of(ifs.moved(one, frames, pose(0, mirrored, upended), (20, 40)), 64, 64)
    assert (x.min(), x.max(), y.min(), y.max()) == pytest.approx((1, 41, 1, 21), abs=1)
    tip = x[(y < 4) if upended == -1 else (y > 18)]
    assert 14 < tip.min() < 20
    assert 22 < tip.max() < 28
    lean = system([[0.5, 0, 0, 0.5, 0, 0], [0.5, 0, 0, 0.5, 0.5, 0.5]], [0.9, 0.1])
    frames, _ = chaos.frame(lean)
    x, y = points_of(ifs.moved(lean, frames, pose(0, mirrored, upended), (20, 40)), 64, 64)
    assert (x.mean() < 21) == (mirrored == 1)  # most of its points lie near the origin
    assert (y.mean() < 11) == (upended == 1)


def test_a_pose_turns_round_the_middle_of_the_canvas():
    one, place = system(SIERPINSKI), torch.tensor([[0, 0, 1, 1]])
    x, y = points_of(ifs.moved(one, place, pose(), (10, 20)), 32, 8)
    u, v = points_of(ifs.moved(one, place, pose(90), (10, 20)), 32, 8)
    np.testing.assert_allclose((u - 11) / 20, -(y - 6) / 10, atol=1e-5)
    np.testing.assert_allclose((v - 6) / 10, (x - 11) / 20, atol=1e-5)
