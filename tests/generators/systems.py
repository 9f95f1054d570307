"""Iterated function systems to test with, and their points."""

import math

import torch

from farm.generators.fractal import chaos, ifs, random_numbers

SIERPINSKI = [[0.5, 0, 0, 0.5, 0, 0], [0.5, 0, 0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5, 0, 0.5]]
TENT = [*SIERPINSKI[:2], [0.5, 0, 0, 0.5, 0.25, 0.5]]  # its tip is above the middle of its base
APART = [[2, 0, 0, 2, 1, 1], [-2, 0, 0, 2, 1, 1]]
POINT = [[0.5, 0, 0, 0.5, 0, 0], [0.25, 0, 0, 0.25, 0, 0]]


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
    return ifs.candidates(random_numbers.numbers(seed, 9, 0, count, ifs.NUMBERS))


def picks(count, orbits, seed=0):
    return torch.rand((count, orbits), generator=torch.manual_seed(seed))


def points_of(systems, steps, orbits):
    """x and y, float32 (steps, orbits, n)."""
    moves = chaos.deal(systems, picks(len(systems), orbits))
    return torch.cat([points.clone() for points in chaos.chaos_game(moves, steps)]).unbind(1)


def pose(degrees=0.0, mirrored=1, upended=1):
    tilt = torch.tensor([math.tan(math.radians(degrees) / 2)], dtype=torch.float64)
    return ifs.pose(tilt, torch.tensor([mirrored]), torch.tensor([upended]))
