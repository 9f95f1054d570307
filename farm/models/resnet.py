"""ResNets for 32x32 images, with the state-dict names, order and shapes of the released CIFAR checkpoints.

From He et al. 2015, "Deep Residual Learning for Image Recognition" (arXiv 1512.03385), section 4.2. Where a stage
changes size the shortcut is a 1x1 projection with batch normalisation (option B).
"""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64)


class _Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut. (n, before, H, W) -> (n, after, H/stride, W/stride)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        same = before == after and stride == 1
        project = [] if same else [nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)]
        self.downsample = nn.Sequential(*project)

    def forward(self, images: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(images)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.downsample(images))


class ResNet(nn.Module):
    """Three stages of residual blocks, then an average over the image and one linear layer."""

    def __init__(self, blocks: int, classes: int) -> None:
        """blocks: per stage; the depth is 6 * blocks + 2."""
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.layer1 = _stage(blocks, WIDTHS[0], WIDTHS[0], stride=1)
        self.layer2 = _stage(blocks, WIDTHS[0], WIDTHS[1], stride=2)
        self.layer3 = _stage(blocks, WIDTHS[1], WIDTHS[2], stride=2)
        self.fc = nn.Linear(WIDTHS[2], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float32 (n, 3, H, W), H and W multiples of 4 -> logits float32 (n, classes)."""
        features = functional.relu(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        return self.fc(features.mean(dim=(2, 3)))


resnet20 = partial(ResNet, 3)  # 0.27 M parameters
resnet32 = partial(ResNet, 5)  # 0.47 M parameters
resnet44 = partial(ResNet, 7)  # 0.66 M parameters
resnet56 = partial(ResNet, 9)  # 0.86 M parameters


def _stage(blocks: int, before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Residual(before, after, stride), *(_Residual(after, after, 1) for _ in range(blocks - 1)))
