"""DiStyleGAN's layers, for training and, folded, for generating. Knows tensors, no files."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

SIDE, FIRST = 32, 4  # pixels: of an image, of the map that the first layers make
CHANNELS = 3
HALVINGS = 8  # three layers halve the channels, so their number must be a multiple of this


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
        classes = functional.one_hot(labels, self.config.c_dim).to(z.dtype)
        first = self.fc(torch.cat([self.project(z), classes], dim=1))
        maps = first.view(-1, self.config.ngf, FIRST, FIRST)
        images: Tensor = self.img(self.upsample3(self.upsample2(self.upsample1(maps))))
        return images


class Folded(nn.Module):
    """A trained generator for generating only: the same images up to rounding, with less arithmetic.

    Batch normalisation is folded into the layer before it, and each 3x3 convolution of a map that was doubled by
    repetition is one 2x2 convolution of the map itself to four times the channels, one set for each place in a
    2x2 square of the result: 16 products an input pixel in place of 36.
    """

    def __init__(
        self, generator: Generator, dtype: torch.dtype = torch.float32, held: torch.dtype | None = None
    ) -> None:
        """generator: in eval mode; it stays as it is.

        dtype: to which all layers but the last, which is float32, are rounded. held: in which they compute; dtype.
        """
        super().__init__()
        self.config, self.dtype = generator.config, held or dtype
        rounded = (_folded(block, 0).to(dtype) for block in (generator.project, generator.fc))
        self.project, self.fc = (layer.to(self.dtype) for layer in rounded)
        blocks = (generator.upsample1, generator.upsample2, generator.upsample3)
        self.doublings = nn.ModuleList(Doubling(_folded(block, 1)).to(dtype).to(self.dtype) for block in blocks)
        self.last = generator.img[0]

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """As `Generator.forward`, float32."""
        classes = functional.one_hot(labels, self.config.c_dim).to(self.dtype)
        projected = functional.glu(self.project(z.to(self.dtype)), dim=1)
        maps = functional.glu(self.fc(torch.cat([projected, classes], dim=1)), dim=1)
        maps = maps.view(-1, self.config.ngf, FIRST, FIRST).contiguous(memory_format=torch.channels_last)
        for doubling in self.doublings:
            maps = functional.glu(doubling(maps), dim=1)
        return torch.tanh(self.last(maps.float()))


class Doubling(nn.Module):
    """Nearest-neighbour doubling and then a 3x3 convolution of padding 1, as one 2x2 convolution."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        """convolution: 3x3 with a bias."""
        super().__init__()
        outputs, inputs = convolution.weight.shape[:2]
        self.outputs = outputs
        self.quarters = nn.Conv2d(inputs, 4 * outputs, 2, padding=1)
        weight, bias = convolution.weight.detach(), convolution.bias
        with torch.no_grad():
            quarters = [_summed(_summed(weight, 2, a), 3, b) for a in (0, 1) for b in (0, 1)]
            self.quarters.weight.copy_(torch.cat(quarters))
            self.quarters.bias.copy_(bias.detach().repeat(4))  # type: ignore[union-attr]
        self.quarters = self.quarters.to(memory_format=torch.channels_last)

    def forward(self, maps: Tensor) -> Tensor:
        """maps: (n, inputs, h, w). Returns (n, outputs, 2 h, 2 w)."""
        height, width = maps.shape[2:]
        quarters = self.quarters(maps)  # (n, 4 outputs, h + 1, w + 1): its place (i, j) sees (i - 1, j - 1) to (i, j)
        parts = quarters.split(self.outputs, dim=1)
        shape = (len(maps), self.outputs, 2 * height, 2 * width)
        doubled = torch.empty(shape, dtype=quarters.dtype, device=quarters.device, memory_format=torch.channels_last)
        for place, part in enumerate(parts):
            a, b = divmod(place, 2)
            doubled[:, :, a::2, b::2] = part[:, :, a : a + height, b : b + width]
        return doubled


def _folded(block: Any, at: int) -> Any:
    """The linear layer or convolution at a place of a block, with the normalisation after it."""
    fuse: Any = fuse_linear_bn_eval if isinstance(block[at], nn.Linear) else fuse_conv_bn_eval
    return fuse(block[at], block[at + 1])


def _summed(weight: Tensor, axis: int, odd: int) -> Tensor:
    """The three taps of an axis as the two that they are on the map before doubling, at its even or odd places."""
    first, second, third = weight.unbind(axis)
    return torch.stack([first + second, third] if odd else [first, second + third], dim=axis)


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
