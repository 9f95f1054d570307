"""Image sources by name: where calibration images come from, real and synthesised.

Functions are as those of `farm.catalog.datasets`; one that is `equipped` takes an `Equipment` as third argument.
"""

from typing import Annotated, Literal

from pydantic import Field

from farm.catalog.datasets import (
    ANNOTATIONS,
    AT_PATH,
    BOXES,
    FROM_CODE,
    LABELS,
    NAMES,
    Annotations,
    BoxFiles,
    Classes,
    Labels,
    Made,
    Place,
    Split,
    cifar10_split,
)
from farm.spec import InputSpec, Parameters, Sha256, Size, SourceSpec

Precision = Annotated[Literal["f32", "bf16"], Field(description="of the network's arithmetic")]

SHIPPED = "farm-cifar10"  # weights of a DiStyleGAN, and a model card beside them


class SourceParameters(Parameters):
    """What every calibration set says of itself."""

    count: int = Field(1000, ge=1, description="how many images the set holds")


class Seeded(SourceParameters):
    """Sets that differ by their seed."""

    seed: int = Field(0, ge=0, lt=2**63, description="seed of the whole set")


class Real(Seeded):
    """Real images, sampled class by class."""

    seed: int = Field(0, ge=0, lt=2**63, description="which images are sampled")
    skip: int = Field(0, ge=0, description="leave out the first SKIP images of the sample")
    classes: Classes = None


class RealFrom(Real):
    """Real images that the user's own code gives."""

    factory: Made


class RealAt(Real):
    """Real images of the user's own."""

    path: Place


class RealIn(RealAt):
    """Real images in a folder of the user's own."""

    labels: Labels = None


class RealOf(RealAt):
    """Real images of the user's own among others."""

    split: Split = None


class RealOfCoco(RealAt):
    """Real images with boxes in COCO's JSON."""

    annotations: Annotations


class RealOfYolo(RealAt):
    """Real images with boxes in text files."""

    boxes: BoxFiles


class Sharded(SourceParameters):
    """Images that `farm synth` has made, in their order."""

    path: str = Field(min_length=1, description="a folder of shards, relative to the grid file or to FARM_DATA")
    skip: int = Field(0, ge=0, description="leave out the first SKIP images of the folder")


class Synthetic(Seeded):
    """Images computed from (parameters, seed, index)."""

    size: (
        Annotated[Size, Field(description="height and width in pixels, or one number for both; the model's by default")]
        | None
    ) = None


class Distilled(Seeded):
    """Images from a trained DiStyleGAN, 32x32."""

    weights: str = Field(
        SHIPPED,
        min_length=1,
        description=f"a folder with generator.pt and config.json, a packed .safetensors, or {SHIPPED}: shipped",
        json_schema_extra={"shown": True},
    )
    precision: Precision = "f32"


class StyleGan2(Seeded):
    """Images from a StyleGAN2-ADA of the user's own, in its own size."""

    weights: str = Field(min_length=1, description="NVIDIA's .pkl: a file beside the grid or in FARM_DATA, or its URL")
    sha256: Sha256 = None
    truncation_psi: float = Field(1.0, description="how far from the mean latent images are sampled; 1: not truncated")
    truncation_cutoff: int | None = Field(None, ge=0, description="truncate the first CUTOFF layers only")
    noise_mode: Literal["const", "random", "none"] = Field("const", description="the noise that layers add")
    precision: Precision = "f32"
    latents: Literal["farm", "nvidia"] = Field(
        "farm", description="nvidia: image i has the latent of NVIDIA's generate.py for the seed SEED + i"
    )


class Fractal(Synthetic):
    """Iterated function systems."""

    points: int | None = Field(None, ge=100, description="points of an image; 8 for each of its pixels by default")
    fill: float = Field(0.2, gt=0, lt=1, description="least share of the canvas an attractor fills")
    categories: int = Field(
        1000, ge=1, le=100_000, description="how many systems there are; image i is of system i mod CATEGORIES"
    )
    patches: bool = Field(True, description="each point is a random pattern of 3x3 pixels, one for each image")
    rotation: float = Field(30.0, ge=0, le=90, description="images are turned by at most so many degrees either way")
    background: float = Field(
        0.2, ge=0, le=1, description="how bright a background colour may be; bright ones calibrate worse, 0 is black"
    )
    blur: int = Field(1, ge=0, le=16, description="images are blurred by at most so many passes of (1, 2, 1) / 4")


