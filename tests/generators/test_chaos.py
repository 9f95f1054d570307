"""The chaos game, its points, and what they hit."""

import itertools
import math

import numpy as np
import pytest
import torch

from farm.generators.fractal import chaos
from tests.generators.systems import APART, POINT, SIERPINSKI, joined, picks, points_of, random_systems, system


def test_the_chaos_game_gives_sierpinskis_triangle():
    x, y = points_of(system(SIERPINSKI), 100, 50)
    assert x.shape == (100, 50, 1)
    assert (x + y).max() <= 1
    assert not ((x < 0.5) & (y < 0.5) & (x + y > 0.5)).any()  # the triangle's hole
    corners = [((x < 0.5) & (y < 0.5)).sum(), (x > 0.5).sum(), (y > 0.5).sum()]
    assert min(corners) > 1200  # of 5,000 points


def test_pairs_of_maps_are_dealt_as_often_as_their_probabilities_say():
    systems = random_systems(12)
    many = 2**16
    moves = chaos.deal(systems, ((torch.arange(many) + 0.5) / many).repeat(12, 1))
    found = torch.stack((moves.along[0], moves.shift[0])).reshape(2, many, 12)
    for one in range(12):
        shares = np.diff(systems.bounds[one].double().numpy(), prepend=0)
        a, b, c, _, e, f = systems.maps[one].unbind(-1)
        along = a[:, None] * a + b[:, None] * c
        shift = a[:, None] * e + b[:, None] * f + e[:, None]
        for last, before in itertools.product(range(int(systems.many[one])), repeat=2):
            taken = (found[0, :, one] == along[last, before]) & (found[1, :, one] == shift[last, before])
            assert taken.float().mean() == pytest.approx(shares[last] * shares[before], abs=2 / many)


@pytest.mark.parametrize("pick", [0.0, 1 - 2.0**-24, 1.0])
def test_no_pick_leads_to_a_map_that_is_not_used(pick):
    systems = random_systems(500)
    moves = chaos.deal(systems, torch.full((500, 1), pick))
    tint = moves.weights[0, 0] - (1 << chaos.HIT)
    assert (tint <= 3 * (systems.many - 1)).all()
    assert (tint == (3 * (systems.many - 1) if pick else 0)).float().mean() > 0.9  # but for maps of probability 0


def test_the_chaos_game_is_that_of_a_plain_loop_to_the_last_bit():
    systems, steps, orbits = random_systems(3), 12, 4
    moves = chaos.deal(systems, picks(3, orbits))
    x, y = points_of(systems, steps, orbits)
    numbers = (moves.weights[0] - (1 << chaos.HIT)).T.tolist()
    orders = chaos._orders(orbits, torch.device("cpu")).tolist()
    for one in range(3):
        assert max(numbers[one]) > 0
        dealt = [
            [value[k, j, one] for value in (moves.along, moves.across, moves.shift) for k in (0, 1)] for j in range(4)
        ]
        places = [(np.float32(0), np.float32(0))] * orbits
        for step in range(chaos.SETTLE + steps):
            places = [places[order] for order in orders[step]]
            for j, (a, c, b, d, e, f) in enumerate(dealt):
                u, v = places[j]
                places[j] = ((a.numpy() * u + b.numpy() * v) + e.numpy(), (c.numpy() * u + d.numpy() * v) + f.numpy())
            if step >= chaos.SETTLE:
                at = step - chaos.SETTLE
                assert places == [(x[at, j, one], y[at, j, one]) for j in range(orbits)]


def test_points_of_a_system_do_not_depend_on_the_others():
    systems, chosen = random_systems(6), picks(6, 8)
    whole = next(chaos.chaos_game(chaos.deal(systems, chosen), 4)).clone()
    alone = next(chaos.chaos_game(chaos.deal(systems.part(torch.tensor([4])), chosen[4:5]), 4))
    assert torch.equal(whole[..., 4:5], alone)


def test_every_order_of_dealing_gives_each_orbit_one_pair_and_they_differ():
    orders = chaos._orders(64, torch.device("cpu"))
    assert torch.equal(orders.sort(1).values, torch.arange(64).expand_as(orders))
    assert len({tuple(order) for order in orders.tolist()}) == chaos.SETTLE + chaos.MOST_STEPS


def canvas_of(x, y, size, weight=1):
    points = torch.tensor([x, y], dtype=torch.float32).reshape(1, 2, -1, 1)
    canvas = chaos.Canvas(size, (1, len(x), 1), torch.device("cpu"))
    canvas.add(points, torch.full((1, len(x), 1), weight))
    return canvas.sums.reshape(size[0] + 2, size[1] + 2)


def test_points_become_pixels_and_those_outside_hit_the_border():
    inside = canvas_of([1.0, 1.9, 2.99], [1.0, 2.0, 3.99], (3, 2))
    assert inside.nonzero().tolist() == [[1, 1], [2, 1], [3, 2]]
    x = [0.99, 3, -1e30, 1e30, 1, 1, 1, math.inf, -math.inf, math.nan, 2**32 + 1.0, 2.0]
    y = [1, 1, 2, 2, 0.5, 4, math.inf, 2, 2, 2, 2, math.nan]
    outside = canvas_of(x, y, (3, 2))
    assert outside.sum() == len(x)
    assert outside[1:-1, 1:-1].sum() == 0


def test_an_orbit_that_flew_apart_hits_the_border():
    x, y = points_of(system(APART), 128, 5)
    assert not x[-1].isfinite().any()
    canvas = canvas_of(x[16:].flatten().tolist(), y[16:].flatten().tolist(), (4, 6))
    assert canvas[1:-1, 1:-1].sum() == 0


def test_weights_are_summed_exactly_for_each_image_and_pixel():
    random = np.random.default_rng(0)
    points, weights = random.uniform(0, 6, (4, 2, 7, 3)).astype(np.float32), random.integers(0, 2**40, (4, 7, 3))
    canvas = chaos.Canvas((4, 4), (4, 7, 3), torch.device("cpu"))
    for _ in range(2):
        canvas.add(torch.from_numpy(points), torch.from_numpy(weights))
    expected = np.zeros((3, 6, 6), np.int64)
    for step, orbit, one in np.ndindex(4, 7, 3):
        column, row = points[step, :, orbit, one].astype(int)
        expected[one, row, column] += 2 * weights[step, orbit, one]
    assert np.array_equal(canvas.sums.numpy(), expected.reshape(3, 36))


def test_frames_tell_where_an_attractor_lies_and_how_much_it_fills():
    frames, fill = chaos.frame(joined(system(SIERPINSKI), system(APART), system(POINT)))
    np.testing.assert_allclose(frames[0, :2], [0, 0], atol=0.02)
    np.testing.assert_allclose(frames[0, 2:], [1, 1], atol=0.04)
    assert fill[0] == pytest.approx(3**5 / 4**5, abs=0.05)  # the triangle on 32 x 32, of which few are missed
    assert fill[1:].tolist() == [0, 0]
