"""Datasets opened by name. Knows the table of them."""

from collections.abc import Mapping
from pathlib import Path

from farm.axes import Images
from farm.catalog.datasets import DATASETS
from farm.data.imageset import ImageSet
from farm.spec import resolve


def open_dataset(dataset: Images, files: Mapping[str, Path]) -> ImageSet:
    """The labelled test images of a dataset, its files among `files`."""
    images: ImageSet = resolve(DATASETS[dataset.name].function)(dataset.arguments(), files)
    return images
