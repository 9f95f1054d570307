"""Categories of fractals: their systems, variations, and what is remembered."""

import numpy as np
import pytest
import torch

from farm.errors import DataError
from farm.generators.fractal import categories, chaos, ifs
from farm.generators.fractal.categories import Categories
from tests.generators.systems import picks


def held(count=20, seed=3, fill=0.2):
    return Categories(seed=seed, count=count, fill=fill, device="cpu")


def of(known, numbers, variations=None):
    numbers = np.array(numbers)
    return known.varied(numbers, np.zeros_like(numbers) if variations is None else np.array(variations))


@pytest.mark.parametrize("fill", [0.05, 0.2, 0.4])
def test_systems_of_categories_fill_what_was_asked(fill):
    systems, frames = of(held(fill=fill), range(16))
    still = ifs.pose(torch.zeros(16, dtype=torch.float64), torch.ones(16), torch.ones(16))
    moves = chaos.deal(ifs.moved(systems, frames, still, (chaos.GRID, chaos.GRID)), picks(16, 256))
    canvas = chaos.Canvas((chaos.GRID, chaos.GRID), moves.weights.shape, torch.device("cpu"))
    for points in chaos.chaos_game(moves, 64):
        canvas.add(points, moves.weights)
    hit = canvas.sums.reshape(16, chaos.GRID + 2, chaos.GRID + 2)[:, 1:-1, 1:-1] > 0
    assert (hit.sum((1, 2)) / chaos.GRID**2).min() >= 0.9 * fill  # other points than the trial's, four times as many


def test_a_category_does_not_depend_on_what_is_asked_with_it():
    whole = of(held(), range(20), range(20))
    for numbers in ([7], [19, 0, 1], [5, 5, 4, 12, 5]):
        systems, frames = of(held(), numbers, numbers)
        assert torch.equal(systems.maps, whole[0].maps[numbers])
        assert torch.equal(systems.bounds, whole[0].bounds[numbers])
        assert torch.equal(frames, whole[1][numbers])


def test_categories_differ_and_so_do_seeds():
    systems = [of(held(seed=seed), range(20))[0].maps for seed in (3, 4)]
    assert len({each.numpy().tobytes() for part in systems for each in part}) == 40


def test_a_variation_that_fills_too_little_gives_way_to_the_category_itself():
    known, every, none = held(fill=0.3), np.arange(ifs.VARIATIONS), torch.zeros(ifs.VARIATIONS, dtype=torch.int64)
    gave_way = 0
    for category in range(10):
        plain, *_ = of(known, [category])
        systems, frames = of(known, np.full(ifs.VARIATIONS, category), every)
        wanted = ifs.varied(plain.part(none), torch.from_numpy(every))
        fits = chaos.frame(wanted)[1] >= 0.3
        assert torch.equal(systems.maps, torch.where(fits[:, None, None], wanted.maps, plain.maps))
        assert (frames[:, 2:] > 0).all()
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
    assert known.searched.sum() == 3


def test_a_fill_that_no_attractor_has_is_told(monkeypatch):
    monkeypatch.setattr(categories, "TURNS", 8)
    with pytest.raises(DataError, match=r"`fill: 0.999`: none of the first 8 .* of category 5 .*set `fill` lower"):
        of(held(fill=0.999), [5, 6])
