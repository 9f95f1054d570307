"""ShuffleNetV2 for 32x32 images, with the state-dict names, order and shapes of the released CIFAR checkpoints.

From Ma et al. 2018, "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design" (arXiv 1807.11164),
section 3, figure 3 (c, d) and table 5, with the first convolution at stride 1 and no pooling after it, so that a 32x32
image ends as 4x4.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

STEM = 24
BLOCKS = (4, 8, 4)  # of stages 2, 3 and 4


class _Unit(nn.Module):
    """Half the channels pass, half are convolved, then both are shuffled. Keeps (n, channels, H, W); channels even."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.passed = half = channels // 2
        self.branch2 = nn.Sequential(*_pointwise(half, half), *_depthwise(half, 1), *_pointwise(half, half))

    def forward(self, images: Tensor) -> Tensor:
        passed, convolved = torch.split(images, self.passed, dim=1)  # chunk would trace arithmetic on the shape
        return functional.channel_shuffle(torch.cat((passed, self.branch2(convolved)), dim=1), 2)


class _Halving(nn.Module):
    """Both branches see all channels and halve the image. (n, before, H, W) -> (n, after, H/2, W/2), all even."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        half = after // 2
        self.branch1 = nn.Sequential(*_depthwise(before, 2), *_pointwise(before, half))
        self.branch2 = nn.Sequential(*_pointwise(before, half), *_depthwise(half, 2), *_pointwise(half, half))

    def forward(self, images: Tensor) -> Tensor:
        return functional.channel_shuffle(torch.cat((self.branch1(images), self.branch2(images)), dim=1), 2)


class ShuffleNetV2(nn.Module):
    """A convolution, three stages that halve the image, a 1x1 convolution, an average and one linear layer."""

    def __init__(self, widths: tuple[int, int, int], tail: int, classes: int) -> None:
        """widths: channels of stages 2, 3 and 4. tail: channels of the last convolution."""
        super().__init__()
        stem = nn.Conv2d(3, STEM, 3, padding=1, bias=False)
        self.conv1 = nn.Sequential(stem, nn.BatchNorm2d(STEM), nn.ReLU())
        self.stage2 = _stage(BLOCKS[0], STEM, widths[0])
        self.stage3 = _stage(BLOCKS[1], widths[0], widths[1])
        self.stage4 = _stage(BLOCKS[2], widths[1], widths[2])
        self.conv5 = nn.Sequential(*_pointwise(widths[2], tail))
        self.fc = nn.Linear(tail, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float32 (n, 3, H, W), H and W multiples of 8 -> logits float32 (n, classes)."""
        features = self.stage4(self.stage3(self.stage2(self.conv1(images))))
        return self.fc(self.conv5(features).mean(dim=(2, 3)))


shufflenetv2_x0_5 = partial(ShuffleNetV2, (48, 96, 192), 1024)  # 0.35 M parameters
shufflenetv2_x1_0 = partial(ShuffleNetV2, (116, 232, 464), 1024)  # 1.26 M parameters
shufflenetv2_x1_5 = partial(ShuffleNetV2, (176, 352, 704), 1024)  # 2.49 M parameters
shufflenetv2_x2_0 = partial(ShuffleNetV2, (244, 488, 976), 2048)  # 5.37 M parameters


def _stage(blocks: int, before: int, after: int) -> nn.Sequential:
    return nn.Sequential(_Halving(before, after), *(_Unit(after) for _ in range(blocks - 1)))


def _pointwise(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()


def _depthwise(channels: int, stride: int) -> tuple[nn.Module, ...]:
    """No activation follows."""
    layer = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
    return layer, nn.BatchNorm2d(channels)
