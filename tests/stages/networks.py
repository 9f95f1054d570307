"""Networks that stages should refuse, or take."""

import torch
from torchvision.models import SwinTransformer, VisionTransformer


def _classifier(classes, size=None):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, classes),
    )


def seven():
    return _classifier(7)


def ten():
    return _classifier(10)


def feature_map():
    return torch.nn.Conv2d(3, 4, 3)


def pooled():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1))


def grey():
    return torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.AdaptiveAvgPool2d(1))


class NaN(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = _classifier(10)

    def forward(self, images):
        return self.inner(images) * float("nan")


def nan():
    return NaN()


class Unconverted(torch.nn.Module):
    """Of an operation that OpenVINO has no rule for."""

    def forward(self, images):
        return torch.linalg.svdvals(images.mean(1))


def unconverted():
    return Unconverted()


class TwoOutputs(torch.nn.Module):
    def forward(self, images):
        return images.mean(dim=(2, 3)), images


def two_outputs():
    return TwoOutputs()


class OtherwiseTraced(torch.nn.Module):
    """Computes something else while it is converted."""

    def forward(self, images):
        return images.mean(dim=(2, 3)) * (2 if torch.jit.is_tracing() else 1)


def otherwise_traced():
    return OtherwiseTraced()


def _drawn(network):
    """The same with a head that is not all zeros."""
    torch.nn.init.normal_(network.get_parameter("heads.head.weight" if hasattr(network, "heads") else "head.weight"))
    return network


def vision_transformer():
    torch.manual_seed(0)
    shape = {"hidden_dim": 32, "mlp_dim": 64, "num_layers": 2, "num_heads": 2}
    return _drawn(VisionTransformer(image_size=32, patch_size=8, num_classes=10, **shape))


def swin():
    torch.manual_seed(0)
    shape = {"embed_dim": 24, "depths": [2, 2], "num_heads": [2, 2], "window_size": [4, 4]}
    return _drawn(SwinTransformer(patch_size=[4, 4], num_classes=10, **shape))
