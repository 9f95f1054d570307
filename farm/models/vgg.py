"""VGG networks with batch normalisation for 32x32 images, their state dicts as of the released CIFAR checkpoints.

From Simonyan, Zisserman 2014, "Very Deep Convolutional Networks" (arXiv 1409.1556), table 1, with a batch
normalisation after each convolution and a head of 512 features, as five poolings leave 1x1 of a 32x32 image.
"""

from functools import partial

from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512, 512)
HEAD = 512


class Vgg(nn.Module):
    """Five stages of so many 3x3 convolutions, each ended by a 2x2 pooling, then three linear layers."""

    def __init__(self, depths: tuple[int, int, int, int, int], classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for depth, after in zip(depths, WIDTHS, strict=True):
            for _ in range(depth):
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
                before = after
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        hidden = [layer for _ in range(2) for layer in (nn.Linear(HEAD, HEAD), nn.ReLU(), nn.Dropout())]
        self.classifier = nn.Sequential(*hidden, nn.Linear(HEAD, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float32 (n, 3, 32, 32) -> logits float32 (n, classes)."""
        return self.classifier(self.features(images).flatten(1))


vgg11_bn = partial(Vgg, (1, 1, 2, 2, 2))  # 9.8 M parameters
vgg13_bn = partial(Vgg, (2, 2, 2, 2, 2))  # 9.9 M parameters
vgg16_bn = partial(Vgg, (2, 2, 3, 3, 3))  # 15 M parameters
vgg19_bn = partial(Vgg, (2, 2, 4, 4, 4))  # 20.6 M parameters
