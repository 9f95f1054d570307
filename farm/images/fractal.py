"""Fractals in colour: calibration images without any data. Owns how points become pixels; knows no model.

Systems and points come from `ifs` (Kataoka et al. 2020). Colours are those of Draves, Reckase 2008, "The
Fractal Flame Algorithm", sections 3 and 4: a point's colour coordinate tells which maps led to it, the mean
over a pixel's points picks a colour of the image's random palette, and more points shine brighter (here
n / (n + half the mean), where Draves takes a logarithm) over a dark background.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.images import ifs
from farm.images.imageset import UNLABELLED, Block, Files, ImageSet, Parameters, Pixels, check_range

Colours = NDArray[np.float64]  # (..., 3), grey levels 0-255
Streams = list[np.random.Generator]

ALIGNED = 64  # images computed together
TOGETHER = 1 << 20  # points in memory at once, or one image's
POINTS_A_PIXEL = 8
PALETTE = 4  # colours, interpolated
DARKEST, BRIGHTEST, BACKGROUND = 32.0, 255.0, 48.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fractals:
    """Fractals by index. size: (height, width). points: drawn an image. fill: least share of the canvas."""

    count: int
    seed: int
    size: tuple[int, int]
    points: int
    fill: float
    classes: None = None

    def __len__(self) -> int:
        """How many images there are."""
        return self.count

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1, computed in whole aligned blocks.

        Image i is a function of (seed, size, points, fill, i) alone, to the byte on every machine. Raises
        DataError if an index has no attractor that fills enough.
        """
        check_range(start, stop, self.count)
        images = np.empty((stop - start, *self.size, 3), np.uint8)
        for base in range(start // ALIGNED * ALIGNED, stop, ALIGNED):
            low, high = max(start, base), min(stop, base + ALIGNED)
            if low < high:
                images[low - start : high - start] = self._aligned(base)[low - base : high - base]
        return Block(images, np.full(stop - start, UNLABELLED, np.int64))

    def _aligned(self, base: int) -> Pixels:
        """The images base, ..., base + ALIGNED - 1, as many at a time as memory should hold."""
        orbits = -(-self.points // ifs.STEPS)
        together = max(1, min(ALIGNED, TOGETHER // (orbits * ifs.STEPS)))
        systems = ifs.search(self.seed, base, base + ALIGNED, self.fill)
        images = np.empty((ALIGNED, *self.size, 3), np.uint8)
        for i in range(0, ALIGNED, together):
            some = systems.part(slice(i, i + together))
            streams = [ifs.stream(self.seed, ifs.DRAWING, base + i + k) for k in range(len(some.maps))]
            images[i : i + together] = paint(some, streams, orbits, self.size)
        return images


def source(parameters: Parameters, files: Files) -> ImageSet:  # noqa: ARG001 - every source takes both
    """`count` fractals of ``parameters["size"]`` (height, width), without classes.

    points: drawn an image; None for `POINTS_A_PIXEL` times its pixels.
    """
    height, width = parameters["size"]
    return Fractals(
        count=parameters["count"],
        seed=parameters["seed"],
        size=(height, width),
        points=parameters["points"] or POINTS_A_PIXEL * height * width,
        fill=parameters["fill"],
    )


def paint(systems: ifs.Systems, streams: Streams, orbits: int, size: tuple[int, int]) -> Pixels:
    """Draw n systems with a stream of random numbers each. Returns uint8 (n, height, width, 3)."""
    palettes, picks = zip(*(_random(stream, orbits) for stream in streams), strict=True)
    points = ifs.chaos_game(systems, np.stack(picks, axis=1))
    count, area = len(streams), size[0] * size[1]
    pixel = ifs.locate(points, systems, *size) + (area + 1) * np.arange(count)[:, None]
    hits = np.bincount(pixel.ravel(), minlength=count * (area + 1)).reshape(count, -1)[:, :area]
    tints = np.bincount(pixel.ravel(), points[2].ravel(), count * (area + 1)).reshape(count, -1)[:, :area]
    colours = _shade(np.stack(palettes), tints / np.maximum(hits, 1))
    half_mean = hits.sum(axis=1) / (2 * np.maximum((hits > 0).sum(axis=1), 1))
    glow = (hits / (hits + half_mean[:, None] + (hits == 0)))[..., None]
    background = np.stack(palettes)[:, None, 0] * (BACKGROUND / BRIGHTEST)
    images: Pixels = np.rint(background + glow * (colours - background)).astype(np.uint8)
    return images.reshape(count, *size, 3)


def _random(stream: np.random.Generator, orbits: int) -> tuple[Colours, ifs.Floats]:
    """An image's palette (1 + PALETTE, 3), its first row for the background, and its picks of maps."""
    palette = DARKEST + (BRIGHTEST - DARKEST) * stream.random((1 + PALETTE, 3))
    return palette, stream.random((ifs.SETTLE + ifs.STEPS, orbits), np.float32)


def _shade(palettes: Colours, tints: NDArray[np.float64]) -> Colours:
    """Colours (n, area, 3) of the tints (n, area) in [0, 1], between the palette's neighbours."""
    place = tints * (PALETTE - 1)
    below = np.minimum(place.astype(np.intp), PALETTE - 2)
    share = (place - below)[..., None]
    image = np.arange(len(tints))[:, None]
    colours: Colours = palettes[image, 1 + below] * (1 - share) + palettes[image, 2 + below] * share
    return colours
