"""Images in NumPy's .npz: arrays of images and labels, as Keras' and MedMNIST's files have them."""

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.data import real
from farm.data.classes import in_order, order
from farm.data.imageset import Arguments, Files, ImageSet, Labels, Pixels, stray_label
from farm.data.picture import rgb
from farm.errors import DataError

PAIRS = (("{}_images", "{}_labels"), ("x_{}", "y_{}"), ("images", "labels"), ("x", "y"))  # {}: the split
SPLITS = ("test", "train", "val", "valid")
MOST_BYTES = 8 << 30  # of one array, which is read whole
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
BROKEN = (  # what NumPy and zipfile raise on files that are damaged or something else altogether
    OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, TypeError, AttributeError, LookupError, RuntimeError,
    SyntaxError, OverflowError, tokenize.TokenError,
)  # fmt: skip
IMAGES, CHANNELS = (3, 4), ((), (1,), (3,))  # dimensions of an array of images, and what follows height and width


def dataset(parameters: Arguments, files: Files) -> ImageSet:
    """`count` images of ``files["images"]``, class by class, or all. Raises DataError as `open_npz`."""
    pictures = open_npz(files["images"], parameters.get("split"), labelled=True)
    return real.dataset(in_order(pictures, order(parameters, files)), parameters)


def source(parameters: Arguments, files: Files) -> ImageSet:
    """`count` images of ``files["images"]``, class by class where there are labels. Raises DataError if too few."""
    pictures = open_npz(files["images"], parameters.get("split"), labelled=False)
    return real.source(in_order(pictures, order(parameters, files)), parameters)


def open_npz(path: Path, split: str | None, *, labelled: bool) -> real.Pictures:
    """The images and labels of a split, in memory. labelled: there must be labels.

    images: uint8 (n, H, W, 3), or (n, H, W) or (n, H, W, 1) of grey ones; labels: integers (n,) or (n, 1). Raises
    DataError if the file is no .npz, has no arrays of these names, or they are something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = _names(path, arrays.files, split)
            if labelled and labels not in arrays.files:
                text = f"no array `{labels}`, only {', '.join(arrays.files)}"
                raise DataError(f"{path}: {text}: a dataset needs a class for each image")
            for name in (images, labels):
                _check_size(path, name)
            pixels = _pixels(path, images, arrays[images])
            classes = _labels(path, labels, arrays[labels], len(pixels)) if labels in arrays.files else None
    except BROKEN as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}: not an .npz of arrays, or damaged ({reason}): save it with numpy.savez") from error
    return real.Pictures(count=len(pixels), read=partial(_read, pixels, str(path)), labels=classes)


def _names(path: Path, there: list[str], split: str | None) -> tuple[str, str]:
    """The names of the images' array and of their labels'."""
    found: dict[str, tuple[str, str]] = {}
    for images, labels in PAIRS:
        for one in (split,) if split else ("", *SPLITS):
            names = images.format(one), labels.format(one)
            if names[0] in there and ("{}" in images) == bool(one):
                if one in found:
                    text = f"has images in `{found[one][0]}` and in `{names[0]}`"
                    raise DataError(f"{path}: {text}: leave one of them out")
                found[one] = names
    listed = ", ".join(there)
    if not found:
        wanted = f"`{split}_images` or `x_{split}`" if split else "`images`, `x`, `test_images` or `x_test`"
        raise DataError(f"{path}: no array {wanted}, only {listed}: name the arrays so, or say which `split`")
    if len(found) > 1:
        splits = sorted(filter(None, found))
        also = f", and images in `{found[''][0]}`" if "" in found else ""
        raise DataError(f"{path}: has the splits {', '.join(splits)}{also}: say which with `split: {splits[0]}`")
    return next(iter(found.values()))


def _check_size(path: Path, name: str) -> None:
    """Raise DataError for an array that would not fit into memory, before it is read; by what it says of itself."""
    with zipfile.ZipFile(path) as archive:
        if name in archive.namelist():
            raise DataError(f"{path}: `{name}` is called so without .npy in the archive: save it with numpy.savez")
        if f"{name}.npy" not in archive.namelist():
            return
        with archive.open(f"{name}.npy") as file:
            header = HEADERS[np.lib.format.read_magic(file)]
            shape, _, dtype = header(file)
    size = math.prod(shape) * dtype.itemsize
    if size > MOST_BYTES:
        text = f"`{name}` takes {size / (1 << 30):,.0f} GiB, {MOST_BYTES >> 30} at most"
        raise DataError(f"{path}: {text}: save the images as Parquet, or one file each")


def _pixels(path: Path, name: str, array: NDArray[np.generic]) -> Pixels:
    if array.dtype != np.uint8 or array.ndim not in IMAGES or array.shape[3:] not in CHANNELS or not array.size:
        text = f"`{name}` is {array.dtype} {array.shape}, not uint8 (n, H, W, 3), (n, H, W, 1) or (n, H, W)"
        raise DataError(f"{path}: {text}: save them as uint8 from 0 to 255, channels last")
    return array if array.shape[3:] == (3,) else array.reshape(array.shape[:3])  # type: ignore[return-value]


def _labels(path: Path, name: str, array: NDArray[np.generic], count: int) -> Labels:
    if array.dtype.kind not in "iu" or array.shape not in ((count,), (count, 1)):
        text = f"`{name}` is {array.dtype} {array.shape}, not {count} integers"
        raise DataError(f"{path}: {text}: give one class for each image, as a number from 0 up")
    labels: Labels = array.reshape(count).astype(np.int64)
    if stray := stray_label(labels, None):
        raise DataError(f"{path}: `{name}`: label {labels[stray[0]]} of image {stray[0]}, expected {stray[1]}")
    return labels


def _read(pixels: Pixels, path: str, start: int, stop: int) -> Iterator[real.Picture]:
    for index in range(start, stop):
        where = f"{path}: image {index}"
        image, kind = rgb(Image.fromarray(np.ascontiguousarray(pixels[index])), where)
        yield real.Picture(image, where, kind=kind)
