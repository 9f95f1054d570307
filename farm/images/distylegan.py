"""Images from DiStyleGAN, the study's small generator. Owns its network, its checkpoint and its latents.

A class-conditional generator for 32x32, distilled from StyleGAN2-ADA's samples in the manner of TinyGAN (Chang,
Lu 2020, arXiv 2009.13829). Its checkpoint is a folder: ``generator.pt``, a state dict, and ``config.json``.
Files are data, never code: a checkpoint that needs code to be read is refused.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import one_hot

from farm.checkpoint import read_weights
from farm.errors import DataError
from farm.images.imageset import Block, Files, ImageSet, Parameters, Pixels, check_range

WEIGHTS, CONFIG = "generator.pt", "config.json"
SIDE, FIRST = 32, 4  # pixels: of an image, of the map that the first layers make
CHANNELS = 3
HALVINGS = 8  # three layers halve the channels, so their number must be a multiple of this
WIDEST = 1 << 16  # a greater number in a config is a mistake
ALIGNED = 256  # images computed together, always as many: another batch would round otherwise
LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What of ``config.json`` shapes the generator.

    ngf: channels of the first map. z_dim: length of a latent. c_dim: number of classes. project_dim: length
    of the projected latent. nc: channels of an image.
    """

    ngf: int
    z_dim: int
    c_dim: int
    project_dim: int
    nc: int


