"""Latents from a file, and a network's images as they are, in a file. Owns both formats; knows no source by name."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from farm import checkpoint
from farm.data.imageset import UNLABELLED, Labels
from farm.errors import DataError
from farm.generators.aligned import Aligned, Floats, labels, one_thread
from farm.generators.equipment import Equipment
from farm.generators.generated import Network, generated

N = TypeVar("N", bound=np.number[Any])
Numbers = NDArray[np.number[Any]]  # of any type

Z, LABELS, IMAGES = "z", "labels", "images.npy"
MATRIX = 2  # axes
# what numpy and zipfile raise on files that are damaged, something else, or larger than memory
BROKEN = (*checkpoint.BROKEN, MemoryError, OverflowError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Latents of one's own. z: float32 (n, z_dim). classes: int64 (n,), -1 for none."""

    z: Floats
    classes: Labels


def arrays(path: Path) -> dict[str, Numbers]:
    """What an ``.npz`` has of `z` and `labels`. Raises DataError if it is none, is damaged, or fits no memory."""
    try:
        with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            stored = {name: file[name] for name in (Z, LABELS) if name in file}
    except BROKEN as error:
        text = f"no .npz with `{Z}` ({type(error).__name__}: {error})"
        raise DataError(f"{path}: {text}: save one with np.savez") from error
    bare = [name for name, value in stored.items() if not isinstance(value, np.ndarray)]  # numpy gives bytes then
    if bare:
        raise DataError(f"{path}: its `{bare[0]}` is no array: save one with np.savez")
    return stored


def read(path: Path, network: Network) -> Given:
    """The latents of an ``.npz``: `z`, float (n, z_dim), and `labels`, int (n,), -1 for none; i mod C without them.

    Raises DataError if there are none, or if they do not go with the network.
    """
    stored = arrays(path)
    if Z not in stored:
        raise DataError(f"{path}: no array `{Z}`: np.savez({path.name!r}, z=latents of shape (n, {network.z_dim}))")
    z = stored[Z]
    if z.ndim != MATRIX or z.dtype.kind != "f" or not len(z) or z.shape[1] != network.z_dim:
        text = f"`{Z}` is {z.dtype} {z.shape}, expected floats of shape (n, {network.z_dim})"
        raise DataError(f"{path}: {text}: make latents for this network")
    if not np.isfinite(z).all():
        raise DataError(f"{path}: `{Z}` holds NaN or infinity: make the latents again")
    of_images = labels(0, len(z), network.classes)
    classes = _checked(path, stored[LABELS], len(z), network.classes) if LABELS in stored else of_images
    return Given(z=z.astype(np.float32), classes=classes)


def images(network: Network, name: str, given: Given, seed: int, equipment: Equipment) -> Aligned:
    """The images of these latents, one each. seed: of the network's own random numbers, if it takes any."""

    def some(values: NDArray[N], start: int, stop: int) -> NDArray[N]:
        """A block is computed whole: the last latent fills it up."""
        return values.take(np.arange(start, stop), axis=0, mode="clip")

    z_of, classes_of = partial(some, given.z), partial(some, given.classes)
    return generated(network, name, len(given.z), seed, equipment, z_of, classes_of)


def write_raw(path: Path, images: Aligned, floats: Callable[[int], Floats]) -> Iterator[int]:
    """Write ``images``, float32 (n, 3, H, W), to an ``.npz``, a block in memory; tells how many are written so far."""
    count = len(images)
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, 3, *images.size)}
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive, archive.open(IMAGES, "w", force_zip64=True) as file:
        npy.write_array_header_1_0(file, header)
        for base in range(0, count, images.step):
            with one_thread():
                block = floats(base)[: count - base]
            file.write(np.ascontiguousarray(block, "<f4").tobytes())
            yield base + len(block)


def _checked(path: Path, classes: Numbers, count: int, of_network: int | None) -> Labels:
    if classes.shape != (count,) or classes.dtype.kind not in "iu":
        text = f"`{LABELS}` is {classes.dtype} {classes.shape}, expected integers of shape ({count},)"
        raise DataError(f"{path}: {text}: one for each latent, {UNLABELLED} for none")
    most = UNLABELLED if of_network is None else of_network - 1
    if classes.min() < UNLABELLED or classes.max() > most:
        has = "the network has no classes" if of_network is None else f"the network's classes are 0 to {most}"
        text = f"`{LABELS}` from {classes.min()} to {classes.max()}, but {has}"
        raise DataError(f"{path}: {text}: give those, or {UNLABELLED} for none")
    return classes.astype(np.int64)
