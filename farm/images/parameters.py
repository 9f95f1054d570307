"""What a grid may say of each dataset and image source. Knows names, types and ranges, no function."""

from typing import Annotated, Literal

from pydantic import Field

from farm.spec import Hash, Parameters

Side = Annotated[int, Field(ge=1)]
Size = Annotated[tuple[Side, Side], Field(description="height and width in pixels; the model's by default")]
Made = Annotated[
    str,
    Field(
        min_length=1,
        description="package.module:function returning a map-style dataset of (image, label); it is run as code",
    ),
]

SHIPPED = "farm-cifar10"  # weights of a DiStyleGAN, and a model card beside them


class Dataset(Parameters):
    """A labelled test split."""

    count: int | None = Field(None, ge=1, description="use only the first COUNT images")


class DatasetAt(Dataset):
    """A labelled test split of the user's own."""

    path: str = Field(min_length=1, description="file or folder, relative to the grid file or to FARM_DATA")


class DatasetFrom(Dataset):
    """A labelled test split that the user's own code gives."""

    factory: Made


class Real(Parameters):
    """Real images, drawn class by class."""

    count: int = Field(1000, ge=1, description="how many images the set holds")
    seed: int = Field(0, ge=0, lt=2**63, description="which images are drawn")
    skip: int = Field(0, ge=0, description="leave out the first SKIP images of the drawing")


class RealFrom(Real):
    """Real images that the user's own code gives."""

    factory: Made


class RealAt(Real):
    """Real images of the user's own."""

    path: str = Field(min_length=1, description="file or folder, relative to the grid file or to FARM_DATA")


class Sharded(Parameters):
    """Images that `farm synth` has made, in their order."""

    path: str = Field(min_length=1, description="a folder of shards, relative to the grid file or to FARM_DATA")
    count: int = Field(1000, ge=1, description="how many images the set holds")
    skip: int = Field(0, ge=0, description="leave out the first SKIP images of the folder")


class Synthetic(Parameters):
    """Images computed from (parameters, seed, index)."""

    count: int = Field(1000, ge=1, description="how many images the set holds")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the whole set")
    size: Size | None = None


class Distilled(Parameters):
    """Images from a trained DiStyleGAN, 32x32."""

    count: int = Field(1000, ge=1, description="how many images the set holds")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the whole set")
    weights: str = Field(
        SHIPPED,
        min_length=1,
        description=f"a folder with generator.pt and config.json, a packed .safetensors, or {SHIPPED}: shipped",
        json_schema_extra={"shown": True},
    )
    precision: Literal["f32", "bf16"] = Field("f32", description="of the network's arithmetic")


class StyleGan2(Parameters):
    """Images from a StyleGAN2-ADA of the user's own, in its own size."""

    count: int = Field(1000, ge=1, description="how many images the set holds")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the whole set")
    weights: str = Field(min_length=1, description="NVIDIA's .pkl: a file beside the grid or in FARM_DATA, or its URL")
    sha256: Hash | None = Field(None, description="the file's SHA-256, or its first 8 digits or more")
    truncation_psi: float = Field(1.0, description="how far from the mean latent images are drawn; 1: not truncated")
    truncation_cutoff: int | None = Field(None, ge=0, description="truncate the first CUTOFF layers only")
    noise_mode: Literal["const", "random", "none"] = Field("const", description="the noise that layers add")
    precision: Literal["f32", "bf16"] = Field("f32", description="of the network's arithmetic")
    latents: Literal["farm", "nvidia"] = Field(
        "farm", description="nvidia: image i has the latent of NVIDIA's generate.py for the seed SEED + i"
    )


class Fractal(Synthetic):
    """Iterated function systems."""

    points: int | None = Field(None, ge=100, description="points drawn an image; 8 for each of its pixels by default")
    fill: float = Field(0.2, gt=0, lt=1, description="least share of the canvas an attractor fills")
    categories: int = Field(
        1000, ge=1, le=100_000, description="how many systems there are; image i is of system i mod CATEGORIES"
    )
    patches: bool = Field(True, description="draw each point as a random pattern of 3x3 pixels, one for each image")
    rotation: float = Field(30.0, ge=0, le=90, description="images are turned by at most so many degrees either way")
    background: float = Field(
        0.2, ge=0, le=1, description="how bright a background colour may be; bright ones calibrate worse, 0 is black"
    )
    blur: int = Field(1, ge=0, le=16, description="images are blurred by at most so many passes of (1, 2, 1) / 4")
