"""What a student learns from: a teacher's images, all in memory as uint8, and their latents where it gives them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from farm.data import folder, imageset, parquet, sampling, setfolder, shards
from farm.data.imageset import BLOCK, Block, Computed, ImageSet, cuts
from farm.errors import DataError
from farm.generators import aligned, latents
from farm.generators.distylegan.network import SIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """images: uint8 (n, 3, 32, 32). labels: int64 (n,), from 0 to classes - 1. z: float32 (n, z_dim) or None."""

    images: Tensor
    labels: Tensor
    classes: int
    z: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: str) -> "Teacher":
        """All of it on a device, whose memory it must fit."""
        z = None if self.z is None else self.z.to(device)
        return replace(self, images=self.images.to(device), labels=self.labels.to(device), z=z)


def read(path: Path, made_of: Path | None = None) -> Teacher:
    """The images of a folder or file, and the latents that they were made of.

    path: an image folder, a Parquet file, or a folder that `farm synth` wrote. made_of: an ``.npz`` with ``z``
    (n, z_dim), row i of image i, as given to ``farm synth --latents``; without ``labels`` of class i mod C. Raises
    DataError if an image has another size or no class, or the latents are not those of these images in their order.
    """
    images = _opened(path)
    pixels, labels = _in_memory(images, path)
    if len(labels) < 1 or labels.min() < 0:
        raise DataError(f"{path}: an image without a class: a class-conditional student needs the class of each image")
    classes = images.classes or int(labels.max()) + 1
    z = None if made_of is None else torch.from_numpy(_latents(made_of, labels, classes))
    return Teacher(images=torch.from_numpy(pixels), labels=torch.from_numpy(labels), classes=classes, z=z)


def as_set(teacher: Teacher) -> ImageSet:
    """The same images, for who knows no teacher."""

    def read(start: int, stop: int) -> Block:
        images = teacher.images[start:stop].cpu().permute(0, 2, 3, 1)
        return Block(images.contiguous().numpy(), teacher.labels[start:stop].cpu().numpy())

    return Computed(count=len(teacher), read=read, classes=teacher.classes)


def sample(teacher: Teacher, most: int, seed: int) -> ImageSet:
    """At most so many images, as many of each class as the scarcest allows; of a teacher that lacks a class, any."""
    labels, whole = teacher.labels.cpu().numpy(), as_set(teacher)
    has = np.bincount(labels, minlength=teacher.classes)
    if not has.all():
        return sampling.sample(whole, None, min(most, len(teacher)), seed)
    return sampling.sample(whole, labels, min(most, teacher.classes * int(has.min())), seed)


def _opened(path: Path) -> ImageSet:
    if (path / setfolder.INVENTORY).exists() and setfolder.read(path).layout != "png":
        return shards.opened(path)
    if path.is_dir():
        return folder.dataset({"count": None}, {"images": path})
    try:
        return imageset.read(path)
    except DataError:
        return parquet.dataset({"count": None}, {"images": path})


def _in_memory(images: ImageSet, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    pixels = np.empty((len(images), 3, SIDE, SIDE), np.uint8)
    labels = np.empty(len(images), np.int64)
    for start, stop in cuts(0, len(images), BLOCK):
        block = images.block(start, stop)
        if block.images.shape[1:3] != (SIDE, SIDE):
            height, width = block.images.shape[1:3]
            raise DataError(f"{path}: images of {height}x{width}: DiStyleGAN makes {SIDE}x{SIDE}, give it such images")
        pixels[start:stop], labels[start:stop] = block.images.transpose(0, 3, 1, 2), block.labels
    return pixels, labels


def _latents(path: Path, labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """The latents of a file, once they are seen to belong to images of these labels."""
    arrays = latents.arrays(path)
    z, given = arrays.get(latents.Z), arrays.get(latents.LABELS)
    if z is None or z.ndim != latents.MATRIX or z.dtype.kind != "f" or not np.isfinite(z).all():
        raise DataError(f"{path}: no array `z` of floats (images, z_dim): give what `farm synth --latents` was given")
    if len(z) != len(labels):
        text = f"{len(z)} latents for {len(labels)} images"
        raise DataError(f"{path}: {text}: give the latents that these images were made of, in their order")
    if not np.array_equal(labels, aligned.labels(0, len(z), classes) if given is None else given):
        text = "without `labels` latent i is of class i mod C" if given is None else "its `labels` are others"
        order = "the images lie in another order, as in an image folder, which is read class after class"
        what = "make the teacher with --format shards, or give z and `labels` in the images' order"
        raise DataError(f"{path}: {text}, and {order}: {what}")
    return np.ascontiguousarray(z, np.float32)
