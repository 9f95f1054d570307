"""Datasets by name: labelled test splits, on which accuracy is computed.

Each function takes ``(parameters, files)`` - the checked parameters as a dict and the located files as role -> Path -
and returns a `farm.data.imageset.ImageSet`. It may be given one parameter more, which no user writes: `fit`, see
`farm.axes.Fit`.
"""

from pydantic import Field

from farm.catalog.images import AT_PATH, FROM_CODE, Made, cifar10_split
from farm.spec import DatasetSpec, Parameters


class DatasetParameters(Parameters):
    """A labelled test split."""

    count: int | None = Field(None, ge=1, description="use only the first COUNT images")


class DatasetAt(DatasetParameters):
    """A labelled test split of the user's own."""

    path: str = Field(min_length=1, description="file or folder, relative to the grid file or to FARM_DATA")


class DatasetFrom(DatasetParameters):
    """A labelled test split that the user's own code gives."""

    factory: Made


DATASETS = {
    "cifar10": DatasetSpec(
        function="farm.data.cifar10:test",
        parameters=DatasetParameters,
        doc="the CIFAR-10 test split: 10,000 images of 32x32, 10 classes",
        inputs=cifar10_split("test"),
        libraries=("pillow",),
    ),
    "digits": DatasetSpec(
        function="farm.data.digits:test",
        parameters=DatasetParameters,
        doc="scikit-learn's handwritten digits, a third of them, at 32x32, 10 classes; needs no download",
        libraries=("scikit-learn", "pillow"),
    ),
    "folder": DatasetSpec(
        function="farm.data.folder:dataset",
        parameters=DatasetAt,
        doc="an image folder: one subfolder a class",
        inputs=AT_PATH,
        libraries=("pillow",),
    ),
    "parquet": DatasetSpec(
        function="farm.data.parquet:dataset",
        parameters=DatasetAt,
        doc="a Parquet file in the Hugging Face layout: img {bytes, path}, label",
        inputs=AT_PATH,
        libraries=("pillow",),
    ),
    "factory": DatasetSpec(
        function="farm.data.factory:dataset",
        parameters=DatasetFrom,
        doc="a dataset of your own: {factory: package.module:function}, items (image, label)",
        inputs=FROM_CODE,
        libraries=("pillow",),
    ),
}
