"""A generator's networks, made of its parameters: all that the weights alone decide. Knows NVIDIA's names of them.

Weights are stored at unit variance and multiplied by a gain whenever they are used (Karras et al. 2018, arXiv
1710.10196, section 4.1); here they are multiplied once, in float64.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from farm.generators.stylegan2.config import RGB, SMALLEST
from farm.generators.stylegan2.convolution import convolution
from farm.generators.stylegan2.layout import Layout
from farm.generators.stylegan2.network import GAIN, Block, Generator, Layer, Linear, ToRgb

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What networks are made of. dtype: of the convolutions' arithmetic; the rest is in float32."""

    weights: Layout
    device: str
    dtype: torch.dtype

    def exact(self, name: str) -> Tensor:
        """A parameter in float64, on the CPU."""
        return torch.from_numpy(self.weights.arrays[name].astype(np.float64))

    def put(self, value: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """A tensor that is ready for use."""
        return value.to(self.device, dtype).contiguous()


def prepared(weights: Layout, *, device: str = "cpu", precision: str = "f32") -> Generator:
    """The generator of a file on its device. precision: of the convolutions, `f32` or `bf16`."""
    config = weights.config
    material = Material(weights=weights, device=device, dtype=DTYPES[precision])
    names = [f"mapping.fc{index}" for index in range(config.layers)]
    return Generator(
        config=config,
        embed=_linear(material, "mapping.embed") if config.classes else None,
        mapping=tuple(_linear(material, name, rate=config.rate, gain=GAIN) for name in names),
        averaged=material.put(material.exact("mapping.w_avg")) if config.averaged else None,
        first=material.put(material.exact("synthesis.b4.const").permute(1, 2, 0)[None], material.dtype),
        blocks=tuple(_block(material, side) for side in config.sides),
    )


def _linear(material: Material, name: str, *, rate: float = 1.0, gain: float = 1.0) -> Linear:
    weight, bias = material.exact(f"{name}.weight").T, material.exact(f"{name}.bias")
    scale = gain * rate
    return Linear(weight=material.put(weight * (scale / len(weight) ** 0.5)), bias=material.put(bias * scale))


def _block(material: Material, side: int) -> Block:
    name = f"synthesis.b{side}"
    taps = material.exact(f"{name}.resample_filter") * 4  # zeros between the pixels take three quarters of the light
    convolutions = ("conv0", "conv1") if side > SMALLEST else ("conv1",)
    layers = tuple(_layer(material, f"{name}.{layer}", side, up=layer == "conv0") for layer in convolutions)
    return Block(layers=layers, rgb=_rgb(material, f"{name}.torgb"), taps=material.put(taps.expand(RGB, 1, -1, -1)))


def _layer(material: Material, name: str, side: int, *, up: bool) -> Layer:
    """A layer whose leaky ReLU is to have a gain: it may as well be given to what comes before."""
    weight, bias = material.exact(f"{name}.weight"), material.exact(f"{name}.bias") * GAIN
    taps = material.exact(f"{name}.resample_filter") if up else None
    flat = material.put(bias, material.dtype).expand(1, side, side, -1)
    strength, constant = torch.zeros((), dtype=torch.float64), flat
    if material.weights.config.noisy:
        strength = material.exact(f"{name}.noise_strength") * GAIN
        noise = material.exact(f"{name}.noise_const")[None, :, :, None]
        constant = material.put(bias + strength * noise, material.dtype)
    return Layer(
        affine=_linear(material, f"{name}.affine"),
        convolution=convolution(weight, taps, device=material.device, dtype=material.dtype),
        squares=material.put(weight.square().sum(dim=(2, 3)).T),
        bias=flat,
        constant=constant,
        strength=material.put(strength),
        clamp=material.weights.config.clamp,
    )


def _rgb(material: Material, name: str) -> ToRgb:
    weight = material.exact(f"{name}.weight")[:, :, 0, 0].T
    affine, bias = _linear(material, f"{name}.affine", gain=len(weight) ** -0.5), material.exact(f"{name}.bias")
    clamp = material.weights.config.clamp
    return ToRgb(affine=affine, weight=material.put(weight[None]), bias=material.put(bias), clamp=clamp)
