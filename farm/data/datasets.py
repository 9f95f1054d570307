"""Datasets opened by name, and images as a model takes them. Knows the table of datasets, not what they are for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.axes import Images, Preprocessing
from farm.catalog.datasets import DATASETS
from farm.data import imageset
from farm.data.real import RealImages
from farm.spec import resolve


def open_dataset(dataset: Images, files: Mapping[str, Path]) -> RealImages:
    """The labelled test images of a dataset, its files among `files`."""
    images: RealImages = resolve(DATASETS[dataset.name].function)(dataset.arguments(), files)
    return images


def open_part(dataset: Images, files: Mapping[str, Path], count: int) -> RealImages:
    """`count` of its images, as many of each class, in their order; all where there are no more."""
    images = open_dataset(dataset, files)
    if len(images) <= count:
        return images
    return open_dataset(replace(dataset, options={**dataset.options, "count": count}), files)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedImages:
    """Images as a model takes them, read when they are asked for: as NNCF wants it, an item is a batch of one."""

    images: imageset.ImageSet
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> NDArray[Any]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return imageset.prepare(self.images.block(index, index + 1).images, self.preprocessing)

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
