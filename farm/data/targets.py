"""What is to be found in an image, where it is more than a class. Knows no files, no models and no metrics."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Corners = NDArray[np.float64]  # (k, 4): left, top, right, bottom in pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boxes:
    """The objects of one image.

    size: height and width of the image. corners: float64 (k, 4), left, top, right, bottom in its pixels. classes: int64
    (k,), from 0. crowd: bool (k,), a region with many, which nobody need find. area: float64 (k,), of the objects in
    square pixels, by which they are small or large.
    """

    size: tuple[int, int]
    corners: Corners
    classes: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    area: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.classes)

    @classmethod
    def of(cls, size: tuple[int, int], corners: Corners, classes: NDArray[np.int64]) -> Self:
        """Objects that fill their boxes, none of them a crowd."""
        sides = corners[:, 2:] - corners[:, :2]
        return cls(
            size=size, corners=corners, classes=classes, crowd=np.zeros(len(classes), bool), area=sides.prod(axis=1)
        )


Target = Boxes
