"""Iterated function systems: random ones, their variations, and changes of coordinates. Knows maps, no points.

From Kataoka et al. 2020 (FractalDB), section 3.1: 2-7 affine maps with coefficients uniform in [-1, 1], a map picked
with probability ~ |det|; and its 25 weight vectors, of which one leaves a system as it is and each of the others
multiplies one of the six coefficients, in all maps, by 0.2, 0.6, 1.4 or 1.8.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from farm.generators.fractal.random_numbers import LIMIT, below

MAPS = 7
FEWEST_MAPS = 2
COEFFICIENTS = 6
NUMBERS = 1 + MAPS * COEFFICIENTS  # that a random system takes
FACTORS = (0.2, 0.6, 1.4, 1.8)
VARIATIONS = 1 + COEFFICIENTS * len(FACTORS)  # weight vectors; the first is all ones

Matrix = tuple[Tensor, Tensor, Tensor, Tensor]  # row by row


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """n iterated function systems.

    maps: float32 (n, MAPS, COEFFICIENTS): x' = a x + b y + e, y' = c x + d y + f. many: int64 (n,), how many are used.
    bounds: float32 (n, MAPS), the maps' cumulated probabilities; 1 from the last map that is used.
    """

    maps: Tensor
    bounds: Tensor
    many: Tensor

    def __len__(self) -> int:
        return len(self.maps)

    def part(self, chosen: Tensor) -> "Systems":
        """Some of the systems, by indices or by a mask."""
        return Systems(maps=self.maps[chosen], bounds=self.bounds[chosen], many=self.many[chosen])


def candidates(random: Tensor) -> Systems:
    """Random systems, whose coefficients are multiples of 2**-15. random: int16 (n, NUMBERS)."""
    many = FEWEST_MAPS + below(random[:, 0], MAPS + 1 - FEWEST_MAPS)
    maps = random[:, 1:].reshape(-1, MAPS, COEFFICIENTS).to(torch.float32) / (LIMIT // 2)
    a, b, c, d = maps[..., :4].unbind(-1)
    weights = (a * d - b * c).abs() * (torch.arange(MAPS, device=maps.device) < many[:, None])
    summed = [weights[:, 0]]
    for k in range(1, MAPS):  # a cumulated sum whose order is fixed
        summed.append(summed[-1] + weights[:, k])
    total = torch.where(summed[-1] > 0, summed[-1], 1)
    return Systems(maps=maps, bounds=torch.stack([part / total for part in summed], dim=1), many=many)


def varied(systems: Systems, variations: Tensor) -> Systems:
    """Each system with a weight vector. variations: int64 (n,), in [0, VARIATIONS). Probabilities stay."""
    vectors = torch.ones((VARIATIONS, COEFFICIENTS))
    for k in range(COEFFICIENTS):
        vectors[1 + k * len(FACTORS) : 1 + (k + 1) * len(FACTORS), k] = torch.tensor(FACTORS)
    weights = vectors.to(systems.maps.device)[variations]
    return replace(systems, maps=systems.maps * weights[:, None])


def moved(systems: Systems, frames: Tensor, pose: Matrix, size: tuple[int, int]) -> Systems:
    """The systems in a canvas's coordinates: the attractor in its frame becomes a square, is rotated, and is stretched.

    frames: float32 (n, 4), low and span in x and y. pose: orthogonal matrices, float64 (n,) each.
    size: (height, width); the canvas is [1, width + 1] x [1, height + 1], with a border of one pixel around it.
    Computed in float64, because an attractor may lie far from the origin.
    """
    height, width = torch.tensor(size, dtype=torch.float64, device=frames.device)
    p, q, r, s = pose
    low, span = torch.split(frames.to(torch.float64), 2, dim=1)
    wide, high = span.unbind(1)
    there = _columns(width * p / wide, width * q / high, height * r / wide, height * s / high)
    back = _columns(wide * p / width, wide * r / height, high * q / width, high * s / height)
    x, y = (low + span / 2)[:, None].unbind(2)
    a, b, c, d, e, f = systems.maps.to(torch.float64).unbind(-1)
    image = _applied((a, b, c, d), x, y)
    shift = _applied(there, image[0] + e - x, image[1] + f - y)
    matrix = _product(_product(there, (a, b, c, d)), back)
    centre = (1 + width / 2, 1 + height / 2)
    pulled = _applied(matrix, *centre)
    e, f = (shift[k] + centre[k] - pulled[k] for k in range(2))
    return replace(systems, maps=torch.stack((*matrix, e, f), dim=-1).to(torch.float32))


def pose(tilt: Tensor, mirrored: Tensor, upended: Tensor) -> Matrix:
    """Flips, then a rotation, without a sine: cos = (1 - t^2) / (1 + t^2), sin = 2 t / (1 + t^2), t = tan(angle / 2).

    tilt: t, float64 (n,). mirrored, upended: 1 or -1, the sign of x and of y. Returns orthogonal matrices, float64.
    """
    cosine, sine = (1 - tilt * tilt) / (1 + tilt * tilt), 2 * tilt / (1 + tilt * tilt)
    return cosine * mirrored, -sine * upended, sine * mirrored, cosine * upended


def _columns(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Matrix:
    return a[:, None], b[:, None], c[:, None], d[:, None]


def _product(left: Matrix, right: Matrix) -> Matrix:
    (a, b, c, d), (p, q, r, s) = left, right
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s


def _applied(matrix: Matrix, x: Tensor | float, y: Tensor | float) -> tuple[Tensor, Tensor]:
    a, b, c, d = matrix
    return a * x + b * y, c * x + d * y
