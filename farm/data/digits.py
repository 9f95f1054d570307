"""scikit-learn's handwritten digits, at 32x32 in RGB. Owns their scaling and their split; needs no file.

1,797 images of 8x8 with grey levels 0-16, 10 classes (Alpaydin, Kaynak 1998, the UCI repository's
"Optical Recognition of Handwritten Digits" test part). Every third image is a test image.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from farm.data import real
from farm.data.imageset import Files, ImageSet, Labels, Parameters, Pixels

Part = Literal["train", "test"]

SIDE = 32
CLASSES = 10
LEVELS = 16
EVERY = 3  # the last of every three images is a test image


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Digits kept small, scaled up when read. small: uint8 (n, 8, 8), grey. labels: int64 (n,)."""

    small: Pixels
    labels: Labels
    classes: int = CLASSES

    def __len__(self) -> int:
        """How many digits there are."""
        return len(self.labels)

    def read(self, start: int, stop: int) -> Iterator[real.Picture]:
        """The digits start, ..., stop - 1: bicubic to 32x32, the three channels equal."""
        for index in range(start, stop):
            grey = Image.fromarray(self.small[index]).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            yield real.Picture(grey.convert("RGB"), int(self.labels[index]), f"digit {index}")


def split(part: Part) -> ImageSet:
    """All images of a part, in their original order: 599 test images, 1,198 train images."""
    return real.uniform(_digits(part), {})


def test(parameters: Parameters, files: Files) -> ImageSet:  # noqa: ARG001 - every dataset takes both
    """The first `count` test images, or all 599. Raises DataError if there are fewer."""
    return real.dataset(_digits("test"), parameters)


def train(parameters: Parameters, files: Files) -> ImageSet:  # noqa: ARG001 - every source takes both
    """`count` of the 1,198 train images, class by class. Raises DataError if there are too few."""
    digits = _digits("train")
    return real.source(digits, digits.labels, parameters)


def _digits(part: Part) -> Digits:
    images, labels = load_digits(return_X_y=True)
    grey = np.rint(images.reshape(-1, 8, 8) * (255 / LEVELS)).astype(np.uint8)
    chosen = (np.arange(len(labels)) % EVERY == EVERY - 1) == (part == "test")
    return Digits(small=grey[chosen], labels=labels[chosen].astype(np.int64))
