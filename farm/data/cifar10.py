"""CIFAR-10 as a Parquet file in the Hugging Face layout, as the official folder, or as the official archive.

The archive is unpacked beside itself. From Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from farm.data import real
from farm.data.classes import in_order, order
from farm.data.imageset import Arguments, Files, ImageSet, Pixels
from farm.data.parquet import open_parquet
from farm.errors import DataError
from farm.files import new_folder

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CLASSES = len(NAMES)
FOLDER = "cifar-10-batches-py"
BROKEN_ARCHIVE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error)


def test(parameters: Arguments, files: Files) -> ImageSet:
    """`count` test images, class by class, or all. Raises DataError if the files are not CIFAR-10's."""
    return real.dataset(in_order(_open(files["images"], train=False), order(parameters, files)), parameters)


def train(parameters: Arguments, files: Files) -> ImageSet:
    """`count` train images, class by class. Raises DataError if the files are not CIFAR-10's."""
    return real.source(in_order(_open(files["images"], train=True), order(parameters, files)), parameters)


def _open(path: Path, *, train: bool) -> real.Pictures:
    if path.is_dir():
        return _batches(path, train=train)
    if path.name.endswith((".tar.gz", ".tgz")):
        return _batches(_unpack(path), train=train)
    return replace(open_parquet(path, labelled=True, classes=CLASSES), names=NAMES)


def _batches(folder: Path, *, train: bool) -> real.Pictures:
    """The official folder: 31 MB, of the train split 154 MB. torchvision checks MD5 sums before it unpickles files."""
    from torchvision.datasets import CIFAR10

    if folder.name != FOLDER:
        raise DataError(f"{folder}: CIFAR-10's official folder is called {FOLDER}: rename it, or give another form")
    try:
        split = CIFAR10(str(folder.parent), train=train, download=False)
    except (RuntimeError, OSError) as error:
        text = f"a file is missing or its MD5 sum is wrong ({error}): unpack cifar-10-python.tar.gz again"
        raise DataError(f"{folder}: {text}") from error
    images, labels = np.ascontiguousarray(split.data), np.asarray(split.targets, np.int64)
    return real.Pictures(count=len(labels), read=partial(_read, images), labels=labels, classes=CLASSES, names=NAMES)


def _read(images: Pixels, start: int, stop: int) -> Iterator[real.Picture]:
    for index in range(start, stop):
        yield real.Picture(Image.fromarray(images[index]), f"CIFAR-10's image {index}")


def _unpack(archive: Path) -> Path:
    """The archive's folder beside it, which appears whole or not at all, whoever else unpacks it."""
    target = archive.parent / FOLDER
    if target.is_dir():
        return target
    try:
        with new_folder(target) as new, tarfile.open(archive) as packed:
            packed.extractall(new.parent, filter="data")
            if not new.is_dir():
                raise DataError(f"{archive}: no folder {FOLDER} in it: download the official archive")
    except BROKEN_ARCHIVE as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise DataError(f"{archive}: not a tar.gz archive, or truncated ({reason}): download it again") from error
    except OSError as error:
        raise DataError(f"{archive}: cannot be unpacked into {archive.parent} ({error}): make it writable") from error
    return target
