"""Images that a generator network makes of latents. Owns latents, blocks and grey levels; knows no network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from farm.data.imageset import Labels, Pixels
from farm.errors import DataError
from farm.generators.aligned import Aligned, Classes, Floats, Memory, labels
from farm.generators.equipment import Equipment
from farm.generators.streams import stream

Latents = Callable[[int, int], Floats]

HALF = 127.5  # grey levels between 0 and the middle
TOO_SMALL = "the GPU's memory is too small for one image: use a CPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A generator on its device.

    z_dim: length of a latent. classes: how many it was trained with; None where it is unconditional. size: height and
    width of its images, in pixels. step: images computed together, fixed by the network, whatever the machine. note:
    what must be known of the weights wherever the images are shown.

    images: a function of its arguments alone: z, float32 (n, z_dim); classes, int64 (n,), -1 for none; seed and start,
    by which image i's own random numbers, if it takes any, are those of seed and start + i. Gives float32
    (n, 3, H, W), about [-1, 1], on the CPU.
    """

    z_dim: int
    classes: int | None
    size: tuple[int, int]
    step: int
    images: Callable[[Floats, Labels, int, int], Floats]
    note: str = ""


def generated(
    network: Network,
    name: str,
    count: int,
    seed: int,
    equipment: Equipment,
    latents: Latents | None = None,
    classes: Classes | None = None,
) -> Aligned:
    """`count` images of a network, of which image i is a function of (network, seed, i) alone.

    name: of the weights, for messages. latents: start, stop -> float32 (stop - start, z_dim); standard normal, by
    seed and index, if None. classes: start, stop -> int64 (stop - start,), -1 for none; i mod C if None. Both are
    asked for whole blocks of the network's step, the last of which may end after `count`. Reading raises DataError if
    the weights give NaN, or if one image is too much for the GPU.
    """
    z_of = latents or (lambda start, stop: normal(seed, start, stop, network.z_dim))
    classes_of = classes or (lambda start, stop: labels(start, stop, network.classes))
    memory = Memory(most=network.step, things="images", too_small=f"{name}: {TOO_SMALL}", say=equipment.say)

    def floats(base: int) -> Floats:
        z, given = z_of(base, base + network.step), classes_of(base, base + network.step)

        def in_parts(most: int) -> Floats:
            starts = range(0, network.step, most)
            return np.concatenate(
                [network.images(z[a : a + most], given[a : a + most], seed, base + a) for a in starts]
            )

        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            images = memory.fit(in_parts)
        if not np.isfinite(images).all():
            raise DataError(f"{name}: the weights give NaN: train or fetch the checkpoint again")
        return images

    return Aligned(
        count=count, size=network.size, step=network.step, compute=lambda base: grey_levels(floats(base)),
        floats=floats, classes=network.classes, labels=classes_of,
        workers=equipment.workers if equipment.device == "cpu" else 1, note=network.note,
    )  # fmt: skip


def normal(seed: int, start: int, stop: int, length: int) -> Floats:
    """The latents of the images start, ..., stop - 1: float32 (n, length), standard normal."""
    return np.stack([stream(seed, index).standard_normal(length) for index in range(start, stop)]).astype(np.float32)


def grey_levels(images: Floats) -> Pixels:
    """Float images (n, 3, H, W) in [-1, 1] as uint8 (n, H, W, 3); what lies outside is cut off."""
    levels = np.rint((images.transpose(0, 2, 3, 1) + 1) * HALF)
    pixels: Pixels = np.clip(levels, 0, 255).astype(np.uint8)
    return pixels
