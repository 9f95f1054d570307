"""A set of images whose pixels tell their index."""

from dataclasses import dataclass

import numpy as np

from farm.data import imageset
from farm.data.imageset import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """Images whose pixels tell their index, by red and green: a real set, only small."""

    labels: np.ndarray
    classes: int | None
    size: tuple[int, int] = (2, 3)
    note: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def block(self, start: int, stop: int) -> Block:
        imageset.check_range(start, stop, len(self))
        index = np.arange(start, stop)
        colours = np.stack([index % 256, index // 256, 0 * index], axis=1)
        pixels = np.broadcast_to(colours[:, None, None], (stop - start, *self.size, 3))
        return Block(pixels.astype(np.uint8), self.labels[start:stop])


def numbered(labels: list[int], classes: int | None = None, size: tuple[int, int] = (2, 3)) -> Numbered:
    return Numbered(labels=np.array(labels, np.int64), classes=classes, size=size)


def balanced(classes: int, each: int) -> Numbered:
    return numbered([c for c in range(classes) for _ in range(each)], classes)


def chosen(images: imageset.ImageSet) -> list[int]:
    return images.block(0, len(images)).images[:, 0, 0, 0].tolist()
