"""Datasets by name: labelled test splits, on which accuracy is computed.

Each function takes ``(parameters, files)`` - the checked parameters as a dict and the located files as role -> Path -
and returns a `farm.data.imageset.ImageSet`. It may be given one parameter more, which no user writes: `fit`, see
`farm.data.fit.fit_of`.
"""

from pydantic import Field

from farm.catalog.images import AT_PATH, FROM_CODE, Made, cifar10_split
from farm.spec import Parameters, Spec


class Dataset(Parameters):
    """A labelled test split."""

    count: int | None = Field(None, ge=1, description="use only the first COUNT images")


class DatasetAt(Dataset):
    """A labelled test split of the user's own."""

    path: str = Field(min_length=1, description="file or folder, relative to the grid file or to FARM_DATA")


class DatasetFrom(Dataset):
    """A labelled test split that the user's own code gives."""

    factory: Made


DATASETS = {
    "cifar10": Spec(
        function="farm.data.cifar10:test",
        parameters=Dataset,
        doc="the CIFAR-10 test split: 10,000 images of 32x32, 10 classes",
        wanted=cifar10_split("test"),
        libraries=("pillow",),
    ),
    "digits": Spec(
        function="farm.data.digits:test",
        parameters=Dataset,
        doc="scikit-learn's handwritten digits, a third of them, at 32x32, 10 classes; needs no download",
        libraries=("scikit-learn", "pillow"),
    ),
    "folder": Spec(
        function="farm.data.folder:dataset",
        parameters=DatasetAt,
        doc="an image folder: one subfolder a class",
        wanted=AT_PATH,
        libraries=("pillow",),
    ),
    "parquet": Spec(
        function="farm.data.parquet:dataset",
        parameters=DatasetAt,
        doc="a Parquet file in the Hugging Face layout: img {bytes, path}, label",
        wanted=AT_PATH,
        libraries=("pillow",),
    ),
    "factory": Spec(
        function="farm.data.factory:dataset",
        parameters=DatasetFrom,
        doc="a dataset of your own: {factory: package.module:function}, items (image, label)",
        wanted=FROM_CODE,
        libraries=("pillow",),
    ),
}
