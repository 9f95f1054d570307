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