class Generator(nn.Module):
    """DiStyleGAN's generator, its parameters named as in the study's checkpoints."""

    def __init__(self, config: Config) -> None:
        """Build the layers with whatever weights torch gives them."""
        super().__init__()
        self.config = config
        self.project = _linear(config.z_dim, config.project_dim)
        self.fc = _linear(config.project_dim + config.c_dim, config.ngf * FIRST * FIRST)
        self.upsample1 = _upsample(config.ngf)
        self.upsample2 = _upsample(config.ngf // 2)
        self.upsample3 = _upsample(config.ngf // 4)
        last = nn.Conv2d(config.ngf // HALVINGS, config.nc, 3, padding=1, bias=False)
        self.img = nn.Sequential(last, nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """z: (n, z_dim), normal. labels: int64 (n,). Returns (n, nc, 32, 32) in [-1, 1]."""
        classes = one_hot(labels, self.config.c_dim).to(z.dtype)
        first = self.fc(torch.cat([self.project(z), classes], dim=1))
        maps = first.view(-1, self.config.ngf, FIRST, FIRST)
        images: Tensor = self.img(self.upsample3(self.upsample2(self.upsample1(maps))))
        return images


@dataclass(slots=True, kw_only=True)
class Generated:
    """Images by index. kept: the last aligned block that was computed, 0.75 MiB, and where it starts."""

    generator: Generator
    folder: Path
    count: int
    seed: int
    kept: tuple[int, Pixels] | None = field(default=None)

    @property
    def classes(self) -> int:
        """The number of classes that the generator was trained on."""
        return self.generator.config.c_dim

    def __len__(self) -> int:
        """How many images there are."""
        return self.count

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1, computed in whole aligned blocks on one thread.

        Image i is a function of (weights, seed, i) alone and has class i mod C: equal to the byte on one
        instruction set and torch version. Raises DataError if the weights give NaN.
        """
        check_range(start, stop, self.count)
        images = np.empty((stop - start, SIDE, SIDE, CHANNELS), np.uint8)
        for base in range(start // ALIGNED * ALIGNED, stop, ALIGNED):
            low, high = max(start, base), min(stop, base + ALIGNED)
            if low < high:
                images[low - start : high - start] = self._aligned(base)[low - base : high - base]
        return Block(images, np.arange(start, stop, dtype=np.int64) % self.classes)

    def _aligned(self, base: int) -> Pixels:
        """The images base, ..., base + ALIGNED - 1."""
        if self.kept is None or self.kept[0] != base:
            z = latents(self.seed, base, base + ALIGNED, self.generator.config.z_dim)
            labels = torch.arange(base, base + ALIGNED) % self.classes
            with _one_thread(), torch.inference_mode():
                images = self.generator(torch.from_numpy(z), labels).permute(0, 2, 3, 1).numpy()
            if not np.isfinite(images).all():
                raise DataError(f"{self.folder}: the weights give NaN: train or fetch the checkpoint again")
            self.kept = (base, np.rint((images + 1) * 127.5).astype(np.uint8))
        return self.kept[1]


def source(parameters: Parameters, files: Files) -> ImageSet:
    """`count` images of the checkpoint folder ``files["weights"]``, class by class, of 32x32.

    Raises DataError if the checkpoint cannot be read, or its weights are not those that its config tells of.
    """
    folder = files["weights"]
    return Generated(generator=load(folder), folder=folder, count=parameters["count"], seed=parameters["seed"])


def latents(seed: int, start: int, stop: int, length: int) -> NDArray[np.float32]:
    """The latents of the images start, ..., stop - 1: float32 (n, length), standard normal."""
    key = np.array([seed, 0], np.uint64)
    # the counter's lowest word counts the numbers drawn, the next one is the image: no overlap
    streams = (np.random.Generator(np.random.Philox(key=key, counter=[0, i, 0, 0])) for i in range(start, stop))
    return np.stack([stream.standard_normal(length) for stream in streams]).astype(np.float32)


def load(folder: Path) -> Generator:
    """A checkpoint folder's generator in eval mode, in float32.

    Raises DataError if a file is missing, damaged or something else, or if the two do not agree.
    """
    config = _config(folder / CONFIG)
    tensors = read_weights(folder / WEIGHTS)
    with torch.device("meta"):  # no memory yet: a wrong config may ask for any amount
        generator = Generator(config)
    wrong = list(_disagreements(generator.state_dict(), tensors))
    if wrong:
        more = f" and {len(wrong) - LISTED} more" if len(wrong) > LISTED else ""
        told = f"not the weights that {CONFIG} tells of: {', '.join(wrong[:LISTED])}{more}"
        raise DataError(f"{folder / WEIGHTS}: {told}: give the folder of one training")
    generator.load_state_dict(tensors, assign=True)
    return generator.eval()


def _linear(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 2 * outputs, bias=False), nn.BatchNorm1d(2 * outputs), nn.GLU(dim=1))


def _upsample(channels: int) -> nn.Sequential:
    """Twice the side, half the channels, which are as many as the convolution's before the GLU."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.GLU(dim=1),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch computes on one thread: with more, sums are split otherwise and round otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _config(path: Path) -> Config:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        text = f"cannot be read as JSON ({type(error).__name__}: {error})"
        raise DataError(f"{path}: {text}: give a folder with {WEIGHTS} and {CONFIG}") from error
    names = [each.name for each in fields(Config)]
    found: dict[str, Any] = {name: read.get(name) for name in names} if isinstance(read, dict) else {}
    wrong = [name for name in names if type(found.get(name)) is not int or not 1 <= found[name] <= WIDEST]
    if wrong:
        told = ", ".join(f"{name} {found.get(name)!r}" for name in wrong)
        raise DataError(f"{path}: {told}: each must be a whole number from 1 to {WIDEST}, as in the study's config")
    if found["ngf"] % HALVINGS:
        raise DataError(f"{path}: ngf {found['ngf']}: must be a multiple of {HALVINGS}, for it is halved three times")
    if found["nc"] != CHANNELS:
        raise DataError(f"{path}: nc {found['nc']}: farm's images have {CHANNELS} channels: train on RGB images")
    return Config(**found)


def _disagreements(own: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """What is missing, of another shape or kind, or not the generator's, tensor by tensor."""
    for name, value in own.items():
        if name not in tensors:
            yield f"{name} is missing"
        elif tensors[name].shape != value.shape:
            yield f"{name} is {tuple(tensors[name].shape)}, not {tuple(value.shape)}"
        elif tensors[name].is_floating_point() != value.is_floating_point():
            yield f"{name} is {tensors[name].dtype}, not {value.dtype}"
    yield from (f"{name} is not the generator's" for name in tensors if name not in own)
