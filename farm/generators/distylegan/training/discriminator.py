"""The critic that a DiStyleGAN is trained against. Knows images and classes as tensors.

A residual discriminator for 32x32 with spectral normalisation and a projection of the class: Miyato, Koyama 2018,
"cGANs with Projection Discriminator" (arXiv 1802.05637), figure 14 and table 2 of its appendix, and Miyato et al.
2018 (arXiv 1802.05957). Its four blocks give the features whose distance is a loss.
"""

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

FEATURE_WEIGHTS = (1 / 16, 1 / 8, 1 / 4, 1.0)  # the study's, of the four blocks' features


class Discriminator(nn.Module):
    """Says how real images look, and what it saw."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        shapes = ((3, 2), (channels, 2), (channels, 1), (channels, 1))
        self.blocks = nn.ModuleList(_Block(inputs, channels, shrink, at) for at, (inputs, shrink) in enumerate(shapes))
        self.verdict = spectral_norm(nn.Linear(channels, 1))
        self.classes = spectral_norm(nn.Embedding(classes, channels))

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """images: (n, 3, 32, 32) in [-1, 1]. labels: int64 (n,). Returns (n,), higher is more real, and 4 features."""
        maps, features = images, []
        for block in self.blocks:
            maps = block(maps)
            features.append(maps)
        seen = functional.relu(maps).sum(dim=(2, 3))
        return self.verdict(seen).squeeze(1) + (self.classes(labels) * seen).sum(dim=1), features


class _Block(nn.Module):
    """Two 3x3 convolutions beside a short cut, and the mean over 2x2 where the map shrinks."""

    def __init__(self, inputs: int, outputs: int, shrink: int, at: int) -> None:
        super().__init__()
        self.first = spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.second = spectral_norm(nn.Conv2d(outputs, outputs, 3, padding=1))
        short = inputs != outputs or shrink > 1
        self.short = spectral_norm(nn.Conv2d(inputs, outputs, 1)) if short else nn.Identity()
        self.shrink, self.starts = shrink, at == 0  # an image itself is not cut off below zero

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.first(maps if self.starts else functional.relu(maps))
        return self._smaller(self.second(functional.relu(inner))) + self._smaller(self.short(maps))

    def _smaller(self, maps: Tensor) -> Tensor:
        return functional.avg_pool2d(maps, self.shrink) if self.shrink > 1 else maps