_DISTYLEGAN = InputSpec(
    role="weights",
    parameter="weights",
    shipped={SHIPPED: f"weights/distylegan_{SHIPPED}.safetensors"},
    hint="give `weights: FOLDER` with generator.pt and config.json",
)
_PICKLE = "give `weights: FILE.pkl`, a snapshot of NVIDIA's stylegan2-ada-pytorch"

SOURCES = {
    "cifar10": SourceSpec(
        function="farm.data.cifar10:train", parameters=Real, inputs=(*cifar10_split("train"), NAMES),
        doc="the CIFAR-10 train split: real images", libraries=("numpy", "pillow"),
    ),
    "digits": SourceSpec(
        function="farm.data.digits:train", parameters=Real, inputs=(NAMES,),
        libraries=("numpy", "scikit-learn", "pillow"),
        doc="scikit-learn's handwritten digits, the other two thirds: real images; needs no download",
    ),
    "folder": SourceSpec(
        function="farm.data.folder:source", parameters=RealIn, inputs=(*AT_PATH, NAMES, LABELS),
        doc="an image folder, with or without one subfolder a class", libraries=("numpy", "pillow"),
    ),
    "parquet": SourceSpec(
        function="farm.data.parquet:source", parameters=RealOf, inputs=(*AT_PATH, NAMES), libraries=("numpy", "pillow"),
        doc="Parquet in the Hugging Face layout, a file or a folder: img {bytes, path}, label if there is one",
    ),
    "npz": SourceSpec(
        function="farm.data.npz:source", parameters=RealOf, inputs=(*AT_PATH, NAMES), libraries=("numpy", "pillow"),
        doc="NumPy's .npz: x_train and y_train, train_images and train_labels, or images",
    ),
    "coco": SourceSpec(
        function="farm.data.objects:coco_source", parameters=RealOfCoco, inputs=(*AT_PATH, NAMES, ANNOTATIONS),
        doc="an image folder with COCO's JSON of the boxes in them", libraries=("numpy", "pillow"), task="detection",
    ),
    "yolo": SourceSpec(
        function="farm.data.objects:yolo_source", parameters=RealOfYolo, inputs=(*AT_PATH, NAMES, BOXES),
        doc="an image folder with YOLO's text files of the boxes in them", libraries=("numpy", "pillow"),
        task="detection",
    ),
    "factory": SourceSpec(
        function="farm.data.factory:source", parameters=RealFrom, inputs=(*FROM_CODE, NAMES),
        libraries=("numpy", "pillow"),
        doc="images of your own: {factory: package.module:function}, items (image, label) or bare images",
    ),
    "shards": SourceSpec(
        function="farm.data.shards:source", parameters=Sharded, inputs=AT_PATH, libraries=("numpy", "pillow"),
        doc="a folder of images that `farm synth` has made",
    ),
    "distylegan": SourceSpec(
        function="farm.generators.distylegan.source:source", parameters=Distilled, libraries=("numpy", "torch"),
        doc=f"the study's small GAN at 32x32; {SHIPPED} is farm's own: trained on real CIFAR-10, not distilled",
        inputs=(_DISTYLEGAN,), equipped=True, network="farm.generators.distylegan.source:network",
    ),
    "stylegan2-ada": SourceSpec(
        function="farm.generators.stylegan2.source:source", parameters=StyleGan2, libraries=("numpy", "torch"),
        doc="StyleGAN2-ADA from NVIDIA's pickles, read as data, in any size",
        inputs=(InputSpec(role="weights", parameter="weights", hint=_PICKLE),), equipped=True,
        network="farm.generators.stylegan2.source:network",
    ),
    "fractal": SourceSpec(
        function="farm.generators.fractal.source:source", parameters=Fractal, libraries=("numpy",), equipped=True,
        doc="fractals from iterated function systems: no data at all (Kataoka et al. 2020)",
    ),
    "noise": SourceSpec(
        function="farm.generators.noise:source", parameters=Synthetic, libraries=("numpy",),
        doc="uniform noise: the floor that every other source should beat",
    ),
}  # fmt: skip
