"""StyleGAN2-ADA's generator, from latents to images. Owns its arithmetic; knows no file and no grey levels.

After Karras et al. 2020: modulated convolutions and skip connections (arXiv 1912.04958, section 2 and figure 7),
class embedding and clamps (arXiv 2006.06676, appendix). Maps are (n, H, W, channels). Nothing changes while images
are computed, so any number of threads may compute.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv_transpose2d, leaky_relu_, one_hot

from farm.generators.stylegan2.config import RGB, SMALLEST, Config
from farm.generators.stylegan2.convolution import Convolution

SLOPE, GAIN, TINY = 0.2, 2**0.5, 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A fully connected layer. weight: (inputs, outputs). bias: (outputs,)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """x: (n, inputs). Returns (n, outputs)."""
        return torch.addmm(self.bias, x, self.weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A modulated convolution, noise, and a leaky ReLU whose gain lies in the numbers before it.

    squares: (inputs, outputs), of the weights, summed over the taps. bias: (1, H, W, outputs). constant: the same
    with constant noise. strength: of noise. clamp: of what comes out, if any.
    """

    affine: Linear
    convolution: Convolution
    squares: Tensor
    bias: Tensor
    constant: Tensor
    strength: Tensor
    clamp: float | None

    def __call__(self, x: Tensor, w: Tensor, noise: Tensor | None, *, constant: bool) -> Tensor:
        """x: (n, h, w, inputs). w: (n, w_dim). noise: (n, H, W). Returns (n, H, W, outputs)."""
        styles = self.affine(w)
        scale = (styles.square() @ self.squares + TINY).rsqrt() * GAIN
        shift = self.constant if constant else self.bias
        maps = self.convolution(x, styles.to(x.dtype), scale.to(x.dtype), shift)
        if noise is not None:
            maps += (noise * self.strength).to(x.dtype).unsqueeze(3)
        leaky_relu_(maps, SLOPE)
        return maps if self.clamp is None else maps.clamp_(-self.clamp, self.clamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRgb:
    """A modulated convolution of 1x1 without normalisation. weight: (1, channels, 3). bias: (3,)."""

    affine: Linear
    weight: Tensor
    bias: Tensor
    clamp: float | None

    def __call__(self, x: Tensor, w: Tensor) -> Tensor:
        """x: (n, H, W, channels). w: (n, w_dim). Returns float32 (n, H, W, 3)."""
        modulated = self.affine(w).unsqueeze(2) * self.weight
        colours = torch.baddbmm(self.bias, x.flatten(1, 2).float(), modulated).view(*x.shape[:3], RGB)
        return colours if self.clamp is None else colours.clamp_(-self.clamp, self.clamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The layers at one resolution. taps: (3, 1, 4, 4), of the filter by which the image so far gets there."""

    layers: tuple[Layer, ...]
    rgb: ToRgb
    taps: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """The prepared networks. embed: of classes, if there are any. first: (1, 4, 4, channels), the first map."""

    config: Config
    embed: Linear | None
    mapping: tuple[Linear, ...]
    averaged: Tensor | None
    first: Tensor
    blocks: tuple[Block, ...]

    def latents(self, z: Tensor, labels: Tensor) -> Tensor:
        """Intermediate latents w. z: float32 (n, z_dim). labels: int64 (n,), -1 for none. Returns (n, w_dim)."""
        x = _normalized(z)
        if self.embed is not None:
            classes = one_hot(labels + 1, self.config.classes + 1)[:, 1:]  # no class: zeros
            x = torch.cat([x, _normalized(self.embed(classes.to(z.dtype)))], dim=1)
        for layer in self.mapping:
            x = leaky_relu_(layer(x), SLOPE)
        return x

    def truncated(self, w: Tensor, psi: float) -> Tensor:
        """Intermediate latents moved towards their mean, where a generator has it. From 1912.04958, section 1."""
        return w if self.averaged is None or psi == 1 else self.averaged.lerp(w, psi)

    def images(self, ws: Sequence[Tensor], noise: Sequence[Tensor] | None, *, constant: bool) -> Tensor:
        """Images of intermediate latents.

        ws: (n, w_dim) for each of the layers, two at every resolution. noise: (n, H, W) for each convolution of 3x3,
        or none. constant: whether to add the noise that the generator came with. Returns float32 (n, 3, H, W).
        """
        x = self.first.expand(len(ws[0]), -1, -1, -1)
        image = ws[0].new_zeros(len(x), RGB, SMALLEST // 2, SMALLEST // 2)  # nothing yet
        index = 0
        for block in self.blocks:
            for layer in block.layers:
                x = layer(x, ws[index], noise[index] if noise else None, constant=constant)
                index += 1
            colours = block.rgb(x, ws[index]).permute(0, 3, 1, 2)
            image = colours + conv_transpose2d(image, block.taps, stride=2, padding=1, groups=RGB)
        return image.contiguous()


def _normalized(x: Tensor) -> Tensor:
    """Of second moment 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + TINY).rsqrt()
