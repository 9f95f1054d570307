"""Calibration sets from DiStyleGAN. Knows its network and checkpoints, no grid."""

import torch
from torch import Tensor

from farm.data.imageset import Arguments, Files, Labels
from farm.errors import DataError
from farm.generators.aligned import Aligned, Floats
from farm.generators.distylegan.checkpoint import load, note
from farm.generators.distylegan.network import SIDE, Folded
from farm.generators.equipment import PLAIN, Equipment, fast_bfloat16
from farm.generators.generated import Network, generated

STEP = 256
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def network(parameters: Arguments, files: Files, equipment: Equipment = PLAIN) -> Network:
    """The generator of a checkpoint on its device. Raises DataError if its weights are not as its config tells."""
    path, device = files["weights"], equipment.device
    slow = device == "cpu" and not fast_bfloat16()  # rounded alike, but multiplied in float32
    folded = Folded(load(path), DTYPES[parameters["precision"]], torch.float32 if slow else None).to(device).eval()
    config = folded.config

    def images(z: Floats, classes: Labels, _seed: int, _start: int) -> Floats:
        """float32 (n, 3, 32, 32) in [-1, 1], on the CPU. Raises DataError for a label that is no class."""
        if len(classes) and not 0 <= classes.min() <= classes.max() < config.c_dim:
            text = f"labels from {classes.min()} to {classes.max()}, expected 0 to {config.c_dim - 1}"
            raise DataError(f"{text}: DiStyleGAN makes no image without a class")
        with torch.inference_mode():
            pixels: Tensor = folded(torch.from_numpy(z).to(device), torch.from_numpy(classes).to(device))
            return pixels.contiguous().cpu().numpy()

    size = (SIDE, SIDE)
    return Network(z_dim=config.z_dim, classes=config.c_dim, size=size, step=STEP, images=images, note=note(path))


def source(parameters: Arguments, files: Files, equipment: Equipment = PLAIN) -> Aligned:
    """`count` images of a checkpoint, class by class, of 32x32.

    Image i is a function of (weights, precision, seed, i) alone and has class i mod C: equal to the byte on one
    instruction set and torch version. Raises DataError as `network`, and if the weights give NaN.
    """
    made = network(parameters, files, equipment)
    return generated(made, str(files["weights"]), parameters["count"], parameters["seed"], equipment)
