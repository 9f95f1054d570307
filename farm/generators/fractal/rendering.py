"""From the index of an image to its pixels, for many images at once. Knows no sets and no memory's limits."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from farm.data.imageset import Pixels
from farm.generators.fractal import chaos, colouring, ifs
from farm.generators.fractal.categories import Categories, Indices
from farm.generators.fractal.chaos import HIT, Canvas
from farm.generators.fractal.ifs import Systems
from farm.generators.fractal.random_numbers import numbers, uniform

LOOKS, PICKS = 2, 3  # purposes of random numbers
STEPS = 64  # points of an orbit, if the orbits suffice
ORBITS = (32, 4096)  # of an image, at least and at most
POSE = 3  # numbers that a rotation and two flips take
TAN_TERMS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """How the images of a set are made.

    size: (height, width). points: of an image, rounded up to whole orbits. rotation: the greatest, in degrees.
    patches: each point is a pattern of 3x3 pixels. blur: the most passes of it. background: its greatest brightness,
    in [0, 1]. together: images whose points are in memory at once. device: torch's name.
    """

    categories: Categories
    seed: int
    size: tuple[int, int]
    points: int
    rotation: float
    patches: bool
    blur: int
    background: float
    together: int
    device: str

    @property
    def game(self) -> tuple[int, int, int]:
        """How the points of an image are made: orbits, games with picks of their own, and steps in each."""
        least, most = ORBITS
        orbits = max(least, min(most, -(-self.points // STEPS)))
        steps = -(-self.points // orbits)
        games = -(-steps // chaos.MOST_STEPS)
        return orbits, games, -(-steps // (games * chaos.STRIDE)) * chaos.STRIDE


@torch.inference_mode()
def render(rendering: Rendering, start: int, stop: int) -> Pixels:
    """The images start, ..., stop - 1: uint8 (n, height, width, 3). Raises DataError as `Categories.varied`."""
    random = numbers(rendering.seed, LOOKS, start, stop - start, POSE + colouring.NUMBERS).to(rendering.device)
    looks = colouring.looks(random[:, POSE:], rendering.patches, rendering.blur, rendering.background)
    systems, picks = on_canvas(rendering, random[:, :POSE], start, stop), picked(rendering, start, stop)
    images = np.empty((stop - start, *rendering.size, 3), np.uint8)
    order = looks.passes.argsort(descending=True, stable=True)
    for at in range(0, stop - start, rendering.together):
        some = order[at : at + rendering.together]
        counts = hits(rendering, systems.part(some), picks[:, some])
        images[some.cpu().numpy()] = colouring.paint(counts, looks.part(some), rendering.size)
    return images


def pairs(start: int, stop: int, categories: int) -> tuple[Indices, Indices]:
    """Category, i mod `categories`, and variation of the images start, ..., stop - 1; those of one take all in turn."""
    index = np.arange(start, stop)
    category = index % categories
    return category, (category + index // categories) % ifs.VARIATIONS


def tangent_of_half(degrees: float) -> float:
    """tan(angle / 2) of 0 to 90 degrees by Lambert's continued fraction; the C library's differs by machine."""
    half = degrees * math.pi / 360
    rest = float(2 * TAN_TERMS + 1)
    for odd in range(2 * TAN_TERMS - 1, 0, -2):
        rest = odd - half * half / rest
    return half / rest


def poses(rendering: Rendering, random: Tensor) -> ifs.Matrix:
    """Each image's flips and rotation. random: int16 (n, POSE)."""
    tilt = (uniform(random[:, 0]).to(torch.float64) * 2 - 1) * tangent_of_half(rendering.rotation)
    mirrored, upended = (torch.where(random[:, k] < 0, -1, 1) for k in (1, 2))
    return ifs.pose(tilt, mirrored, upended)


def on_canvas(rendering: Rendering, random: Tensor, start: int, stop: int) -> Systems:
    """The images' systems, varied, flipped, rotated and in the canvas's coordinates. random: int16 (n, POSE)."""
    systems, frames = rendering.categories.varied(*pairs(start, stop, rendering.categories.count))
    return ifs.moved(systems, frames, poses(rendering, random), rendering.size)


def picked(rendering: Rendering, start: int, stop: int) -> Tensor:
    """Picks of pairs of maps: float32 (games, n, orbits), one in each of as many equal parts of [0, 1] as orbits."""
    orbits, games, _ = rendering.game
    random = [numbers(rendering.seed, PICKS, start, stop - start, orbits, game) for game in range(games)]
    strata = torch.arange(orbits, device=rendering.device)
    return (uniform(torch.stack(random).to(rendering.device)) + strata) / torch.full_like(strata, orbits)


def hits(rendering: Rendering, systems: Systems, picks: Tensor) -> Tensor:
    """How often each pixel is hit, and the sums of the points' tints in [0, 1]: float32 (2, n, area)."""
    _, games, steps = rendering.game
    canvas = Canvas(rendering.size, (chaos.STRIDE, picks.shape[2], len(systems)), picks.device)
    for game in range(games):
        moves = chaos.deal(systems, picks[game])
        for points in chaos.chaos_game(moves, steps):
            canvas.add(points, moves.weights)
    both = picks.new_empty((2, *canvas.sums.shape))
    both[0].copy_(canvas.sums >> HIT)
    both[1].copy_(canvas.sums & ((1 << HIT) - 1)).div_(3 * (systems.many[:, None] - 1))
    return both
