"""scikit-learn's handwritten digits, at 32x32 in RGB. Owns their scaling and their split; needs no file.

1,797 images of 8x8 with grey levels 0-16, 10 classes (Alpaydin, Kaynak 1998, the UCI repository's
"Optical Recognition of Handwritten Digits" test part). Every third image is a test image.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from farm.images.imageset import Block, Files, ImageSet, Labels, Parameters, Pixels, check_range, draw, first

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

    def block(self, start: int, stop: int) -> Block:
        """The digits start, ..., stop - 1: bicubic to 32x32, the three channels equal."""
        check_range(start, stop, len(self))
        grey = np.empty((stop - start, SIDE, SIDE), np.uint8)
        for place, image in zip(grey, self.small[start:stop], strict=True):
            place[:] = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        return Block(np.repeat(grey[..., None], 3, axis=3), self.labels[start:stop])


def split(part: Literal["train", "test"]) -> Digits:
    """All images of a part, in their original order: 599 test images, 1,198 train images."""
    images, labels = load_digits(return_X_y=True)
    grey = np.rint(images.reshape(-1, 8, 8) * (255 / LEVELS)).astype(np.uint8)
    chosen = (np.arange(len(labels)) % EVERY == EVERY - 1) == (part == "test")
    return Digits(small=grey[chosen], labels=labels[chosen].astype(np.int64))


def test(parameters: Parameters, files: Files) -> ImageSet:  # noqa: ARG001 - every dataset takes both
    """The first `count` test images, or all 599. Raises DataError if there are fewer."""
    return first(split("test"), parameters["count"])


def train(parameters: Parameters, files: Files) -> ImageSet:  # noqa: ARG001 - every source takes both
    """`count` of the 1,198 train images, class by class. Raises DataError if there are too few."""
    digits = split("train")
    return draw(digits, digits.labels, parameters["count"], parameters["seed"])
