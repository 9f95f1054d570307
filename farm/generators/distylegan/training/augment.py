"""Random changes of images that gradients pass through. Knows tensors only.

Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training" (arXiv 2006.10738), section 3:
colour, translation by up to an eighth, and a cut-out of half the side, the same kinds for real and made images.
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional

from farm.generators.distylegan.network import CHANNELS

SHIFT = 8  # an image moves by up to a SHIFT-th of its side
CUT = 2  # a hole's side is a CUT-th of the image's


def augment(images: Tensor, random: Generator) -> Tensor:
    """images: (n, 3, h, w) in [-1, 1]. Returns the same shape, each image changed in its own way."""
    return _cut(_moved(_tinted(images, random), random), random)


def _tinted(images: Tensor, random: Generator) -> Tensor:
    """Brighter or darker by up to 0.5, saturation times 0 to 2, contrast times 0.5 to 1.5."""
    numbers = torch.rand((3, len(images), 1, 1, 1), generator=random, device=images.device)
    bright, saturation, contrast = numbers.to(images.dtype).unbind()
    images = images + bright - 0.5
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    mean: Tensor = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * (contrast + 0.5)


def _moved(images: Tensor, random: Generator) -> Tensor:
    """Shifted, black (0) where nothing is."""
    height, width = images.shape[2:]
    down, right = height // SHIFT, width // SHIFT
    padded = functional.pad(images, (right, right, down, down))
    rows = _integers(2 * down + 1, images, random) + torch.arange(height, device=images.device)
    columns = _integers(2 * right + 1, images, random) + torch.arange(width, device=images.device)
    tall = padded.gather(2, rows[:, None, :, None].expand(-1, CHANNELS, -1, padded.shape[3]))
    return tall.gather(3, columns[:, None, None, :].expand(-1, CHANNELS, height, -1))


def _cut(images: Tensor, random: Generator) -> Tensor:
    """Zero in a rectangle of half the side, its centre anywhere."""
    rows, columns = (_hole(side, images, random) for side in images.shape[2:])
    return images * ~(rows[:, None, :, None] & columns[:, None, None, :])


def _hole(side: int, images: Tensor, random: Generator) -> Tensor:
    """Per image (n, side), whether a place lies within a quarter of the side of a random centre."""
    centre = _integers(side + 1, images, random)
    return (torch.arange(side, device=images.device) - centre + side // CUT // 2).div(side // CUT).floor() == 0


def _integers(end: int, images: Tensor, random: Generator) -> Tensor:
    return torch.randint(end, (len(images), 1), generator=random, device=images.device)
