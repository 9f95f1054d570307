"""Iterated function systems, their points and the categories they make."""

import itertools
import math

import numpy as np
import pytest
import torch

from farm.errors import DataError
from farm.images.fractal import categories, chaos, counted, ifs
from farm.images.fractal.categories import Categories

SIERPINSKI = [[0.5, 0, 0, 0.5, 0, 0], [0.5, 0, 0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5, 0, 0.5]]
TENT = [*SIERPINSKI[:2], [0.5, 0, 0, 0.5, 0.25, 0.5]]  # its tip is above the middle of its base
APART = [[2, 0, 0, 2, 1, 1], [-2, 0, 0, 2, 1, 1]]
POINT = [[0.5, 0, 0, 0.5, 0, 0], [0.25, 0, 0, 0.25, 0, 0]]
EVERY = torch.arange(-(2**15), 2**15).to(torch.int16)  # each random number there is


def system(maps, shares=None):
    """A single system; its maps are taken equally often unless the shares tell."""
    padded, bounds = torch.zeros((1, ifs.MAPS, ifs.COEFFICIENTS)), torch.ones((1, ifs.MAPS))
    padded[0, : len(maps)] = torch.tensor(maps)
    bounds[0, : len(maps) - 1] = torch.tensor(shares or [1 / len(maps)] * len(maps)).cumsum(0)[:-1]
    return ifs.Systems(maps=padded, bounds=bounds, many=torch.tensor([len(maps)]))


def joined(*systems):
    names = ("maps", "bounds", "many")
    return ifs.Systems(**{name: torch.cat([getattr(one, name) for one in systems]) for name in names})


def random_systems(count, seed=0):
    return ifs.candidates(counted.numbers(seed, 9, 0, count, ifs.NUMBERS))


def picks(count, orbits, seed=0):
    return torch.rand((count, orbits), generator=torch.manual_seed(seed))


def points_of(systems, steps, orbits):
    """x and y, float32 (steps, orbits, n)."""
    moves = chaos.deal(systems, picks(len(systems), orbits))
    return torch.cat([points.clone() for points in chaos.chaos_game(moves, steps)]).unbind(1)


def pose(degrees=0.0, mirrored=1, upended=1):
    tilt = torch.tensor([math.tan(math.radians(degrees) / 2)], dtype=torch.float64)
    return ifs.pose(tilt, torch.tensor([mirrored]), torch.tensor([upended]))


def held(count=20, seed=3, fill=0.2):
    return Categories(seed=seed, count=count, fill=fill, device="cpu")


def of(known, numbers, variations=None):
    numbers = np.array(numbers)
    return known.varied(numbers, np.zeros_like(numbers) if variations is None else np.array(variations))


def test_random_numbers_of_an_item_need_no_others():
    whole = counted.numbers(5, 1, 100, 40, 37)
    assert (whole.shape, whole.dtype) == ((40, 37), torch.int16)
    for item in (100, 117, 139):
        assert torch.equal(counted.numbers(5, 1, item, 1, 37)[0], whole[item - 100])


def test_random_numbers_differ_by_seed_purpose_turn_and_item():
    asked = [(1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 1, 1), (1, 1, 2, 1), (1, 1, 1, 2)]
    drawn = [counted.numbers(seed, purpose, item, 1, 16, turn) for seed, purpose, item, turn in asked]
    assert len({tuple(each[0].tolist()) for each in drawn}) == len(asked)


def test_random_numbers_are_those_of_philox_low_bits_first():
    words = np.random.Philox(key=np.array([7, 2], np.uint64), counter=[3 * 5, 4, 0, 0]).random_raw(12)
    expected = [int(word) >> shift & 0xFFFF for word in words for shift in (0, 16, 32, 48)]
    drawn = counted.numbers(7, 2, 5, 1, 37, turn=4)[0].to(torch.int64) & 0xFFFF
    assert drawn.tolist() == expected[:37]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 511, 65536])
def test_numbers_below_a_limit_are_equally_frequent(limit):
    found = torch.bincount(counted.below(EVERY, limit), minlength=limit)
    assert len(found) == limit
    assert found.max() - found.min() <= 1


def test_uniform_numbers_are_exact_and_below_one():
    assert torch.equal(counted.uniform(EVERY).to(torch.float64), torch.arange(2**16) / 2.0**16)


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
    frames = chaos.frame(one)
    x, y = points_of(ifs.moved(one, frames.low, frames.span, pose(0, mirrored, upended), (20, 40)), 64, 64)
    assert (x.min(), x.max(), y.min(), y.max()) == pytest.approx((1, 41, 1, 21), abs=1)
    tip = x[(y < 4) if upended == -1 else (y > 18)]
    assert 14 < tip.min() < 20
    assert 22 < tip.max() < 28
    lean = system([[0.5, 0, 0, 0.5, 0, 0], [0.5, 0, 0, 0.5, 0.5, 0.5]], [0.9, 0.1])
    frames = chaos.frame(lean)
    x, y = points_of(ifs.moved(lean, frames.low, frames.span, pose(0, mirrored, upended), (20, 40)), 64, 64)
    assert (x.mean() < 21) == (mirrored == 1)  # most of its points lie near the origin
    assert (y.mean() < 11) == (upended == 1)


