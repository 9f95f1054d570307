"""Image sources by name: real ones and synthesised ones. Knows images and labels, not models.

Two tables: `DATASETS` (labelled test splits, on which accuracy is computed) and `SOURCES`
(calibration sets). Each function takes ``(parameters, files)`` - the checked parameters as a dict and
the located files as role -> Path - and returns an `imageset.ImageSet`.
Real ones may be given one parameter more, which no user writes: `fit`, see `fit.fit_of`.
"""

from farm.images.parameters import (
    SHIPPED,
    Dataset,
    DatasetAt,
    DatasetFrom,
    Distilled,
    Fractal,
    Real,
    RealAt,
    RealFrom,
    Sharded,
    StyleGan2,
    Synthetic,
)
from farm.spec import Spec, Wanted

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
CIFAR10_HINT = "set FARM_DATA to a folder with cifar10/{split}.parquet or cifar-10-batches-py/"


def _cifar10(split: str) -> tuple[Wanted, ...]:
    return (
        Wanted(
            role="images",
            among=(
                f"cifar10/{split}.parquet",
                f"cifar10/plain_text/{split}-*.parquet",
                "cifar-10-batches-py",
            ),
            url=CIFAR10_URL,
            sha256=CIFAR10_SHA256,
            hint=CIFAR10_HINT.format(split=split),
        ),
    )


_AT_PATH = (Wanted(role="images", parameter="path", hint="`path` is looked for beside the grid and in FARM_DATA"),)
_FROM_CODE = (Wanted(role="images", parameter="factory", code=True),)

DATASETS = {
    "cifar10": Spec(
        function="farm.images.cifar10:test",
        parameters=Dataset,
        doc="the CIFAR-10 test split: 10,000 images of 32x32, 10 classes",
        wanted=_cifar10("test"),
        libraries=("pillow",),
    ),
    "digits": Spec(
        function="farm.images.digits:test",
        parameters=Dataset,
        doc="scikit-learn's handwritten digits, a third of them, at 32x32, 10 classes; needs no download",
        libraries=("scikit-learn", "pillow"),
    ),
    "folder": Spec(
        function="farm.images.folder:dataset",
        parameters=DatasetAt,
        doc="an image folder: one subfolder a class",
        wanted=_AT_PATH,
        libraries=("pillow",),
    ),
    "parquet": Spec(
        function="farm.images.parquet:dataset",
        parameters=DatasetAt,
        doc="a Parquet file in the Hugging Face layout: img {bytes, path}, label",
        wanted=_AT_PATH,
        libraries=("pillow",),
    ),
    "factory": Spec(
        function="farm.images.factory:dataset",
        parameters=DatasetFrom,
        doc="a dataset of your own: {factory: package.module:function}, items (image, label)",
        wanted=_FROM_CODE,
        libraries=("pillow",),
    ),
}

SOURCES = {
    "cifar10": Spec(
        function="farm.images.cifar10:train",
        parameters=Real,
        doc="the CIFAR-10 train split: real images",
        wanted=_cifar10("train"),
        libraries=("numpy", "pillow"),
    ),
    "digits": Spec(
        function="farm.images.digits:train",
        parameters=Real,
        doc="scikit-learn's handwritten digits, the other two thirds: real images; needs no download",
        libraries=("numpy", "scikit-learn", "pillow"),
    ),
    "folder": Spec(
        function="farm.images.folder:source",
        parameters=RealAt,
        doc="an image folder, with or without one subfolder a class",
        wanted=_AT_PATH,
        libraries=("numpy", "pillow"),
    ),
    "parquet": Spec(
        function="farm.images.parquet:source",
        parameters=RealAt,
        doc="a Parquet file in the Hugging Face layout: img {bytes, path}, label if there is one",
        wanted=_AT_PATH,
        libraries=("numpy", "pillow"),
    ),
    "factory": Spec(
        function="farm.images.factory:source",
        parameters=RealFrom,
        doc="images of your own: {factory: package.module:function}, items (image, label) or bare images",
        wanted=_FROM_CODE,
        libraries=("numpy", "pillow"),
    ),
    "shards": Spec(
        function="farm.images.shards:source",
        parameters=Sharded,
        doc="a folder of images that `farm synth` has made",
        wanted=_AT_PATH,
        libraries=("numpy", "pillow"),
    ),
    "distylegan": Spec(
        function="farm.images.distylegan.source:source",
        parameters=Distilled,
        doc=f"the study's small GAN at 32x32; {SHIPPED} is farm's own: trained on real CIFAR-10, not distilled",
        wanted=(
            Wanted(
                role="weights",
                parameter="weights",
                named={SHIPPED: f"weights/distylegan_{SHIPPED}.safetensors"},
                hint="give `weights: FOLDER` with generator.pt and config.json",
            ),
        ),
        libraries=("numpy", "torch"),
        equipped=True,
        network="farm.images.distylegan.source:network",
    ),
    "stylegan2-ada": Spec(
        function="farm.images.stylegan2.source:source",
        parameters=StyleGan2,
        doc="StyleGAN2-ADA from NVIDIA's pickles, read as data, in any size",
        wanted=(
            Wanted(
                role="weights",
                parameter="weights",
                hint="give `weights: FILE.pkl`, a snapshot of NVIDIA's stylegan2-ada-pytorch",
            ),
        ),
        libraries=("numpy", "torch"),
        equipped=True,
        network="farm.images.stylegan2.source:network",
    ),
    "fractal": Spec(
        function="farm.images.fractal.source:source",
        parameters=Fractal,
        doc="fractals from iterated function systems: no data at all (Kataoka et al. 2020)",
        libraries=("numpy",),
        equipped=True,
    ),
    "noise": Spec(
        function="farm.images.noise:source",
        parameters=Synthetic,
        doc="uniform noise: the floor that every other source should beat",
        libraries=("numpy",),
    ),
}
