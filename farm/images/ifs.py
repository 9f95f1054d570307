"""Random iterated function systems and their attractors. Knows affine maps and points, no pixels' colours.

Source: Kataoka et al. 2020, "Pre-training without Natural Images" (FractalDB), section 3.1: 2-7 affine
maps with coefficients uniform in [-1, 1], a map picked with probability ~ |det|, kept when the attractor
fills enough of the canvas. The chaos game is Barnsley's (1988, "Fractals Everywhere", chapter 3), here
with many orbits of many systems at once.

Only additions, multiplications, divisions and comparisons of floats in a fixed order, which IEEE 754
rounds in one way: the results are equal on every instruction set and in every batch.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.errors import DataError

Floats = NDArray[np.float32]

MAPS = 7
FEWEST_MAPS = 2
SETTLE = 16  # first steps, not drawn: from the origin onto the attractor
STEPS = 128  # drawn points of an orbit
GRID = 32  # the fill is measured on GRID x GRID, whatever the canvas, so that its cost does not grow
TRIAL_ORBITS = 64  # 8 points for each pixel of that grid
TRIED = 8  # candidates of an index tried together
ROUNDS = 128
SEARCH, DRAWING = 1, 2  # streams of random numbers of an index


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """Iterated function systems, and where their attractors lie.

    maps: float32 (n, MAPS, 6): x' = a x + b y + e, y' = c x + d y + f; unused ones have probability 0.
    bounds: float32 (n, MAPS), cumulated probabilities of the maps, the last one 1.
    low, span: float32 (n, 2), corner and extent in x and y, as far as the search saw them.
    """

    maps: Floats
    bounds: Floats
    low: Floats
    span: Floats

    def part(self, chosen: slice | NDArray[np.int64]) -> "Systems":
        """Some of the systems."""
        return Systems(maps=self.maps[chosen], bounds=self.bounds[chosen], low=self.low[chosen], span=self.span[chosen])


def stream(seed: int, purpose: int, index: int, turn: int = 0) -> np.random.Generator:
    """Random numbers that depend on the arguments alone: Philox, its counter set to turn and index."""
    key = np.array([seed, purpose], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, turn, index, 0]))


def search(seed: int, start: int, stop: int, fill: float) -> Systems:
    """The first system of each index start, ..., stop - 1 that fills at least `fill` of the canvas.

    Raises DataError if one has none among its first ROUNDS * TRIED candidates.
    """
    missing = np.arange(start, stop)
    count = stop - start
    shapes = ((count, MAPS, 6), (count, MAPS), (count, 2), (count, 2))
    maps, bounds, low, span = (np.zeros(shape, np.float32) for shape in shapes)
    for turn in range(ROUNDS):
        tried, share = _try([stream(seed, SEARCH, index, turn) for index in missing.tolist()])
        good = share.reshape(-1, TRIED) >= fill
        some = good.any(axis=1)
        kept = tried.part(np.flatnonzero(some) * TRIED + good.argmax(axis=1)[some])
        at = missing[some] - start
        maps[at], bounds[at], low[at], span[at] = kept.maps, kept.bounds, kept.low, kept.span
        missing = missing[~some]
        if not len(missing):
            return Systems(maps=maps, bounds=bounds, low=low, span=span)
    raise DataError(
        f"`fill: {fill}`: none of the first {ROUNDS * TRIED} attractors of image {missing[0]} fills so much "
        "of the canvas: set `fill` lower"
    )


def chaos_game(systems: Systems, picks: Floats) -> Floats:
    """Iterate n systems at once, each from many orbits that start at the origin.

    picks: float32 (SETTLE + steps, n, orbits), uniform in [0, 1): which map each orbit takes at each step.
    Returns float32 (3, steps, n, orbits): x, y, and a colour coordinate in [0, 1] that tells the last maps
    taken (Draves, Reckase 2008, "The Fractal Flame Algorithm", section 4).
    """
    count = len(systems.maps)
    chosen = np.zeros(picks.shape, np.int32) + np.arange(count, dtype=np.int32)[:, None] * MAPS
    for k in range(MAPS - 1):
        chosen += picks >= systems.bounds[:, k, None]
    a, b, c, d, e, f = np.ascontiguousarray(systems.maps.reshape(-1, 6).T)
    own = np.tile(np.arange(MAPS, dtype=np.float32) / np.float32(MAPS - 1), count)
    x, y, tint = np.zeros((3, *picks.shape[1:]), np.float32)
    points = np.empty((3, len(picks) - SETTLE, *picks.shape[1:]), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # a system that flies apart is refused by its fill
        for step, at in enumerate(chosen, -SETTLE):
            x, y = a[at] * x + b[at] * y + e[at], c[at] * x + d[at] * y + f[at]
            tint = (tint + own[at]) * np.float32(0.5)
            if step >= 0:
                points[:, step] = x, y, tint
    return points


def locate(points: Floats, systems: Systems, height: int, width: int) -> NDArray[np.int64]:
    """The pixel of each point, counted row by row; height * width for those outside.

    points: float32 (2 or more, steps, n, orbits), x and y first. Returns int64 (steps, n, orbits).
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        column = (points[0] - systems.low[:, 0, None]) * (np.float32(width) / systems.span[:, 0, None])
        row = (points[1] - systems.low[:, 1, None]) * (np.float32(height) / systems.span[:, 1, None])
        inside = (column >= 0) & (column <= width) & (row >= 0) & (row <= height)
        column, row = np.where(inside, column, 0), np.where(inside, row, 0)
    down, right = np.minimum(row.astype(np.int64), height - 1), np.minimum(column.astype(np.int64), width - 1)
    return np.where(inside, down * width + right, height * width)


def _try(streams: list[np.random.Generator]) -> tuple[Systems, Floats]:
    """TRIED candidates of each stream, and the share of the canvas that each fills, in [0, 1]."""
    maps, bounds, picks = (np.concatenate(part) for part in zip(*map(_candidates, streams), strict=True))
    blank = np.zeros((len(maps), 2), np.float32)
    tried = Systems(maps=maps, bounds=bounds, low=blank, span=blank)
    points = chaos_game(tried, np.ascontiguousarray(picks.transpose(1, 0, 2)))[:2]
    low, high = points.min(axis=(1, 3)).T, points.max(axis=(1, 3)).T
    with np.errstate(over="ignore", invalid="ignore"):
        tried = Systems(maps=maps, bounds=bounds, low=low, span=high - low)
    pixel = locate(points, tried, GRID, GRID) + (GRID * GRID + 1) * np.arange(len(maps))[:, None]
    hit = np.zeros((len(maps), GRID * GRID + 1), np.bool_)
    hit.ravel()[pixel.ravel()] = True
    return tried, hit[:, :-1].mean(axis=1, dtype=np.float32)


def _candidates(random: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Maps, cumulated probabilities and the trial's picks of TRIED random systems."""
    used = np.arange(MAPS) < random.integers(FEWEST_MAPS, MAPS + 1, (TRIED, 1))
    maps = random.random((TRIED, MAPS, 6), np.float32) * np.float32(2) - np.float32(1)
    weight = np.abs(maps[..., 0] * maps[..., 3] - maps[..., 1] * maps[..., 2]) * used
    summed = np.cumsum(weight, axis=1)
    picks = random.random((TRIED, SETTLE + STEPS, TRIAL_ORBITS), np.float32)
    return maps, summed / summed[:, -1:], picks
