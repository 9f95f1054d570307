"""Iterated function systems and their points."""

import numpy as np
import pytest

from farm.images import ifs


def one(maps, probabilities):
    """A single system of some maps."""
    padded = np.zeros((1, ifs.MAPS, 6), np.float32)
    padded[0, : len(maps)] = maps
    weights = np.zeros(ifs.MAPS)
    weights[: len(maps)] = probabilities
    blank = np.zeros((1, 2), np.float32)
    return ifs.Systems(maps=padded, bounds=np.cumsum(weights, dtype=np.float32)[None], low=blank, span=blank + 1)


def picks(steps, orbits, seed=0):
    return np.random.default_rng(seed).random((ifs.SETTLE + steps, 1, orbits), np.float32)


SIERPINSKI = [[0.5, 0, 0, 0.5, 0, 0], [0.5, 0, 0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5, 0, 0.5]]


def test_the_chaos_game_draws_sierpinskis_triangle():
    points = ifs.chaos_game(one(SIERPINSKI, [1 / 3] * 3), picks(100, 50))
    x, y, tint = points
    assert points.shape == (3, 100, 1, 50)
    assert (x + y).max() <= 1
    middle = (x < 0.5) & (y < 0.5) & (x + y > 0.5)  # the triangle's hole
    assert not middle.any()
    assert 0 <= tint.min() < tint.max() <= 1


def test_maps_are_picked_as_often_as_their_probabilities_say():
    system = one([[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0]], [0.25, 0.75])
    x = ifs.chaos_game(system, picks(200, 200))[0]
    assert x.mean() == pytest.approx(0.75, abs=0.01)  # four standard errors of 40,000 picks


def test_points_of_a_system_do_not_depend_on_the_others():
    systems = ifs.search(0, 0, 6, 0.2)
    drawn = np.random.default_rng(0).random((ifs.SETTLE + 20, 6, 8), np.float32)
    whole = ifs.chaos_game(systems, drawn)
    alone = ifs.chaos_game(systems.part(slice(4, 5)), drawn[:, 4:5])
    assert np.array_equal(whole[:, :, 4:5], alone)


def test_points_become_pixels_and_those_outside_are_set_apart():
    system = one([[0] * 6], [1])
    x = np.array([0, 0.49, 0.5, 1, -0.01, 1.01, np.nan, np.inf], np.float32).reshape(-1, 1, 1)
    y = np.array([0, 0, 0.99, 1, 0, 0, 0, 0], np.float32).reshape(-1, 1, 1)
    assert ifs.locate(np.stack([x, y]), system, 3, 2).ravel().tolist() == [0, 0, 5, 5, 6, 6, 6, 6]


def test_the_systems_of_an_index_do_not_depend_on_the_range_searched():
    whole, part = ifs.search(1, 0, 20, 0.2), ifs.search(1, 7, 12, 0.2)
    for name in ("maps", "bounds", "low", "span"):
        assert np.array_equal(getattr(whole, name)[7:12], getattr(part, name))


def test_systems_found_are_those_of_the_paper():
    systems = ifs.search(2, 0, 64, 0.2)
    assert np.abs(systems.maps).max() <= 1
    used = (np.diff(systems.bounds, prepend=0) > 0).sum(axis=1)
    assert used.min() >= ifs.FEWEST_MAPS
    assert used.max() <= ifs.MAPS
    determinants = np.abs(systems.maps[..., 0] * systems.maps[..., 3] - systems.maps[..., 1] * systems.maps[..., 2])
    shares = np.diff(systems.bounds, prepend=0)
    ratio = np.where(shares > 1e-3, shares / determinants, np.nan)
    spread = np.nanmax(ratio, axis=1) / np.nanmin(ratio, axis=1)
    np.testing.assert_allclose(spread, 1, rtol=1e-3)  # probability ~ |det|, in float32


@pytest.mark.parametrize("fill", [0.05, 0.4])
def test_attractors_found_fill_what_was_asked(fill):
    systems = ifs.search(0, 0, 16, fill)
    drawn = np.stack([ifs.stream(9, 9, i).random((ifs.SETTLE + 400, 64), np.float32) for i in range(16)], axis=1)
    pixel = ifs.locate(ifs.chaos_game(systems, drawn), systems, ifs.GRID, ifs.GRID)
    shares = [len(set(pixel[:, i].ravel()) - {ifs.GRID**2}) / ifs.GRID**2 for i in range(16)]
    assert min(shares) >= 0.9 * fill  # other points than the search's, three times as many


def test_streams_differ_by_seed_purpose_index_and_turn():
    changed = [(1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 1, 1), (1, 1, 2, 1), (1, 1, 1, 2)]
    assert len({ifs.stream(*arguments).random() for arguments in changed}) == 5
