"""StyleGAN2-ADA computed in the conventional way, for comparison: what `bench_stylegan2` races and tests check by.

As the papers describe it (Karras et al. 2020, arXiv 1912.04958, section 2.2, and 2006.06676) and their authors'
implementation does it: every image gets weights of its own, scaled by its styles, and a batch is one grouped
convolution; going up is a transposed convolution and a filter that any padding, factor and taps could be given to;
bias, activation, gain and clamp are steps of their own. Takes parameters by NVIDIA's names.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, one_hot, pad

SLOPE, GAIN, TINY = 0.2, 2**0.5, 1e-8
Tensors = Mapping[str, Tensor]
Noise = Callable[[str, int], Tensor | None]  # of a layer, by its name and side


class Shape(NamedTuple):
    """layers: of the mapping. rate: its learning rate's multiplier. clamp: of what layers give."""

    classes: int
    layers: int
    resolution: int
    clamp: float | None
    rate: float = 0.01


def images(
    tensors: Tensors,
    shape: Shape,
    z: Tensor,
    labels: Tensor,
    *,
    psi: float = 1.0,
    cutoff: int | None = None,
    noise: Noise | None = None,
) -> Tensor:
    """z: (n, z_dim). labels: int64 (n,), -1 for none. noise: constant if None. Returns (n, 3, H, W) in z's type."""
    w = mapped(tensors, shape, z, labels, psi, cutoff)
    added = noise or (lambda name, _side: tensors[f"{name}.noise_const"] * tensors[f"{name}.noise_strength"])
    x = tensors["synthesis.b4.const"].unsqueeze(0).repeat(len(z), 1, 1, 1)
    image: Any = None
    side, index = 4, 0
    while side <= shape.resolution:
        block = f"synthesis.b{side}"
        if side > 4:
            x = layer(tensors, f"{block}.conv0", x, w[:, index], added(f"{block}.conv0", side), shape.clamp, up=2)
            index += 1
        x = layer(tensors, f"{block}.conv1", x, w[:, index], added(f"{block}.conv1", side), shape.clamp)
        index += 1
        if image is not None:
            image = filtered(image, tensors[f"{block}.resample_filter"], up=2, padding=(2, 1, 2, 1), gain=4)
        own = to_rgb(tensors, f"{block}.torgb", x, w[:, index], shape.clamp)
        image = own if image is None else image + own
        side *= 2
    return image


def mapped(tensors: Tensors, shape: Shape, z: Tensor, labels: Tensor, psi: float, cutoff: int | None) -> Tensor:
    """Intermediate latents, one for each layer: (n, layers, w_dim)."""
    x = normalized(z)
    if shape.classes:
        known = (labels >= 0).unsqueeze(1)
        classes = one_hot(labels.clamp(min=0), shape.classes).to(z.dtype) * known
        x = torch.cat([x, normalized(linear(tensors, "mapping.embed", classes))], dim=1)
    for number in range(shape.layers):
        x = leaky_relu(linear(tensors, f"mapping.fc{number}", x, shape.rate), SLOPE) * GAIN
    many = 2 * (shape.resolution.bit_length() - 2)
    w = x.unsqueeze(1).repeat(1, many, 1)
    if psi != 1:
        w[:, :cutoff] = tensors["mapping.w_avg"].lerp(w[:, :cutoff], psi)
    return w


def normalized(x: Tensor) -> Tensor:
    """Of second moment 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + TINY).rsqrt()


def linear(tensors: Tensors, name: str, x: Tensor, rate: float = 1.0) -> Tensor:
    """A fully connected layer whose weights are stored at unit variance."""
    weight = tensors[f"{name}.weight"]
    return x @ (weight * (rate / weight.shape[1] ** 0.5)).T + tensors[f"{name}.bias"] * rate


def layer(
    tensors: Tensors, name: str, x: Tensor, w: Tensor, noise: Tensor | None, clamp: float | None, up: int = 1
) -> Tensor:
    """A modulated convolution of 3x3, noise, bias, leaky ReLU."""
    taps = tensors[f"{name}.resample_filter"]
    x = modulated(x, tensors[f"{name}.weight"], linear(tensors, f"{name}.affine", w), taps, up=up)
    if noise is not None:
        x = x + noise
    x = leaky_relu(x + tensors[f"{name}.bias"][:, None, None], SLOPE) * GAIN
    return x if clamp is None else x.clamp(-clamp, clamp)


def to_rgb(tensors: Tensors, name: str, x: Tensor, w: Tensor, clamp: float | None) -> Tensor:
    """A modulated convolution of 1x1, without demodulation."""
    weight = tensors[f"{name}.weight"]
    styles = linear(tensors, f"{name}.affine", w) / weight.shape[1] ** 0.5
    x = modulated(x, weight, styles, demodulate=False) + tensors[f"{name}.bias"][:, None, None]
    return x if clamp is None else x.clamp(-clamp, clamp)


def modulated(
    x: Tensor, weight: Tensor, styles: Tensor, taps: Tensor | None = None, *, up: int = 1, demodulate: bool = True
) -> Tensor:
    """A convolution whose weights are each image's own. x: (n, in, H, W). styles: (n, in)."""
    many, inputs, height, width = x.shape
    own = weight.unsqueeze(0) * styles.reshape(many, 1, inputs, 1, 1)
    if demodulate:
        own = own * (own.square().sum(dim=(2, 3, 4), keepdim=True) + TINY).rsqrt()
    outputs, kernel = weight.shape[0], weight.shape[2]
    x = x.reshape(1, many * inputs, height, width)
    if up == 1:
        x = conv2d(x, own.reshape(-1, inputs, kernel, kernel), padding=kernel // 2, groups=many)
    else:
        turned = own.transpose(1, 2).reshape(many * inputs, outputs, kernel, kernel)
        x = conv_transpose2d(x, turned, stride=up, groups=many)
        x = filtered(x, taps, padding=(1, 1, 1, 1), gain=up**2)
    return x.reshape(many, outputs, *x.shape[2:])


def filtered(
    x: Tensor, taps: Tensor, *, up: int = 1, padding: tuple[int, int, int, int] = (0, 0, 0, 0), gain: float = 1
) -> Tensor:
    """Zeros between the pixels, a border of zeros, a filter: (n, channels, H, W)."""
    many, channels, height, width = x.shape
    x = pad(x.reshape(many, channels, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1))
    x = pad(x.reshape(many, channels, height * up, width * up), padding)
    kernel = (taps * gain).flip((0, 1))[None, None].repeat(channels, 1, 1, 1).to(x.dtype)
    return conv2d(x, kernel, groups=channels)
