"""Real images: pictures from anywhere made a set of one size, all or sampled. Knows no files and no formats."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from PIL import Image

from farm.axes import Fit
from farm.data.fit import fit, place
from farm.data.imageset import UNLABELLED, Arguments, Block, Labels, Pixels, check_range
from farm.data.picture import Header, PictureError
from farm.data.sampling import Indices, absent, sampled, some, unbalanced
from farm.data.targets import Target
from farm.errors import DataError

SEED = 0  # of a dataset's sample
MOST_NAMED = 20  # images that cannot be used, in a message


class Picture(NamedTuple):
    """One real image. image: RGB, of any size. where: it comes from, for messages. label: if only reading tells it.

    kind: as of `farm.data.picture.Decoded`. target: what is to be found in it, where that is more than a class.
    """

    image: Image.Image
    where: str
    label: int | None = None
    kind: str = ""
    target: Target | None = None


class Look(NamedTuple):
    """What one image's header tells. where: it comes from, for messages."""

    header: Header
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Real images by index, decoded when they are read.

    count: how many there are, at least one. read: start, stop -> the pictures start, ..., stop - 1, one at a time;
    raises PictureError for one that cannot be used. look: index -> what the picture's header tells; raises the same;
    None where that costs as much as reading. labels: int64 (count,); classes: their number; where they are known.
    names: of class 0, 1, ..., if they have any. note: what must be known wherever the images are used.
    """

    count: int
    read: Callable[[int, int], Iterator[Picture]]
    look: Callable[[int], Look] | None = None
    labels: Labels | None = None
    classes: int | None = None
    names: tuple[str, ...] = ()
    note: str = ""


@dataclass(slots=True, kw_only=True)
class RealImages:
    """Some pictures as an `farm.data.imageset.ImageSet`. indices: int64 (n,), which ones, in the set's order.

    how: they are made one size; None: they have `size`, height and width. known: what must be known of them before one
    is read. kinds: of those looked at that are not in RGB, by the pictures' index.
    """

    pictures: Pictures
    indices: Indices
    how: Fit | None
    known: str
    size: tuple[int, int] | None = None
    kinds: dict[int, str] = field(default_factory=dict)

    @property
    def classes(self) -> int | None:
        """The number of classes, where it is known."""
        return self.pictures.classes

    @property
    def names(self) -> tuple[str, ...]:
        """Of class 0, 1, ..., if they have any."""
        return self.pictures.names

    @property
    def note(self) -> str:
        """What must be known wherever the images are used, before one is looked at."""
        return self.known

    @property
    def converted(self) -> Mapping[str, int]:
        """How many of the images looked at are not in RGB, by what they are."""
        return Counter(self.kinds.values())

    def __len__(self) -> int:
        return len(self.indices)

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1. Raises DataError that names all images of the set that cannot be used."""
        check_range(start, stop, len(self))
        try:
            return self.read(self.indices[start:stop])
        except PictureError:
            self.check(self._used)
            raise

    def read(self, wanted: Indices) -> Block:
        """Pictures by their own indices. Those side by side are read at once, in the pictures' order."""
        height, width = self._size()
        images = np.empty((len(wanted), height, width, 3), np.uint8)
        labels = np.full(len(wanted), UNLABELLED, np.int64)
        if self.pictures.labels is not None:
            labels[:] = self.pictures.labels[wanted]
        targets: list[Target | None] = [None] * len(wanted)
        order = np.argsort(wanted, kind="stable")
        places = iter(order.tolist())
        for run in np.split(wanted[order], np.flatnonzero(np.diff(wanted[order]) != 1) + 1):
            for index, picture in zip(run.tolist(), self._pictures(run), strict=True):
                at = next(places)
                images[at] = _pixels(picture, (height, width), self.how)
                targets[at] = picture.target
                if picture.label is not None:
                    labels[at] = picture.label
                if picture.kind:
                    self.kinds[index] = picture.kind
        return Block(images, labels, tuple(target for target in targets if target is not None))

    def look(self) -> None:
        """Look at the header of each image, where it has one. Raises DataError as `block`, as far as that tells."""
        if self.pictures.look is not None:
            self.check(self._looked_at)

    def check(self, use: Callable[[int], object]) -> None:
        """Raises DataError where images cannot be used, which names them."""
        faults = []  # without the errors, which hold the images
        for index in np.sort(self.indices).tolist():
            try:
                use(index)
            except PictureError as error:
                faults.append((error.where, str(error)))
        if faults:
            raise DataError(_all_of(faults, len(self)))

    def _size(self) -> tuple[int, int]:
        """Height and width: by `how`, or the first picture's."""
        if self.size is None:
            (example,) = self.pictures.read(0, 1)
            self.size = self.how.size if self.how else (example.image.height, example.image.width)
        return self.size

    def _pictures(self, run: Indices) -> Iterator[Picture]:
        return self.pictures.read(int(run[0]), int(run[-1]) + 1) if len(run) else iter(())

    def _used(self, index: int) -> None:
        for picture in self.pictures.read(index, index + 1):
            if self.size is not None:
                _pixels(picture, self.size, self.how)

    def _looked_at(self, index: int) -> None:
        if self.pictures.look is None:
            return
        header, where = self.pictures.look(index)
        if self.how is None:
            _check_size(header.size, self._size(), where)
        else:
            place(header.size, self.how, where)
        if header.kind:
            self.kinds[index] = header.kind


