"""The chaos game: points of attractors, where these lie, and how much of a canvas they fill. Knows no colours.

From Barnsley 1988, "Fractals Everywhere", chapter 3. Many orbits of many systems go on at once, by two maps at a
time: an image has as many random pairs of maps as orbits, dealt to the orbits anew at each step, in an order that is
random and the same for all images. So nothing has to be looked up for a single point.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from farm.generators.fractal.ifs import MAPS, Systems

SETTLE = 8  # first steps, not used: from the origin onto the attractor
STRIDE = 4  # steps whose points are handed on at once
MOST_STEPS = 128  # used; the orders of dealing would repeat after these, and the points with them
FAR = 1e6  # an orbit that comes there flies apart
NEAR = 1e-4  # an attractor that is smaller is a point to float32
GRID = 32  # the fill is measured on GRID x GRID, whatever the canvas, so that its cost does not grow
TRIAL_ORBITS, TRIAL_STEPS = 128, 32  # 4 points for each pixel of that grid
HIT = 32  # bits for a sum of tints, below the count of hits


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Pairs of maps for the orbits of n images, made one map each.

    along, across, shift: float32 (2, orbits, n): new x, y = along * x + across * y + shift. weights: int64
    (STRIDE, orbits, n), a hit in the bits from HIT on, and below it a tint that tells the maps: the last one twice, and
    the one before.
    """

    along: Tensor
    across: Tensor
    shift: Tensor
    weights: Tensor


def deal(systems: Systems, picks: Tensor) -> Moves:
    """Pairs of maps by their probabilities. picks: float32 (n, orbits), in [0, 1], ascending or not."""
    pair = torch.searchsorted(_pair_bounds(systems.bounds), picks, right=True)
    count, orbits = pair.shape
    at = (pair + MAPS * MAPS * torch.arange(count, device=pair.device)[:, None]).T.contiguous()
    taken = torch.empty((6, orbits, count), device=pair.device)
    for plane, target in zip(_pairs(systems.maps), taken, strict=True):
        torch.index_select(plane.flatten(), 0, at.view(-1), out=target.view(-1))
    number = torch.arange(MAPS, device=pair.device)
    weights = (number[:, None] * 2 + number + (1 << HIT)).repeat(count, 1).flatten().index_select(0, at.view(-1))
    return Moves(
        along=taken[:2],
        across=taken[2:4],
        shift=taken[4:],
        weights=weights.view(orbits, count).expand(STRIDE, orbits, count).contiguous(),
    )


def _pair_bounds(bounds: Tensor) -> Tensor:
    """Cumulated probabilities of pairs of maps, last map first: float32 (n, MAPS**2), above 1 from the last used."""
    edges = torch.nn.functional.pad(bounds, (1, 0))[:, :-1]
    cumulated = edges[..., None] + (bounds - edges)[..., None] * bounds[:, None]
    beyond = (edges >= 1)[..., None] | ((bounds >= 1)[..., None] & (bounds >= 1)[:, None])
    return torch.where(beyond, 2, cumulated).flatten(1)


def _pairs(maps: Tensor) -> tuple[Tensor, ...]:
    """Each map after each, (n, MAPS, MAPS), the last one first: a, c, b, d, e, f of a x + b y + e, c x + d y + f."""
    planes = maps.permute(2, 0, 1).contiguous()
    a, b, c, d, e, f = planes[..., None]
    p, q, r, s, t, u = planes[:, :, None]
    return a * p + b * r, c * p + d * r, a * q + b * s, c * q + d * s, a * t + b * u + e, c * t + d * u + f


