"""What stages are about. Imports nothing, so that the fresh interpreter of a round may have it.

`options` are the parameters of an entry of the catalog, which its own function knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GREY = "grey"
IMAGE = "image"  # what an input of a model gets that the images go into
STRETCH, LETTERBOX = "stretch", "letterbox"  # ways to make the whole of an image fit
PAD = 114  # of a letterbox's border, as the YOLO family has it
NARROW, WIDE = 0.2, 300.0  # from the least to the greatest input: of raw pixels it is 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How uint8 RGB images become a model's input: ``(x * scale - mean) / std``.

    size: (height, width) in pixels. mean, std: per channel of the model's, in the range after scaling; of a grey model
    the first alone. layout: ``NCHW`` or ``NHWC``. input: ``f32``, ``f16``, or ``u8`` for raw pixels, which are not
    normalised. resize: the shorter side before a crop of the centre. whole: `STRETCH` or `LETTERBOX` in its place; with
    neither images are taken as they are. interpolation: of that resizing, a key of `farm.data.fit.INTERPOLATIONS`. pad:
    the brightness of a letterbox's border. corner: whether a letterboxed image lies in the left upper corner, not in
    the middle. mode: ``bgr`` for the channels the other way round, ``grey``
    for one channel of brightness; None for RGB.
    """

    size: tuple[int, int]
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    scale: float = 1 / 255
    layout: str = "NCHW"
    input: str = "f32"
    resize: int | None = None
    interpolation: str = "bilinear"
    whole: str | None = None
    pad: int | None = None
    corner: bool | None = None
    mode: str | None = None

    @property
    def channels(self) -> int:
        """How many the model's input has."""
        return 1 if self.mode == GREY else 3

    @property
    def input_range(self) -> tuple[float, float]:
        """The least and the greatest input of any channel, of pixels from 0 to 255."""
        if self.input == "u8":
            return 0.0, 255.0
        channels = zip(self.mean, self.std, strict=True)
        ends = [(pixel * self.scale - mean) / std for mean, std in channels for pixel in (0, 255)]
        return min(ends), max(ends)

    @property
    def is_odd(self) -> bool:
        """Whether the range of inputs is one that no network is trained on: narrow, wide, or far from 0."""
        low, high = self.input_range
        return not NARROW <= high - low <= WIDE or low > high - low or high < low - high


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How pictures of any size become `size`; as in `Preprocessing`."""

    resize: int | None = None
    size: tuple[int, int]
    interpolation: str
    whole: str | None = None
    pad: int | None = None
    corner: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What builds a network: its name in the zoo or in torchvision, a user's `factory`, or the `format` of a file."""

    name: str | None = None
    factory: str | None = None
    format: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """A dataset or a source by its name in the catalog.

    fit: None where real images must have the model's size. rule: the version of the rule by which part of a dataset is
    chosen; None of a whole one, and of a source.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    fit: Fit | None = None
    rule: int | None = None

    def arguments(self, **more: Any) -> dict[str, Any]:
        """What the function of the catalog takes: the options, and `fit` where there is one."""
        return {**self.options, **({"fit": self.fit} if self.fit else {}), **more}


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """A quantization algorithm by its name in the catalog."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a model is for, by its name in the catalog; with what a model says of its outputs."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What runs a model, and how; as in `farm.catalog.devices`. threads: None for all of the lease."""

    name: str = "CPU"
    precision: str = "f32"
    threads: int | None = None
    hint: str = "latency"
    batch: int = 1
    node: str | None = None