def uniform(pictures: Pictures, parameters: Arguments) -> RealImages:
    """All pictures, by ``parameters["fit"]`` of one size, or all of the first one's. Raises DataError as `read`."""
    return _opened(pictures, parameters, None, pictures.note)


def dataset(pictures: Pictures, parameters: Arguments) -> RealImages:
    """All pictures in their order, or ``parameters["count"]`` of them, as `sampling.sampled` chooses and raises."""
    count = parameters["count"]
    chosen = None if count is None else np.sort(sampled(pictures.count, pictures.labels, count, SEED))
    return _opened(pictures, parameters, chosen, _note(pictures, chosen))


def source(pictures: Pictures, parameters: Arguments) -> RealImages:
    """Pictures `skip`, ..., `skip` + `count` - 1 of the sample of `seed`. Raises DataError as `sampling.sampled`."""
    count, seed, skip = parameters["count"], parameters["seed"], parameters.get("skip", 0)
    chosen = sampled(pictures.count, pictures.labels, count, seed, skip)
    return _opened(pictures, parameters, chosen, _note(pictures, chosen))


def _opened(pictures: Pictures, parameters: Arguments, chosen: Indices | None, known: str) -> RealImages:
    """The set, and it is known that its first block can be asked for. chosen: None for all."""
    indices = np.arange(pictures.count) if chosen is None else chosen
    images = RealImages(pictures=pictures, indices=indices, how=parameters.get("fit"), known=known)
    try:
        images.read(indices[:0])
    except PictureError:
        images.look()
        raise
    return images


def _pixels(picture: Picture, size: tuple[int, int], how: Fit | None) -> Pixels:
    image = picture.image
    if how is not None:
        return np.asarray(fit(image, how, picture.where))
    _check_size((image.height, image.width), size, picture.where)
    return np.asarray(image)


def _check_size(size: tuple[int, int], first: tuple[int, int], where: str) -> None:
    if size != first:
        text = f"the image is {size[0]}x{size[1]} (height x width), the first one {first[0]}x{first[1]}"
        raise PictureError(where, f"{text}: resize the images to one size, or set `resize` of the model")


def _all_of(faults: Sequence[tuple[str, str]], total: int) -> str:
    """What is wrong with the first image, and which others cannot be used. faults: where, and all that is said."""
    (_, first), *others = faults
    names = some((where for where, _ in others), len(others), MOST_NAMED)
    count = "1 other" if len(others) == 1 else f"{len(others):,} others"
    return f"{first}; {count} of {total:,} images cannot be used: {names}" if others else first


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
