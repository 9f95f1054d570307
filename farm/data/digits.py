"""scikit-learn's handwritten digits, at 32x32 in RGB: 1,797 images of 8x8 with grey levels 0-16, 10 classes.

Owns their scaling and their split. From Alpaydin, Kaynak 1998, the UCI repository's "Optical Recognition of
Handwritten Digits", its test part.
"""

from collections.abc import Iterator
from importlib.metadata import distribution
from typing import Literal

import numpy as np
from PIL import Image

from farm.data import real
from farm.data.classes import in_order, order
from farm.data.imageset import Arguments, Files, ImageSet

Part = Literal["train", "test"]

FILE = "sklearn/datasets/data/digits.csv.gz"  # read as it lies there: to import scikit-learn takes a second or two

SIDE = 32
CLASSES = 10
LEVELS = 16
EVERY = 3  # the last of every three images is a test image


def split(part: Part) -> ImageSet:
    """All images of a part, in their original order: 599 test images, 1,198 train images."""
    return real.uniform(_digits(part), {})


def test(parameters: Arguments, files: Files) -> ImageSet:
    """`count` test images, class by class, or all 599. Raises DataError if there are fewer."""
    return real.dataset(in_order(_digits("test"), order(parameters, files)), parameters)


def train(parameters: Arguments, files: Files) -> ImageSet:
    """`count` of the 1,198 train images, class by class. Raises DataError if there are too few."""
    return real.source(in_order(_digits("train"), order(parameters, files)), parameters)


def _digits(part: Part) -> real.Pictures:
    """Digits kept small, and when they are read scaled up: bicubic to 32x32, the three channels equal."""
    rows = np.loadtxt(str(distribution("scikit-learn").locate_file(FILE)), delimiter=",")
    images, labels = rows[:, :-1], rows[:, -1]
    grey = np.rint(images.reshape(-1, 8, 8) * (255 / LEVELS)).astype(np.uint8)
    chosen = (np.arange(len(labels)) % EVERY == EVERY - 1) == (part == "test")
    small, classes = grey[chosen], labels[chosen].astype(np.int64)

    def read(start: int, stop: int) -> Iterator[real.Picture]:
        for index in range(start, stop):
            image = Image.fromarray(small[index]).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            yield real.Picture(image.convert("RGB"), f"digit {index}")

    return real.Pictures(count=len(classes), read=read, labels=classes, classes=CLASSES)
