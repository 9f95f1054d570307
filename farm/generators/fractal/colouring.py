"""From hits to pixels: patches, colours, background and blur. Knows counts of points, not where they come from.

As in Draves, Reckase 2008, "The Fractal Flame Algorithm", sections 3 and 4, a point has a tint that tells which maps
led to it; the mean tint of a pixel's points picks a colour of the image's own ramp between `COLOURS` random ones. n
points cover n / (n + mean / 8) of the background, where Draves takes a logarithm. A point becomes the image's own
pattern of 3x3 pixels (FractalDB's patches), and the image is blurred by passes of (1, 2, 1) / 4 in both directions.

Canvases are flat, row by row, with a border of one pixel, all behind one another: so a shift by rows and columns is one
shift of a vector, and what it moves from one row or canvas to the next is border, which is kept zero.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from farm.data.imageset import Pixels
from farm.generators.fractal.random_numbers import below, uniform

COLOURS = 4
SHADES = 20  # between two of them
WHITE = 255.0
PATCH = 3  # pixels a side
PATTERNS = 2 ** (PATCH * PATCH)
NUMBERS = 3 * COLOURS + 3 + 2  # that an image's look takes


class Looks(NamedTuple):
    """How n images look.

    ramp: float32 (n, 3, shades), grey levels 0-255. background: float32 (n, 3, 1). pattern: int64 (n,), a bit for each
    pixel of a patch. passes: int64 (n,), of the blur.
    """

    ramp: Tensor
    background: Tensor
    pattern: Tensor
    passes: Tensor

    def part(self, chosen: Tensor) -> "Looks":
        """Some of the looks, by indices."""
        return Looks(*(values[chosen] for values in self))


def looks(random: Tensor, patches: bool, blur: int, background: float = 1.0) -> Looks:
    """Random looks, of int16 (n, NUMBERS). The rest: as in `rendering.Rendering`."""
    palette = (uniform(random[:, : 3 * COLOURS + 3]) * WHITE).reshape(-1, COLOURS + 1, 3, 1)
    steps = torch.arange(SHADES, device=random.device)
    share = steps / torch.full_like(steps, SHADES)
    ramp = [palette[:, k] + (palette[:, k + 1] - palette[:, k]) * share for k in range(COLOURS - 1)]
    pattern = 1 + below(random[:, -2], PATTERNS - 1)
    centre = torch.full_like(pattern, 1 << PATCH * PATCH // 2)
    return Looks(
        ramp=torch.cat((*ramp, palette[:, COLOURS - 1]), dim=2),
        background=palette[:, COLOURS] * background,
        pattern=pattern if patches else centre,
        passes=below(random[:, -1], blur + 1),
    )


def paint(counts: Tensor, given: Looks, size: tuple[int, int]) -> Pixels:
    """Images of hits.

    counts: float32 (2, n, area), of canvases with their border, written over: how often pixels were hit, and the sums
    of those points' tints, which lie in [0, 1]. given: their passes in descending order. size: (height, width) without
    the border. Returns uint8 (n, height, width, 3).
    """
    height, width = size
    inside = torch.nn.functional.pad(torch.ones(size, device=counts.device), (1, 1, 1, 1)).flatten()
    hits, tints = stamped(counts.mul_(inside), given.pattern, width + 2).mul_(inside)
    layers = coloured(tints.div_(hits.clamp(min=1)), hits / _faint(hits).add(hits), given)
    blurred(layers, given.passes, width + 2, inside / 16)
    levels = layers.add_(given.background + 0.5).to(torch.uint8).cpu().numpy()
    images = np.empty((len(levels), height, width, 3), np.uint8)
    for channel in range(3):
        images[..., channel] = levels[:, channel].reshape(-1, height + 2, width + 2)[:, 1:-1, 1:-1]
    return images


def stamped(canvases: Tensor, pattern: Tensor, wide: int) -> Tensor:
    """Each hit as a pattern of pixels around it.

    canvases: float32 (k, n, area), their border zero; rows of `wide` pixels. pattern: int64 (n,), bit 3 (dy + 1) + dx
    + 1 set for the pixel at (dy, dx). Returns the same shape, the border written too.
    """
    reach = wide + 1
    flat = torch.nn.functional.pad(canvases.flatten(), (reach, reach))
    patches = torch.zeros_like(canvases)
    for bit in range(PATCH * PATCH):
        down, right = (offset - 1 for offset in divmod(bit, PATCH))
        first = reach - down * wide - right
        there = (pattern >> bit & 1).to(torch.float32)
        # a product with 0 or 1 is exact, and so the same fused or not
        patches.addcmul_(flat[first : first + patches.numel()].view_as(patches), there[:, None])
    return patches


def coloured(places: Tensor, cover: Tensor, given: Looks) -> Tensor:
    """How far pixels' colours are from the background.

    places: float32 (n, area), on the ramp, in [0, 1]. cover: the same shape, how much of the background is covered.
    Returns float32 (n, 3, area).
    """
    shades = given.ramp.shape[2]
    first = shades * torch.arange(len(places), dtype=torch.int32, device=places.device)
    at = places.mul_(shades - 1).add_(0.5).to(torch.int32).add_(first[:, None]).to(torch.int64).view(-1)
    ramps = (given.ramp - given.background).transpose(0, 1).reshape(3, -1)
    layers, offset = places.new_empty((len(places), 3, places.shape[1])), torch.empty_like(places)
    for channel in range(3):
        torch.index_select(ramps[channel], 0, at, out=offset.view(-1))
        torch.mul(offset, cover, out=layers[:, channel])
    return layers


def blurred(layers: Tensor, passes: Tensor, wide: int, inside: Tensor) -> None:
    """Blur images by so many passes of (1, 2, 1) / 4 along both axes, in place.

    layers: float32 (n, k, area), their border zero. passes: int64 (n,), descending. inside: float32 (area,), 1 / 16,
    but 0 on the border.
    """
    for done in range(int(passes[0])):
        some = layers[: int((passes > done).sum())]
        across = _summed(some.flatten(), 1)
        torch.mul(_summed(across, wide).view_as(some), inside, out=some)


def _summed(flat: Tensor, step: int) -> Tensor:
    """Twice each pixel and its neighbours on both sides."""
    summed = flat * 2
    summed[step:] += flat[:-step]
    summed[:-step] += flat[step:]
    return summed


def _faint(hits: Tensor) -> Tensor:
    """An eighth of the mean hits of the pixels that are hit: (n, 1). The sums are exact, hits being whole numbers."""
    lit = hits.clamp(max=1).sum(1, keepdim=True, dtype=torch.float64).clamp(min=1)
    mean: Tensor = hits.sum(1, keepdim=True, dtype=torch.float64).clamp(min=1) / (8 * lit)
    return mean.to(torch.float32)
