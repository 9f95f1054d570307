"""What datasets and image sources have in common: where real images lie, and how their code is named."""

from typing import Annotated

from pydantic import Field

from farm.spec import InputSpec

Made = Annotated[
    str,
    Field(
        min_length=1,
        description="package.module:function returning a map-style dataset of (image, label); it is run as code",
    ),
]

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
CIFAR10_HINT = "set FARM_DATA to a folder with cifar10/{split}.parquet or cifar-10-batches-py/"


def cifar10_split(split: str) -> tuple[InputSpec, ...]:
    """A split of CIFAR-10, where it may lie, and its official origin."""
    return (
        InputSpec(
            role="images",
            patterns=(f"cifar10/{split}.parquet", f"cifar10/plain_text/{split}-*.parquet", "cifar-10-batches-py"),
            url=CIFAR10_URL,
            sha256=CIFAR10_SHA256,
            hint=CIFAR10_HINT.format(split=split),
        ),
    )


AT_PATH = (InputSpec(role="images", parameter="path", hint="`path` is looked for beside the grid and in FARM_DATA"),)
FROM_CODE = (InputSpec(role="images", parameter="factory", code=True),)
