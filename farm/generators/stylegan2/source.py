"""Calibration sets from StyleGAN2-ADA. Owns latents, truncation and noise; knows no file's form and no grid."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from farm.data.imageset import Arguments, Files, Labels
from farm.errors import DataError
from farm.generators.aligned import Aligned, Floats
from farm.generators.equipment import PLAIN, Equipment
from farm.generators.generated import Latents, Network, generated
from farm.generators.streams import stream
from farm.generators.stylegan2.layout import layout
from farm.generators.stylegan2.network import Generator
from farm.generators.stylegan2.prepared import prepared

MOST = 64  # images computed together; more are hardly faster
SPACE = 1 << 25  # numbers of the largest map of all these: 128 MiB
SEEDS = 1 << 32  # of numpy.random.RandomState
NOISE = 1  # a stream of random numbers; that of latents is 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleGan2:
    """The generator on its device, and how its images are varied.

    psi: how far from the mean intermediate latent, of 1. cutoff: in how many of the first layers; None: all. noise:
    `const`, the generator's own; `random`, each image's; or `none`.
    """

    generator: Generator
    device: str
    psi: float
    cutoff: int | None
    noise: str

    def images(self, z: Floats, classes: Labels, seed: int, start: int) -> Floats:
        """float32 (n, 3, H, W), about [-1, 1], on the CPU. Raises DataError for a label that is no class.

        An unconditional network takes no notice of labels; to a conditional one, -1 is a class of zeros.
        """
        count = self.generator.config.classes
        if count and len(classes) and not -1 <= classes.min() <= classes.max() < count:
            text = f"the generator has the classes 0 to {count - 1}, and -1 for none"
            raise DataError(f"labels from {classes.min()} to {classes.max()}: {text}")
        with torch.inference_mode():
            w = self.generator.latents(torch.from_numpy(z).to(self.device), torch.from_numpy(classes).to(self.device))
            noise, constant = self._noise(seed, start, len(z)), self.noise == "const"
            images: Floats = self.generator.images(self._by_layer(w), noise, constant=constant).cpu().numpy()
        return images

    def _by_layer(self, w: Tensor) -> list[Tensor]:
        """The intermediate latents of every layer, truncated or as they are."""
        layers = 2 * len(self.generator.blocks)
        truncated = self.generator.truncated(w, self.psi)
        return [truncated if self.cutoff is None or index < self.cutoff else w for index in range(layers)]

    def _noise(self, seed: int, start: int, many: int) -> list[Tensor] | None:
        """Each convolution's noise, (n, H, W): standard normal, by seed and image alone."""
        if self.noise != "random":
            return None
        sides = [side for side in self.generator.config.sides for _ in range(2)][1:]  # at 4x4 there is one
        ends = [0, *np.cumsum(np.square(sides)).tolist()]
        streams = (stream(seed, index, NOISE) for index in range(start, start + many))
        numbers = torch.from_numpy(np.stack([numbers.standard_normal(ends[-1], np.float32) for numbers in streams]))
        parts = zip(sides, pairwise(ends), strict=True)
        return [numbers[:, begin:end].reshape(-1, side, side).to(self.device) for side, (begin, end) in parts]


def network(parameters: Arguments, files: Files, equipment: Equipment = PLAIN) -> Network:
    """The generator of a pickle of NVIDIA's. Raises DataError if it is none, or lacks a mean that truncation needs."""
    path = files["weights"]
    weights = layout(path)
    config, psi = weights.config, float(parameters["truncation_psi"])
    if psi != 1 and not config.averaged:
        raise DataError(f"{path}: has no mean intermediate latent (w_avg): set `truncation_psi` to 1")
    generator = prepared(weights, device=equipment.device, precision=parameters["precision"])
    cutoff, noise = parameters["truncation_cutoff"], parameters["noise_mode"]
    model = StyleGan2(generator=generator, device=equipment.device, psi=psi, cutoff=cutoff, noise=noise)
    return network_of(model)


def network_of(model: StyleGan2) -> Network:
    """The network of a generator's images, as many together as take the same memory: 64 of 32x32, one of 1024x1024."""
    config = model.generator.config
    largest = max(side**2 * channels for side, channels in zip(config.sides, config.channels, strict=True))
    step, side = max(1, min(MOST, SPACE // largest)), config.sides[-1]
    return Network(
        z_dim=config.z_dim, classes=config.classes or None, size=(side, side), step=step, images=model.images
    )


def source(parameters: Arguments, files: Files, equipment: Equipment = PLAIN) -> Aligned:
    """`count` images of a generator; class by class, if it has classes.

    Image i is a function of (weights, parameters, i) alone: equal to the byte on one instruction set and torch
    version. Raises DataError as `network`, if the weights give NaN, or if `latents: nvidia` has no seeds left.
    """
    made, path = network(parameters, files, equipment), files["weights"]
    count, seed = parameters["count"], parameters["seed"]
    latents = _nvidias(count, seed, made.z_dim) if parameters["latents"] == "nvidia" else None
    return generated(made, str(path), count, seed, equipment, latents)


def _nvidias(count: int, seed: int, length: int) -> Latents:
    """The latents that NVIDIA's `generate.py` takes for the seeds seed, seed + 1, ...: of image i, seed + i."""
    if seed + count > SEEDS:
        text = f"`latents: nvidia` takes the seeds `seed` to `seed` + `count` - 1, here {seed} to {seed + count - 1}"
        raise DataError(f"{text}, and numpy's last one is {SEEDS - 1}: set a smaller `seed` or `count`")

    def latents(start: int, stop: int) -> Floats:
        states = (np.random.RandomState((seed + i) % SEEDS) for i in range(start, stop))
        return np.concatenate([state.randn(1, length) for state in states]).astype(np.float32)

    return latents
