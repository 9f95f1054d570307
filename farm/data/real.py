"""Real images: pictures from anywhere made a set of one size, in order or drawn. Knows no files and no forms."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from farm.data.fit import Fit, fit, fit_of
from farm.data.imageset import Block, ImageSet, Labels, Parameters, Pixels, check_range
from farm.data.sampling import draw, first
from farm.errors import DataError


class Picture(NamedTuple):
    """One real image. image: RGB, of any size. label: -1 for none. where: it comes from, for messages."""

    image: Image.Image
    label: int
    where: str


class Pictures(Protocol):
    """Real images by index, decoded when they are read."""

    @property
    def classes(self) -> int | None:
        """The number of classes, where it is known."""

    def __len__(self) -> int:
        """How many there are, at least one."""

    def read(self, start: int, stop: int) -> Iterator[Picture]:
        """The pictures start, ..., stop - 1, one at a time. Raises DataError for one that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Pictures as images of one size. size: (height, width). fit: None where they have that size already."""

    pictures: Pictures
    size: tuple[int, int]
    fit: Fit | None

    @property
    def classes(self) -> int | None:
        """The number of classes, where it is known."""
        return self.pictures.classes

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.pictures)

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1. Raises DataError, with the place, for one that cannot be used."""
        check_range(start, stop, len(self))
        images = np.empty((stop - start, *self.size, 3), np.uint8)
        labels = np.empty(stop - start, np.int64)
        for index, picture in zip(range(stop - start), self.pictures.read(start, stop), strict=True):
            images[index] = self._pixels(picture)
            labels[index] = picture.label
        return Block(images, labels)

    def _pixels(self, picture: Picture) -> Pixels:
        image = picture.image
        if self.fit is not None:
            return np.asarray(fit(image, self.fit, picture.where))
        if (image.height, image.width) != self.size:
            raise DataError(
                f"{picture.where}: the image is {image.height}x{image.width} (height x width), the first one "
                f"{self.size[0]}x{self.size[1]}: resize the images to one size"
            )
        return np.asarray(image)


def uniform(pictures: Pictures, parameters: Parameters) -> ImageSet:
    """All pictures, brought to one size by ``parameters["fit"]``; else they must have that of the first.

    Raises DataError if the first cannot be used.
    """
    how = fit_of(parameters)
    (sample,) = pictures.read(0, 1)
    size = (sample.image.height, sample.image.width) if how is None else how.size
    return Uniform(pictures=pictures, size=size, fit=how)


def dataset(pictures: Pictures, parameters: Parameters) -> ImageSet:
    """The first ``parameters["count"]`` pictures, or all. Raises DataError if there are fewer."""
    return first(uniform(pictures, parameters), parameters["count"])


def source(pictures: Pictures, labels: Labels | None, parameters: Parameters) -> ImageSet:
    """Pictures `skip`, ..., `skip` + `count` - 1 of the drawing of `seed`, see `sampling.draw`.

    labels: int64 (len(pictures),), or None where there are no classes. Raises DataError if there are too few.
    """
    count, seed, skip = parameters["count"], parameters["seed"], parameters.get("skip", 0)
    return draw(uniform(pictures, parameters), labels, count, seed, skip)
