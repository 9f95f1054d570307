"""What a training leaves in its folder, whole at every moment. Knows files, not steps.

checkpoint.pt                  all that is needed to go on; replaced at once, so that a kill leaves the last one
generator.pt, config.json      the averaged generator in the study's layout: what `weights:` takes
curves.parquet                 the mean of each loss, epoch by epoch
samples/epoch-0001.png         images of each class after an epoch, of the same latents every time
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from farm.checkpoint import BROKEN
from farm.data.imageset import Pixels
from farm.errors import DataError
from farm.files import replaced
from farm.generators.distylegan.training import CHECKPOINT

CURVES, SAMPLES = "curves.parquet", "samples"


def save(folder: Path, state: Mapping[str, Any]) -> None:
    """Replace the checkpoint by this state of tensors and plain values."""
    with replaced(folder / CHECKPOINT) as new, new.open("wb") as file:  # a path would become part of the content
        torch.save(dict(state), file)


def load(folder: Path) -> dict[str, Any] | None:
    """The last state, its tensors on the CPU; None if there is none. Raises DataError if it cannot be read."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except BROKEN as error:
        text = f"not a training's checkpoint, or damaged ({type(error).__name__})"
        raise DataError(f"{path}: {text}: give another --out, or remove it to begin again") from error
    return state


def write_curves(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One row an epoch: epoch, step, the mean of each loss (NaN: not of this training), seconds, images_per_s."""
    with replaced(folder / CURVES) as new:
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), new, compression="zstd")


def write_samples(folder: Path, epoch: int, images: Pixels, across: int) -> None:
    """A sheet of images, uint8 (n, H, W, 3), `across` of them in a row."""
    _, height, width, channels = images.shape
    sheet = images.reshape(-1, across, height, width, channels).swapaxes(1, 2)
    (folder / SAMPLES).mkdir(exist_ok=True)
    with replaced(folder / SAMPLES / f"epoch-{epoch:04d}.png") as new:
        Image.fromarray(np.ascontiguousarray(sheet.reshape(-1, across * width, channels))).save(new, "PNG")
