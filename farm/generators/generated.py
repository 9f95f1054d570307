"""Images that a generator network makes of latents. Owns latents, blocks and grey levels; knows no network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from farm.data.imageset import Block, Labels, Pixels
from farm.errors import DataError
from farm.generators.aligned import Aligned, labels, one_thread, unless_too_many
from farm.generators.equipment import Equipment
from farm.generators.streams import stream

Floats = NDArray[np.float32]
Latents = Callable[[int, int], Floats]
Classes = Callable[[int, int], Labels]

HALF = 127.5  # grey levels between 0 and the middle
TOO_SMALL = "the GPU's memory is too small for one image: use a CPU"


class Network(Protocol):
    """A generator on its device. classes: None where it is unconditional. step: images computed together."""

    @property
    def z_dim(self) -> int:
        """Length of a latent."""

    @property
    def classes(self) -> int | None:
        """How many classes it was trained with."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its images, in pixels."""

    @property
    def step(self) -> int:
        """How many images are computed together: fixed by the network, whatever the machine."""

    def images(self, z: Floats, classes: Labels, seed: int, start: int) -> Floats:
        """Images of latents; a function of its arguments alone.

        z: float32 (n, z_dim). classes: int64 (n,), -1 for none. seed, start: where image i's own random numbers,
        if it takes any, come from: seed and start + i. Returns float32 (n, 3, H, W), about [-1, 1], on the CPU.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A set of images from a network. floats: the first index of a block -> what the network makes of the block.

    labels: start, stop -> int64 (stop - start,).
    """

    network: Network
    blocks: Aligned
    floats: Callable[[int], Floats]
    labels: Classes

    @property
    def classes(self) -> int | None:
        """The number of classes; None where the network is unconditional."""
        return self.network.classes

    @property
    def note(self) -> str:
        """What must be known of the weights wherever the images are shown; empty if nothing."""
        return str(getattr(self.network, "note", ""))

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.blocks)

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1. Raises DataError if the weights give NaN, or memory is too small."""
        return Block(self.blocks.block(start, stop).images, self.labels(start, stop))

    def raw(self) -> Iterator[Floats]:
        """All images before they become grey levels, a block at a time: float32 (n, 3, H, W). Raises as `block`."""
        with one_thread():
            for base in range(0, len(self), self.network.step):
                yield self.floats(base)[: len(self) - base]


def generated(
    network: Network,
    name: str,
    count: int,
    seed: int,
    equipment: Equipment,
    latents: Latents | None = None,
    classes: Classes | None = None,
) -> Generated:
    """`count` images of a network, of which image i is a function of (network, seed, i) alone.

    name: of the weights, for messages. latents: start, stop -> float32 (stop - start, z_dim); standard normal, by
    seed and index, if None. classes: start, stop -> int64 (stop - start,), -1 for none; i mod C if None. Both are
    asked for whole blocks of the network's step, the last of which may end after `count`.
    """
    z_of = latents or (lambda start, stop: normal(seed, start, stop, network.z_dim))
    classes_of = classes or (lambda start, stop: labels(start, stop, network.classes))
    in_parts = InParts(network=network, name=name, say=equipment.say)

    def floats(base: int) -> Floats:
        stop = base + network.step
        return in_parts.images(z_of(base, stop), classes_of(base, stop), seed, base)

    blocks = Aligned(
        count=count,
        size=network.size,
        step=network.step,
        compute=lambda base: grey_levels(floats(base)),
        classes=network.classes,
        workers=equipment.workers if equipment.device == "cpu" else 1,
    )
    return Generated(network=network, blocks=blocks, floats=floats, labels=classes_of)


@dataclass(slots=True, kw_only=True)
class InParts:
    """A network that goes on with half as many images at once where a GPU's memory is too small, and says so."""

    network: Network
    name: str
    say: Callable[[str], None]
    most: int | None = None

    def images(self, z: Floats, classes: Labels, seed: int, start: int) -> Floats:
        """As `Network.images`. Raises DataError if the weights give NaN, or one image is too much for the GPU."""
        done: list[Floats] = []
        at = 0
        while at < len(z):
            many = min(self.most or len(z), len(z) - at)
            some = slice(at, at + many)
            compute = partial(self._part, z[some], classes[some], seed, start + at)
            part = unless_too_many(compute, many, "images", f"{self.name}: {TOO_SMALL}", self.say)
            if part is None:
                self.most = many // 2
                continue
            if not np.isfinite(part).all():
                raise DataError(f"{self.name}: the weights give NaN: train or fetch the checkpoint again")
            done.append(part)
            at += many
        return np.concatenate(done)

    def _part(self, z: Floats, classes: Labels, seed: int, start: int) -> Floats:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            return self.network.images(z, classes, seed, start)


def normal(seed: int, start: int, stop: int, length: int) -> Floats:
    """The latents of the images start, ..., stop - 1: float32 (n, length), standard normal."""
    return np.stack([stream(seed, index).standard_normal(length) for index in range(start, stop)]).astype(np.float32)


def grey_levels(images: Floats) -> Pixels:
    """Float images (n, 3, H, W) in [-1, 1] as uint8 (n, H, W, 3); what lies outside is cut off."""
    levels = np.rint((images.transpose(0, 2, 3, 1) + 1) * HALF)
    pixels: Pixels = np.clip(levels, 0, 255).astype(np.uint8)
    return pixels
