"""Datasets by name: labelled test splits, on which accuracy is computed.

Each function takes ``(parameters, files)`` - the checked parameters as a dict and the located files as role -> Path -
and returns a `farm.data.imageset.ImageSet`. It may be given one parameter more, which no user writes: `fit`, see
`farm.axes.Fit`.
"""

from typing import Annotated

from pydantic import BeforeValidator, Field

from farm.spec import InputSpec, LoadedSpec, Parameters, fault

Made = Annotated[
    str,
    Field(
        min_length=1,
        description="package.module:function returning a map-style dataset of (image, label); it is run as code",
    ),
]
Place = Annotated[str, Field(min_length=1, description="file or folder, relative to the grid file or to FARM_DATA")]

RULE = 2  # by which the COUNT images of a dataset are chosen. 1: the first ones; 2: class by class


def _class_names(value: object) -> object:
    """What YAML gives, names that it takes for numbers as names."""
    names = tuple(str(one) if type(one) is int else one for one in value) if isinstance(value, tuple) else ()
    if value is None or (isinstance(value, str) and value):
        return value
    if not names or not all(isinstance(one, str) and one for one in names) or len(set(names)) < len(names):
        text = "must be the names of the classes, each once, or a file with a name a line"
        raise fault(f"{text}; quote what YAML takes for something else, such as 'no' and '01'")
    return names


Classes = Annotated[
    tuple[str, ...] | str | None,
    BeforeValidator(_class_names),
    Field(
        description="names of the classes as the model numbers them, from 0: a list, or a file with a name a line",
        json_schema_extra={"shown": False},
    ),
]
Labels = Annotated[
    str | None,
    Field(
        min_length=1,
        description="file with an image's name and its class a line, instead of class folders",
        json_schema_extra={"shown": False},
    ),
]
Split = Annotated[
    str | None, Field(min_length=1, description="which part of the images, where there are several: test, train ...")
]

Annotations = Annotated[
    str,
    Field(
        min_length=1,
        description="COCO's JSON of the images, such as instances_val2017.json, found like `path`",
        json_schema_extra={"shown": False},
    ),
]
BoxFiles = Annotated[
    str,
    Field(
        min_length=1,
        description="folder with a .txt file an image, of boxes as YOLO has them, found like `path`",
        json_schema_extra={"shown": False},
    ),
]

AT_PATH = (InputSpec(role="images", parameter="path", hint="`path` is looked for beside the grid and in FARM_DATA"),)
NAMES = InputSpec(
    role="classes",
    parameter="classes",
    optional=True,
    hint="`classes` is a list of names, or a file with a name a line",
)
LABELS = InputSpec(
    role="labels",
    parameter="labels",
    optional=True,
    hint="`labels` is a file with an image's name and its class a line",
)
ANNOTATIONS = InputSpec(
    role="annotations", parameter="annotations", hint="`annotations` is looked for beside the grid and in FARM_DATA"
)
BOXES = InputSpec(role="boxes", parameter="boxes", hint="`boxes` is looked for beside the grid and in FARM_DATA")
FROM_CODE = (InputSpec(role="images", parameter="factory", code=True),)


def cifar10_split(split: str) -> tuple[InputSpec, ...]:
    """A split of CIFAR-10, where it may lie, and its official origin."""
    split_file = InputSpec(
        role="images",
        patterns=(f"cifar10/{split}.parquet", f"cifar10/plain_text/{split}-*.parquet", "cifar-10-batches-py"),
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        hint=f"set FARM_DATA to a folder with cifar10/{split}.parquet or cifar-10-batches-py/",
    )
    return (split_file,)


class DatasetParameters(Parameters):
    """A labelled test split."""

    count: int | None = Field(None, ge=1, description="use only COUNT images, as many of each class")
    classes: Classes = None


class DatasetAt(DatasetParameters):
    """A labelled test split of the user's own."""

    path: Place


class DatasetIn(DatasetAt):
    """A labelled test split in a folder of the user's own."""

    labels: Labels = None


class DatasetOf(DatasetAt):
    """A labelled test split among others of the user's own."""

    split: Split = None


class DatasetOfCoco(DatasetAt):
    """Images with boxes in COCO's JSON."""

    annotations: Annotations


class DatasetOfYolo(DatasetAt):
    """Images with boxes in text files."""

    boxes: BoxFiles


class DatasetFrom(DatasetParameters):
    """A labelled test split that the user's own code gives."""

    factory: Made


DATASETS = {
    "cifar10": LoadedSpec(
        function="farm.data.cifar10:test", parameters=DatasetParameters, inputs=(*cifar10_split("test"), NAMES),
        doc="the CIFAR-10 test split: 10,000 images of 32x32, 10 classes", libraries=("pillow",),
        classes=10, size=(32, 32),
    ),
    "digits": LoadedSpec(
        function="farm.data.digits:test", parameters=DatasetParameters, inputs=(NAMES,),
        libraries=("scikit-learn", "pillow"), classes=10, size=(32, 32),
        doc="scikit-learn's handwritten digits, a third of them, at 32x32, 10 classes; needs no download",
    ),
    "folder": LoadedSpec(
        function="farm.data.folder:dataset", parameters=DatasetIn, inputs=(*AT_PATH, NAMES, LABELS),
        doc="an image folder: one subfolder a class, or a file of labels", libraries=("pillow",),
    ),
    "parquet": LoadedSpec(
        function="farm.data.parquet:dataset", parameters=DatasetOf, inputs=(*AT_PATH, NAMES),
        doc="Parquet in the Hugging Face layout, a file or a folder: img {bytes, path}, label", libraries=("pillow",),
    ),
    "npz": LoadedSpec(
        function="farm.data.npz:dataset", parameters=DatasetOf, inputs=(*AT_PATH, NAMES), libraries=("numpy", "pillow"),
        doc="NumPy's .npz as Keras and MedMNIST have it: x_test, y_test or test_images, test_labels",
    ),
    "coco": LoadedSpec(
        function="farm.data.objects:coco_dataset", parameters=DatasetOfCoco, inputs=(*AT_PATH, NAMES, ANNOTATIONS),
        doc="an image folder with COCO's JSON of the boxes in them: for detection", libraries=("pillow",),
        task="detection",
    ),
    "yolo": LoadedSpec(
        function="farm.data.objects:yolo_dataset", parameters=DatasetOfYolo, inputs=(*AT_PATH, NAMES, BOXES),
        doc="an image folder with YOLO's text files of the boxes in them: for detection", libraries=("pillow",),
        task="detection",
    ),
    "factory": LoadedSpec(
        function="farm.data.factory:dataset", parameters=DatasetFrom, inputs=(*FROM_CODE, NAMES),
        doc="a dataset of your own: {factory: package.module:function}, items (image, label)", libraries=("pillow",),
    ),
}  # fmt: skip
