"""Datasets opened by name. Knows the table of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from farm.catalog.datasets import DATASETS
from farm.data import imageset
from farm.spec import resolve


def open_dataset(parameters: Mapping[str, Any], files: Mapping[str, Path]) -> imageset.ImageSet:
    """The labelled test images that a plan's ``parameters["dataset"]`` names, their files among `files`."""
    rest = dict(parameters)
    images: imageset.ImageSet = resolve(DATASETS[rest.pop("name")].function)(rest, files)
    return images
