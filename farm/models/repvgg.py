"""RepVGG as trained and as deployed, for 32x32 images, its state dicts as of the released CIFAR checkpoints.

From Ding et al. 2021, "RepVGG: Making VGG-style ConvNets Great Again" (arXiv 2101.03697), sections 3.2 to 3.4,
tables 2 and 3, with the first two stages (`stage0`, `stage1`) at stride 1, so that a 32x32 image ends as 4x4.
"""

import copy
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from farm.errors import DataError

STEM = 64
BLOCKS = (2, 4, 14, 1)  # of stages 1 to 4, variant A
WIDTHS = (64, 128, 256, 512)


class _Branch(nn.Module):
    """A convolution of an odd kernel and its batch norm. (n, before, H, W) -> (n, after, H/stride, W/stride)."""

    def __init__(self, before: int, after: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(after)

    def forward(self, images: Tensor) -> Tensor:
        return self.bn(self.conv(images))


class _Branches(nn.Module):
    """A 3x3, a 1x1 and, where nothing changes size, an identity branch. (n, before, H, W) -> (n, after, H/s, W/s)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.rbr_identity = nn.BatchNorm2d(before) if before == after and stride == 1 else None
        self.rbr_dense = _Branch(before, after, 3, stride)
        self.rbr_1x1 = _Branch(before, after, 1, stride)

    def forward(self, images: Tensor) -> Tensor:
        total = self.rbr_dense(images) + self.rbr_1x1(images)
        return functional.relu(total if self.rbr_identity is None else total + self.rbr_identity(images))


class _Fused(nn.Module):
    """What `_Branches` becomes: one 3x3 convolution with bias."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.rbr_reparam = nn.Conv2d(before, after, 3, stride, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return functional.relu(self.rbr_reparam(images))


class RepVgg(nn.Module):
    """One block, four stages of blocks, then an average over the image and one linear layer."""

    def __init__(self, multiplier: float, last: float, classes: int) -> None:
        """multiplier: of all channels but the last stage's, the paper's a. last: of the last stage's, its b."""
        super().__init__()
        stem = int(STEM * min(1.0, multiplier))
        first, second, third = (int(width * multiplier) for width in WIDTHS[:3])
        fourth = int(WIDTHS[3] * last)
        self.stage0 = _Branches(3, stem, stride=1)
        self.stage1 = _stage(BLOCKS[0], stem, first, stride=1)
        self.stage2 = _stage(BLOCKS[1], first, second, stride=2)
        self.stage3 = _stage(BLOCKS[2], second, third, stride=2)
        self.stage4 = _stage(BLOCKS[3], third, fourth, stride=2)
        self.linear = nn.Linear(fourth, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float32 (n, 3, H, W), H and W multiples of 8 -> logits float32 (n, classes)."""
        features = self.stage2(self.stage1(self.stage0(images)))
        return self.linear(self.stage4(self.stage3(features)).mean(dim=(2, 3)))


repvgg_a0 = partial(RepVgg, 0.75, 2.5)  # 7.8 M parameters
repvgg_a1 = partial(RepVgg, 1.0, 2.5)  # 12.8 M parameters
repvgg_a2 = partial(RepVgg, 1.5, 2.75)  # 26.8 M parameters


def reparameterized(network: nn.Module) -> nn.Module:
    """The deployed network: each block one 3x3 convolution `rbr_reparam`, eval mode, the same logits as in eval mode.

    network: left untouched; one that is deployed already gives its copy. Raises DataError if it is no RepVGG.
    From Ding et al. 2021, sections 3.2 and 3.3.
    """
    if not isinstance(network, RepVgg):
        text = f"a {type(network).__name__} has no branches to fuse: only repvgg_a0, _a1 and _a2 are re-parameterised"
        raise DataError(text)
    deployed = copy.deepcopy(network)
    for name, block in network.named_modules():
        if isinstance(block, _Branches):
            deployed.set_submodule(name, _fuse(block))
    return deployed.eval()


def _stage(blocks: int, before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Branches(before, after, stride), *(_Branches(after, after, 1) for _ in range(blocks - 1)))


def _fuse(block: _Branches) -> _Fused:
    """The sum of the branches' kernels and biases: summed in float64, rounded to float32 once."""
    dense, point, identity = block.rbr_dense, block.rbr_1x1, block.rbr_identity
    after, before = dense.conv.weight.shape[:2]
    kernels = [_absorb(dense.conv.weight, dense.bn)]
    kernels.append(_absorb(functional.pad(point.conv.weight, (1, 1, 1, 1)), point.bn))
    if identity is not None:
        kernels.append(_absorb(nn.init.dirac_(torch.empty_like(dense.conv.weight)), identity))
    fused = _Fused(before, after, dense.conv.stride[0])
    kernel, bias = (torch.stack(parts).sum(0) for parts in zip(*kernels, strict=True))
    fused.rbr_reparam.load_state_dict({"weight": kernel, "bias": bias})
    return fused.to(kernel.device)


def _absorb(kernel: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """A batch norm in the convolution before it. kernel: (after, before, 3, 3) -> the same and (after,), float64."""
    state = {key: value.double() for key, value in norm.state_dict().items()}
    scale = state["weight"] / torch.sqrt(state["running_var"] + norm.eps)
    return kernel.detach().double() * scale[:, None, None, None], state["bias"] - state["running_mean"] * scale
