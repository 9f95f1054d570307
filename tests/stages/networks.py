"""Networks that stages should refuse, or take."""

import torch


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
