"""What is lost class by class. Knows predictions, no records."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """The classes of n test images, in order. number: (c,). images: (c,), how many there are. at: (n,), 0 to c - 1."""

    number: NDArray[np.int64]
    images: NDArray[np.int64]
    at: NDArray[np.int64]

    @classmethod
    def of(cls, label: NDArray[np.int64]) -> Self:
        """Those of images with these labels. label: (n,)."""
        number, at, images = np.unique(label, return_inverse=True, return_counts=True)
        return cls(number=number, images=images, at=at)

    def lost(self, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Of each class the share right before minus that after, (c,). before, after: right or not, (n,)."""
        lost: NDArray[np.float64] = (
            np.bincount(self.at, weights=before.astype(np.int8) - after.astype(np.int8)) / self.images
        )
        return lost
