"""Images as a model takes them. Knows a set and its preprocessing, not what they are for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.axes import Preprocessing
from farm.data import imageset


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedImages:
    """Images as a model takes them, in order; nothing is read before it is asked for.

    An item is what NNCF wants: one image, as a batch of one.
    """

    images: imageset.ImageSet
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> NDArray[Any]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return imageset.prepare(self.images.block(index, index + 1).images, self.preprocessing)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[index] for index in range(len(self)))

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Some images as one batch; neighbours are read together."""
        runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
        parts = [self.images.block(int(run[0]), int(run[-1]) + 1).images for run in runs]
        return imageset.prepare(np.concatenate(parts), self.preprocessing)

    def labels(self, count: int) -> NDArray[np.int64]:
        """The labels of the first images, int64 (count,); -1 where there is none."""
        step = imageset.row_group(imageset.size_of(self.images))
        parts = [self.images.block(at, min(at + step, count)).labels for at in range(0, count, step)]
        return np.concatenate(parts)
