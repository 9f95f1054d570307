"""Calibration sets from DiStyleGAN. Knows its network and checkpoints, no grid."""

from dataclasses import dataclass

import torch

from farm.data.imageset import Arguments, Files, Labels
from farm.errors import DataError
from farm.generators.aligned import Aligned, Floats
from farm.generators.distylegan.checkpoint import load, note
from farm.generators.distylegan.network import SIDE, Folded
from farm.generators.equipment import PLAIN, Equipment, fast_bfloat16
from farm.generators.generated import generated

STEP = 256
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiStyleGan:
    """The generator on its device: a `farm.generators.generated.Network`. note: what its card says must be known."""

    folded: Folded
    device: str
    note: str = ""
    size: tuple[int, int] = (SIDE, SIDE)
    step: int = STEP

    @property
    def z_dim(self) -> int:
        """Length of a latent."""
        return self.folded.config.z_dim

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.folded.config.c_dim

    def images(self, z: Floats, classes: Labels, seed: int, start: int) -> Floats:  # noqa: ARG002 - z says all
        """float32 (n, 3, 32, 32) in [-1, 1], on the CPU. Raises DataError for a label that is no class."""
        if len(classes) and not 0 <= classes.min() <= classes.max() < self.classes:
            text = f"labels from {classes.min()} to {classes.max()}, expected 0 to {self.classes - 1}"
            raise DataError(f"{text}: DiStyleGAN makes no image without a class")
        with torch.inference_mode():
            given = torch.from_numpy(z).to(self.device), torch.from_numpy(classes).to(self.device)
            images: Floats = self.folded(*given).contiguous().cpu().numpy()
        return images


def network(parameters: Arguments, files: Files, equipment: Equipment = PLAIN) -> DiStyleGan:
    """The generator of ``files["weights"]`` on its device, in ``parameters["precision"]``, `f32` or `bf16`.

    Raises DataError if the checkpoint cannot be read, or its weights are not those that its config tells of.
    """
    path = files["weights"]
    slow = equipment.device == "cpu" and not fast_bfloat16()  # rounded alike, but multiplied in float32
    folded = Folded(load(path), DTYPES[parameters["precision"]], torch.float32 if slow else None)
    return DiStyleGan(folded=folded.to(equipment.device).eval(), device=equipment.device, note=note(path))


def source(parameters: Arguments, files: Files, equipment: Equipment = PLAIN) -> Aligned:
    """`count` images of a checkpoint, class by class, of 32x32.

    Image i is a function of (weights, precision, seed, i) alone and has class i mod C: equal to the byte on one
    instruction set and torch version. Raises DataError as `network`, and if the weights give NaN.
    """
    made = network(parameters, files, equipment)
    return generated(made, str(files["weights"]), parameters["count"], parameters["seed"], equipment)
