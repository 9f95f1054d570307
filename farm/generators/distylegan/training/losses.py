"""The losses of a DiStyleGAN's training. Pure functions of tensors.

TinyGAN (Chang, Lu 2020, arXiv 2009.13829), section 3: distances to the teacher's images in pixels and in the
discriminator's features, and hinge losses (Lim, Ye 2017, arXiv 1705.02894) between the student and the teacher.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from farm.generators.distylegan.training.discriminator import FEATURE_WEIGHTS


def hinge_discriminator(real: Tensor, made: Tensor) -> Tensor:
    """Of its scores (n,): the teacher's images should have 1 or more, the student's -1 or less."""
    return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()


def hinge_generator(made: Tensor) -> Tensor:
    """Of the scores (n,) of the student's images."""
    return -made.mean()


def feature_distance(teacher: Sequence[Tensor], student: Sequence[Tensor], *, paired: bool) -> Tensor:
    """L1 of features (n, C, h, w) of four blocks, weighted.

    paired: image i of one is meant to be image i of the other. Else their means over the images are compared
    (Salimans et al. 2016, "Improved Techniques for Training GANs", section 3.1), which need no latents.
    """
    distances = []
    for weight, real, made in zip(FEATURE_WEIGHTS, teacher, student, strict=True):
        features = (made.float(), real.detach().float())
        compared = features if paired else (maps.mean(dim=0) for maps in features)
        distances.append(weight * functional.l1_loss(*compared))
    return torch.stack(distances).sum()
