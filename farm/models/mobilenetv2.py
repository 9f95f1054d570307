"""MobileNetV2 for 32x32 images, with the state-dict names, order and shapes of the released CIFAR checkpoints.

From Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (arXiv 1801.04381), sections 3.3
and 4, tables 1 and 2. The first convolution and the stage of 24 channels are at stride 1: a 32x32 image ends as 4x4.
"""

from functools import partial

from torch import Tensor, nn

STEM, TAIL = 32, 1280
STAGES = (  # table 2: expansion, channels, blocks, and the stride for 32x32 images
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
MULTIPLE = 8
LOSS = 0.1  # of the channels, at most, when they are rounded


class _InvertedResidual(nn.Module):
    """1x1 expansion if above 1, 3x3 depthwise, linear 1x1. (n, before, H, W) -> (n, after, H/stride, W/stride)."""

    def __init__(self, before: int, after: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        widen = [_convolution(before, inner, 1)] if expansion > 1 else []
        depthwise = _convolution(inner, inner, 3, stride, groups=inner)
        narrow = nn.Conv2d(inner, after, 1, bias=False)
        self.conv = nn.Sequential(*widen, depthwise, narrow, nn.BatchNorm2d(after))
        self.same = before == after and stride == 1

    def forward(self, images: Tensor) -> Tensor:
        inner: Tensor = self.conv(images)
        return images + inner if self.same else inner


class MobileNetV2(nn.Module):
    """A convolution, seven stages of inverted residuals, a convolution, an average and one linear layer."""

    def __init__(self, multiplier: float, classes: int) -> None:
        """multiplier: of every stage's channels; the last convolution never has fewer than 1280."""
        super().__init__()
        before = _channels(STEM * multiplier)
        layers: list[nn.Module] = [_convolution(3, before, 3)]
        for expansion, width, blocks, stride in STAGES:
            after = _channels(width * multiplier)
            for block in range(blocks):
                layers.append(_InvertedResidual(before, after, stride if block == 0 else 1, expansion))
                before = after
        tail = _channels(TAIL * max(1.0, multiplier))
        self.features = nn.Sequential(*layers, _convolution(before, tail, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(tail, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float32 (n, 3, H, W), H and W multiples of 8 -> logits float32 (n, classes)."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))


mobilenetv2_x0_5 = partial(MobileNetV2, 0.5)  # 0.70 M parameters
mobilenetv2_x0_75 = partial(MobileNetV2, 0.75)  # 1.37 M parameters
mobilenetv2_x1_0 = partial(MobileNetV2, 1.0)  # 2.24 M parameters
mobilenetv2_x1_4 = partial(MobileNetV2, 1.4)  # 4.33 M parameters


def _convolution(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU6())


def _channels(wanted: float) -> int:
    """The nearest multiple of 8 (18.4 -> 16), or the next one where that loses over a tenth (18 -> 24)."""
    nearest = max(MULTIPLE, int(wanted / MULTIPLE + 0.5) * MULTIPLE)
    return nearest if nearest >= (1 - LOSS) * wanted else nearest + MULTIPLE
