"""Train farm's own ResNet-20 on scikit-learn's digits: the weights that the quickstart quantizes.

Owns the recipe and the weights file it writes; knows nothing of grids or stages. All 1,198 train images,
SGD with Nesterov momentum, a one-cycle learning rate, small shifts and rotations, one thread, fixed seeds.

    python jobs/train_digits.py            # a few minutes of one core; the test accuracy after each epoch
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from farm.catalog.models import PREPROCESSING
from farm.data import digits, imageset
from farm.models.resnet import resnet20

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "farm" / "models" / "weights" / "digits_resnet20.safetensors"


def main() -> None:
    """Load, train, save."""
    options = arguments()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    network = resnet20(digits.CLASSES).to(memory_format=torch.channels_last)
    top1 = train(network, options)
    save(network, options, top1)
    print(f"{options.out}: {options.out.stat().st_size / 2**20:.2f} MiB, top-1 {top1:.4f} in float16")


def arguments() -> argparse.Namespace:
    """What the user asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--epochs", type=int, default=30, help="passes over the train images (default: %(default)s)")
    add("--batch", type=int, default=64, help="images a step (default: %(default)s)")
    add("--rate", type=float, default=0.1, help="peak learning rate (default: %(default)s)")
    add("--seed", type=int, default=0, help="of weights, order and augmentation (default: %(default)s)")
    add("--out", type=Path, default=WEIGHTS, help="weights file (default: %(default)s)")
    return parser.parse_args()


def train(network: nn.Module, options: argparse.Namespace) -> float:
    """Train in place, round the weights to float16, and return their top-1 on the test images."""
    images, labels = tensors("train")
    steps = options.epochs * math.ceil(len(images) / options.batch)
    optimiser = torch.optim.SGD(network.parameters(), lr=options.rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps)
    for epoch in range(options.epochs):
        network.train()
        losses = []
        for chosen in torch.split(torch.randperm(len(images)), options.batch):
            loss = functional.cross_entropy(network(augment(images[chosen])), labels[chosen])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1:2}: loss {np.mean(losses):.4f}, test top-1 {accuracy(network):.4f}", flush=True)
    network.half().float()
    return accuracy(network)


def tensors(part: str) -> tuple[Tensor, Tensor]:
    """A part's images as the model takes them, float32 (n, 3, 32, 32), and its labels, int64 (n,)."""
    split = digits.split("test" if part == "test" else "train")
    images, labels, _ = split.block(0, len(split))
    prepared = imageset.prepare(images, PREPROCESSING["digits"])
    return torch.from_numpy(prepared).contiguous(memory_format=torch.channels_last), torch.from_numpy(labels)


def augment(images: Tensor, degrees: float = 12.0, shift: float = 0.12, zoom: float = 0.1) -> Tensor:
    """Turn, shift (as a share of half the image) and scale each image a little. float32 (n, 3, H, W)."""
    count = len(images)
    angle = (torch.rand(count) * 2 - 1) * math.radians(degrees)
    scale = 1 + (torch.rand(count) * 2 - 1) * zoom
    moves = (torch.rand(count, 2) * 2 - 1) * shift
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    across = torch.stack([cosine, -sine, moves[:, 0]], 1)
    down = torch.stack([sine, cosine, moves[:, 1]], 1)
    maps = torch.stack([across, down], 1)
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


@torch.inference_mode()
def accuracy(network: nn.Module) -> float:
    """Top-1 on the 599 test images, in [0, 1]."""
    images, labels = tensors("test")
    right = network.eval()(images).argmax(1) == labels
    return float(right.double().mean())


def save(network: nn.Module, options: argparse.Namespace, top1: float) -> None:
    """Write the state dict: floating tensors as float16, and how it was made as metadata."""
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    halved = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    recipe = {"epochs": str(options.epochs), "batch": str(options.batch), "seed": str(options.seed)}
    made = {"script": "jobs/train_digits.py", **recipe, "top1": f"{top1:.4f}"}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(halved, options.out, metadata=made)


if __name__ == "__main__":
    main()
