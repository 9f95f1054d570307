"""A PyTorch network that keeps what it was given."""

import torch


class Recorder(torch.nn.Module):
    """seen: every input. modes: whether it was in inference mode each time."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 4, 3)
        self.seen, self.modes = [], []

    def forward(self, images):
        self.seen.append(images)
        self.modes.append(torch.is_inference_mode_enabled() and not self.training)
        return self.first(images).mean(dim=(2, 3))


LAST = []


def recorder():
    LAST[:] = [Recorder()]
    return LAST[0]