def test_a_pose_turns_round_the_middle_of_the_canvas():
    one, place = system(SIERPINSKI), (torch.zeros((1, 2)), torch.ones((1, 2)))
    x, y = points_of(ifs.moved(one, *place, pose(), (10, 20)), 32, 8)
    u, v = points_of(ifs.moved(one, *place, pose(90), (10, 20)), 32, 8)
    np.testing.assert_allclose((u - 11) / 20, -(y - 6) / 10, atol=1e-5)
    np.testing.assert_allclose((v - 6) / 10, (x - 11) / 20, atol=1e-5)


def test_the_chaos_game_draws_sierpinskis_triangle():
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
    systems, drawn = random_systems(6), picks(6, 8)
    whole = next(chaos.chaos_game(chaos.deal(systems, drawn), 4)).clone()
    alone = next(chaos.chaos_game(chaos.deal(systems.part(torch.tensor([4])), drawn[4:5]), 4))
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
    frames = chaos.frame(joined(system(SIERPINSKI), system(APART), system(POINT)))
    np.testing.assert_allclose(frames.low[0], [0, 0], atol=0.02)
    np.testing.assert_allclose(frames.span[0], [1, 1], atol=0.04)
    assert frames.fill[0] == pytest.approx(3**5 / 4**5, abs=0.05)  # the triangle on 32 x 32, of which few are missed
    assert frames.fill[1:].tolist() == [0, 0]


@pytest.mark.parametrize("fill", [0.05, 0.2, 0.4])
def test_systems_of_categories_fill_what_was_asked(fill):
    systems, low, span = of(held(fill=fill), range(16))
    still = ifs.pose(torch.zeros(16, dtype=torch.float64), torch.ones(16), torch.ones(16))
    moves = chaos.deal(ifs.moved(systems, low, span, still, (chaos.GRID, chaos.GRID)), picks(16, 256))
    canvas = chaos.Canvas((chaos.GRID, chaos.GRID), moves.weights.shape, torch.device("cpu"))
    for points in chaos.chaos_game(moves, 64):
        canvas.add(points, moves.weights)
    hit = canvas.sums.reshape(16, chaos.GRID + 2, chaos.GRID + 2)[:, 1:-1, 1:-1] > 0
    assert (hit.sum((1, 2)) / chaos.GRID**2).min() >= 0.9 * fill  # other points than the trial's, four times as many


def test_a_category_does_not_depend_on_what_is_asked_with_it():
    whole = of(held(), range(20), range(20))
    for numbers in ([7], [19, 0, 1], [5, 5, 4, 12, 5]):
        systems, low, span = of(held(), numbers, numbers)
        assert torch.equal(systems.maps, whole[0].maps[numbers])
        assert torch.equal(systems.bounds, whole[0].bounds[numbers])
        assert torch.equal(low, whole[1][numbers])
        assert torch.equal(span, whole[2][numbers])


def test_categories_differ_and_so_do_seeds():
    systems = [of(held(seed=seed), range(20))[0].maps for seed in (3, 4)]
    assert len({each.numpy().tobytes() for part in systems for each in part}) == 40


def test_a_variation_that_fills_too_little_gives_way_to_the_category_itself():
    known, every, none = held(fill=0.3), np.arange(ifs.VARIATIONS), torch.zeros(ifs.VARIATIONS, dtype=torch.int64)
    gave_way = 0
    for category in range(10):
        plain, *_ = of(known, [category])
        systems, _, span = of(known, np.full(ifs.VARIATIONS, category), every)
        wanted = ifs.varied(plain.part(none), torch.from_numpy(every))
        fits = chaos.frame(wanted).fill >= 0.3
        assert torch.equal(systems.maps, torch.where(fits[:, None, None], wanted.maps, plain.maps))
        assert (span > 0).all()
        gave_way += int((~fits).sum())
    assert 0 < gave_way < 10 * ifs.VARIATIONS / 2


def test_what_is_found_is_not_searched_again(monkeypatch):
    searched = []
    monkeypatch.setattr(categories, "frame", lambda systems, own=chaos.frame: searched.append(1) or own(systems))
    known = held()
    first = of(known, [3, 4, 9, 3], [0, 1, 2, 0])
    assert searched
    searched.clear()
    again = of(known, [9, 3, 4, 9], [2, 0, 1, 2])
    assert not searched
    assert torch.equal(first[0].maps[[2, 0, 1, 2]], again[0].maps)
    assert known.found.sum() == 3


def test_a_fill_that_no_attractor_has_is_told(monkeypatch):
    monkeypatch.setattr(categories, "TURNS", 8)
    with pytest.raises(DataError, match=r"`fill: 0.999`: none of the first 8 .* of category 5 .*set `fill` lower"):
        of(held(fill=0.999), [5, 6])
