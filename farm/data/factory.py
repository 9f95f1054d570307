"""The user's own data, from a function of theirs. Owns what it must return and says where it does not.

The function is called without arguments and returns a map-style dataset like torchvision's: `len`, and item i
is ``(image, label)``, or in a source a bare image. image: a PIL picture, or a uint8 array (H, W, 3), or (H, W)
of a grey one; label: an int. An attribute `classes`, a list of names or a number, tells how many classes there
are. Sampling class by class needs all labels: they are the attribute `targets`, as in torchvision's datasets, or
else every item is read once for its label.
"""

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, SupportsIndex, cast

import numpy as np
from PIL import Image

from farm.data import real
from farm.data.classes import in_order, order
from farm.data.imageset import Arguments, Files, ImageSet, Labels, stray_label
from farm.data.picture import Decoded, PictureError, rgb
from farm.errors import DataError
from farm.spec import resolve

PARTS = 2  # of an item: an image and its label
CHANNELS = ((), (1,), (3,))  # of an array, after height and width
PLAIN = (
    "an item is (image, label), its image a PIL one or a uint8 array (H, W, 3) or (H, W); normalising is farm's part"
)
TARGETS = "make `targets` and `classes` agree with the items, or leave them out"


class Data(Protocol):
    """What a factory returns: a map-style dataset."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A factory's items. name: the factory's, for messages. labels: int64 (n,), and names of classes: where known."""

    name: str
    data: Data
    labelled: bool
    labels: Labels | None
    classes: int | None
    names: tuple[str, ...] = ()

    def read(self, start: int, stop: int) -> Iterator[real.Picture]:
        """The items start, ..., stop - 1. Raises DataError for one that is no image, or has no label."""
        for index in range(start, stop):
            where = f"factory {self.name!r}: item {index}"
            image, label = _parts(_item(self.data, self.name, index))
            decoded = _picture(image, where)
            yield real.Picture(decoded.image, where, self._label(index, label, where), decoded.kind)

    def pictures(self) -> real.Pictures:
        """The items as pictures."""
        return real.Pictures(
            count=len(self.data), read=self.read, labels=self.labels, classes=self.classes, names=self.names
        )

    def _label(self, index: int, given: object, where: str) -> int | None:
        if given is None:
            if self.labelled and self.labels is None:
                raise DataError(f"{where}: an image without a label: return (image, label)")
            return None
        if not self.labelled:
            raise DataError(f"{where}: it has a label, item 0 has none: return (image, label) for all or for none")
        label = _number(given, where, self.classes)
        if self.labels is not None and label != self.labels[index]:
            raise DataError(f"{where}: its label is {label}, in `targets` it is {self.labels[index]}: {TARGETS}")
        return label


def dataset(parameters: Arguments, files: Files) -> ImageSet:
    """`count` items that ``parameters["factory"]`` gives, class by class, or all; any int is a label.

    Raises DataError if it returns no dataset of labelled images, InputError if there is no such function, and
    whatever the user's code raises, with a note of the item.
    """
    name = parameters["factory"]
    data = _called(name)
    classes = _classes(data, name)
    labels = None if parameters["count"] is None else _labels(data, name, classes)
    if labels is not None and classes is not None:
        _check_labels(labels, name, classes)
    items = Items(name=name, data=data, labelled=True, labels=labels, classes=classes, names=_names(data))
    return real.dataset(in_order(items.pictures(), order(parameters, files)), parameters)


def source(parameters: Arguments, files: Files) -> ImageSet:
    """`count` items, class by class where there are labels, from 0 up. Raises DataError as `dataset`, or if too few."""
    name = parameters["factory"]
    data = _called(name)
    classes = _classes(data, name)
    labels = _labels(data, name, classes)
    labelled = labels is not None
    if labels is not None:
        _check_labels(labels, name, classes)
    known = {"classes": classes, "names": _names(data)} if labelled else {"classes": None}
    items = Items(name=name, data=data, labelled=labelled, labels=labels, **known)
    return real.source(in_order(items.pictures(), order(parameters, files)), parameters)