def chaos_game(moves: Moves, steps: int) -> Iterator[Tensor]:
    """Iterate n systems at once, each from many orbits that start at the origin.

    steps: at most MOST_STEPS, a multiple of STRIDE. Yields float32 (STRIDE, 2, orbits, n), the x and y of so many steps
    after the first SETTLE; they are overwritten by the next ones. Points of orbits that fly apart become inf or NaN.
    """
    points = moves.shift.new_zeros((STRIDE, *moves.shift.shape))
    places, old, partly = points.unbind(), torch.empty_like(moves.shift), torch.empty_like(moves.shift)
    x, y = old
    for step, order in enumerate(_orders(old.shape[1], old.device)[: SETTLE + steps].unbind()):
        torch.index_select(places[(step - 1) % STRIDE], 1, order, out=old)
        place = torch.mul(moves.along, x, out=places[step % STRIDE])
        torch.mul(moves.across, y, out=partly)
        place.add_(partly).add_(moves.shift)
        if step >= SETTLE and (step + 1) % STRIDE == 0:
            yield points


class Canvas:
    """Sums of the weights of points that hit a pixel, for n images; exact, in whatever order they are added.

    size: (height, width); a border of one pixel around it takes what lies outside. shape: (STRIDE, orbits, n), of the
    weights. sums: int64 (n, area).
    """

    def __init__(self, size: tuple[int, int], shape: tuple[int, ...], device: torch.device) -> None:
        self.height, self.width = size
        area = (self.height + 2) * (self.width + 2)
        self.first = (area * torch.arange(shape[2], dtype=torch.int32, device=device)).expand(shape).contiguous()
        self.pixels = torch.stack((self.first, self.first), dim=1)
        self.bins = self.first.to(torch.int64)
        self.sums = torch.zeros((shape[2], area), dtype=torch.int64, device=device)

    def add(self, points: Tensor, weights: Tensor) -> None:
        """Add points, float32 (STRIDE, 2, orbits, n), x and y as in `ifs.moved`, with weights, int64.

        Numbers that are not finite, or too great for an int32, become the least or the greatest one, or 0: the border.
        """
        column, row = self.pixels.copy_(points).unbind(1)
        row.clamp_(0, self.height + 1)
        column.clamp_(0, self.width + 1).add_(row, alpha=self.width + 2).add_(self.first)
        self.sums.view(-1).scatter_add_(0, self.bins.copy_(column).view(-1), weights.view(-1))


def frame(systems: Systems) -> tuple[Tensor, Tensor]:
    """Where attractors lie and what they fill, as far as a trial shows, whose picks are the same for all.

    Returns frames, float32 (n, 4), low and span in x, y, and fills, float32 (n,), in [0, 1]: 0 where an orbit flies
    apart, or where the attractor is a point or lies on a line along an axis.
    """
    device = systems.maps.device
    picks = (torch.arange(TRIAL_ORBITS, device=device) + 0.5) / TRIAL_ORBITS
    moves = deal(systems, picks.repeat(len(systems), 1))
    seen = [points.clone() for points in chaos_game(moves, TRIAL_STEPS)]
    low = torch.stack([points.amin(0).amin(1) for points in seen]).amin(0)
    high = torch.stack([points.amax(0).amax(1) for points in seen]).amax(0)
    span = high - low
    sound = ((low > -FAR) & (high < FAR) & (span > NEAR)).all(0)  # false for NaN
    scale = GRID / span
    canvas = Canvas((GRID, GRID), moves.weights.shape, device)
    for points in seen:
        canvas.add(points.sub_(low[:, None]).mul_(scale[:, None]).add_(1), moves.weights)
    inside = canvas.sums.reshape(-1, GRID + 2, GRID + 2)[:, 1:-1, 1:-1]
    fill = (inside > 0).sum((1, 2)).to(torch.float32) / GRID**2
    return torch.cat((low, span)).T.contiguous(), fill * sound


@cache
def _orders(orbits: int, device: torch.device) -> Tensor:
    """The orders in which picks are dealt, step by step: int64 (SETTLE + MOST_STEPS, orbits), permutations."""
    shape = (SETTLE + MOST_STEPS, orbits)
    words = np.random.Philox(key=np.zeros(2, np.uint64)).random_raw(shape)
    return torch.from_numpy(np.argsort(words, axis=1, kind="stable")).to(device)
