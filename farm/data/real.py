"""Real images: pictures from anywhere made a set of one size, all or sampled. Knows no files and no formats."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image

from farm.axes import Fit
from farm.data.fit import fit
from farm.data.imageset import UNLABELLED, Arguments, Block, Computed, ImageSet, Labels, Pixels
from farm.data.sampling import Indices, absent, sampled, taken, unbalanced
from farm.errors import DataError

SEED = 0  # of a dataset's sample


class Picture(NamedTuple):
    """One real image. image: RGB, of any size. where: it comes from, for messages. label: if only reading tells it."""

    image: Image.Image
    where: str
    label: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Real images by index, decoded when they are read.

    count: how many there are, at least one. read: start, stop -> the pictures start, ..., stop - 1, one at a time;
    raises DataError for one that cannot be used. labels: int64 (count,); classes: their number; where they are known.
    names: of class 0, 1, ..., if they have any. note: what must be known wherever the images are used.
    """

    count: int
    read: Callable[[int, int], Iterator[Picture]]
    labels: Labels | None = None
    classes: int | None = None
    names: tuple[str, ...] = ()
    note: str = ""


def uniform(pictures: Pictures, parameters: Arguments) -> Computed:
    """All pictures, by ``parameters["fit"]`` of one size, or all of the first one's. Raises DataError as `read`."""
    how: Fit | None = parameters.get("fit")
    (example,) = pictures.read(0, 1)
    size = (example.image.height, example.image.width) if how is None else how.size
    read = partial(_block, pictures, size, how)
    return Computed(count=pictures.count, read=read, classes=pictures.classes, note=pictures.note)


def _block(pictures: Pictures, size: tuple[int, int], how: Fit | None, start: int, stop: int) -> Block:
    images = np.empty((stop - start, *size, 3), np.uint8)
    labels = np.full(stop - start, UNLABELLED, np.int64)
    if pictures.labels is not None:
        labels[:] = pictures.labels[start:stop]
    for index, picture in zip(range(stop - start), pictures.read(start, stop), strict=True):
        images[index] = _pixels(picture, size, how)
        if picture.label is not None:
            labels[index] = picture.label
    return Block(images, labels)


def _pixels(picture: Picture, size: tuple[int, int], how: Fit | None) -> Pixels:
    image = picture.image
    if how is not None:
        return np.asarray(fit(image, how, picture.where))
    if (image.height, image.width) != size:
        text = f"the image is {image.height}x{image.width} (height x width), the first one {size[0]}x{size[1]}"
        raise DataError(f"{picture.where}: {text}: resize the images to one size")
    return np.asarray(image)


def dataset(pictures: Pictures, parameters: Arguments) -> ImageSet:
    """All pictures in their order, or ``parameters["count"]`` of them, as `sampling.sampled` chooses and raises."""
    count, whole = parameters["count"], uniform(pictures, parameters)
    if count is None:
        return replace(whole, note=_note(pictures, None))
    chosen = np.sort(sampled(pictures.count, pictures.labels, count, SEED))
    return replace(taken(whole, chosen), note=_note(pictures, chosen))


def source(pictures: Pictures, parameters: Arguments) -> ImageSet:
    """Pictures `skip`, ..., `skip` + `count` - 1 of the sample of `seed`. Raises DataError as `sampling.sampled`."""
    count, seed, skip = parameters["count"], parameters["seed"], parameters.get("skip", 0)
    chosen = sampled(pictures.count, pictures.labels, count, seed, skip)
    return replace(taken(uniform(pictures, parameters), chosen), note=_note(pictures, chosen))


def _note(pictures: Pictures, chosen: Indices | None) -> str:
    """What must be known of the chosen pictures, of all for None: then only which classes there are none of."""
    labels, names = pictures.labels, pictures.names
    if labels is None:
        return pictures.note
    classes = np.unique(labels).tolist() if pictures.classes is None else range(pictures.classes)
    if chosen is None:
        notes = [absent(labels, classes, names)]
    else:
        notes = [absent(labels[chosen], classes, names), unbalanced(labels[chosen], names)]
    return "; ".join(filter(None, [pictures.note, *notes]))