def _called(name: str) -> Data:
    data: Data = resolve(name)()
    lacks = [method for method in ("__len__", "__getitem__") if not hasattr(type(data), method)]
    if lacks:
        text = f"returned a {type(data).__name__} without {' and '.join(lacks)}"
        raise DataError(f"factory {name!r} {text}: return a map-style dataset, as torchvision's are")
    if not len(data):
        raise DataError(f"factory {name!r} returned an empty {type(data).__name__}: it must hold images")
    return data


def _item(data: Data, name: str, index: int) -> object:
    """An item. What the user's code raises has a note of which one it is."""
    try:
        return data[index]
    except Exception as error:
        error.add_note(f"factory {name!r}: item {index}")
        raise


def _parts(item: object) -> tuple[object, object]:
    """An item's image and label; None for the label of a bare image."""
    return (item[0], item[1]) if isinstance(item, tuple | list) and len(item) == PARTS else (item, None)


def _picture(image: object, where: str) -> Decoded:
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size and image.shape[2:] in CHANNELS:
        image = Image.fromarray(np.ascontiguousarray(image.squeeze(2) if image.shape[2:] == (1,) else image))
    if isinstance(image, Image.Image) and min(image.size):
        return rgb(image, where)
    raise PictureError(where, f"the image is {_described(image)}: {PLAIN}")


def _described(value: object) -> str:
    """A value's type, and what else tells of its shape: ``a Tensor of torch.float32 (3, 32, 32)``."""
    kind = type(value).__name__
    if isinstance(value, tuple | list):
        return f"a {kind} of {len(value)}"
    if isinstance(value, Image.Image):
        return f"a {kind} of {value.height}x{value.width}"
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    return f"a {kind}" if dtype is None or shape is None else f"a {kind} of {dtype} {tuple(shape)}"


def _number(given: object, where: str, classes: int | None) -> int:
    try:
        label = operator.index(cast("SupportsIndex", given))
    except (TypeError, ValueError) as error:
        text = f"{given!r}, {_described(given)}, not an int: number the classes"
        raise DataError(f"{where}: the label is {text}") from error
    if classes is not None and not 0 <= label < classes:
        raise DataError(f"{where}: the label is {label}, expected 0 to {classes - 1}: {TARGETS}")
    return label


def _classes(data: Data, name: str) -> int | None:
    classes = getattr(data, "classes", None)
    if classes is None:
        return None
    number = len(classes) if isinstance(classes, list | tuple) else classes
    if not isinstance(number, int) or number < 1:
        raise DataError(f"factory {name!r}: `classes` is {classes!r}: list the names of the classes, or leave it out")
    return number


def _names(data: Data) -> tuple[str, ...]:
    """What its classes are called; nothing where it only tells their number."""
    classes = getattr(data, "classes", None)
    return tuple(map(str, classes)) if isinstance(classes, list | tuple) else ()


def _labels(data: Data, name: str, classes: int | None) -> Labels | None:
    """The label of each item, from `targets` or from the items; None of bare images."""
    labels = _targets(data, name)
    return _scanned(data, name, classes) if labels is None and _parts(_item(data, name, 0))[1] is not None else labels


def _check_labels(labels: Labels, name: str, classes: int | None) -> None:
    if stray := stray_label(labels, classes):
        text = f"item {stray[0]}: the label is {labels[stray[0]]}, expected {stray[1]}"
        raise DataError(f"factory {name!r}: {text}: number the classes from 0 up")


def _targets(data: Data, name: str) -> Labels | None:
    targets = getattr(data, "targets", None)
    if targets is None:
        return None
    try:
        labels, count = np.asarray(targets), len(data)
    except ValueError as error:
        raise DataError(f"factory {name!r}: `targets` is no list of labels: {error}") from error
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        text = f"`targets` is {_described(labels)}, not {count} ints"
        raise DataError(f"factory {name!r}: {text}: give one label for each item, or leave it out")
    return labels.astype(np.int64)


def _scanned(data: Data, name: str, classes: int | None) -> Labels:
    labels = np.empty(len(data), np.int64)
    for index in range(len(data)):
        where, label = f"factory {name!r}: item {index}", _parts(_item(data, name, index))[1]
        if label is None:
            raise DataError(f"{where}: an image without a label, item 0 has one: return (image, label) for all")
        labels[index] = _number(label, where, classes)
    return labels
