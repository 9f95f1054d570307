"""DiStyleGAN's checkpoints: the study's folder, and one packed file. Knows files, not training.

The study's is a folder: ``generator.pt``, a state dict, and ``config.json``. The packed one is a safetensors file in
float16, its config in the metadata. Files are data, never code: what needs code to be read is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from farm.checkpoint import misfits, read_metadata, read_weights
from farm.errors import DataError
from farm.files import replaced, write_whole
from farm.generators.distylegan.files import ADVICE, CONFIG, PACKED, WEIGHTS
from farm.generators.distylegan.network import CHANNELS, HALVINGS, Config, Generator

WIDEST = 1 << 16  # a greater number in a config is a mistake


def load(path: Path) -> Generator:
    """A generator in eval mode, float32. Raises DataError if a file is missing, damaged or not as its config tells."""
    packed = path.suffix == PACKED
    config_file, weights = (path, path) if packed else (path / CONFIG, path / WEIGHTS)
    config, tensors = _config(config_file, packed=packed), read_weights(weights)
    with torch.device("meta"):  # no memory yet: a wrong config may ask for any amount
        generator = Generator(config)
    if wrong := misfits(generator.state_dict(), tensors):
        tells = "its metadata" if packed else CONFIG
        raise DataError(f"{weights}: not the weights that {tells} tells of: {wrong}: give one training's checkpoint")
    generator.load_state_dict(tensors, assign=True)
    return generator.eval()


def save(folder: Path, tensors: Mapping[str, Tensor], config: Config, more: Mapping[str, Any]) -> None:
    """Write the study's two files, each whole. more: of the config, what does not shape the generator, as ``ndf``."""
    with replaced(folder / WEIGHTS) as new, new.open("wb") as file:  # a path would become part of the content
        torch.save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, file)
    write_whole(folder / CONFIG, (json.dumps({**asdict(config), **more}) + "\n").encode())


def note(path: Path) -> str:
    """What a reader of tables must know of these weights: as a packed file says. Nothing is known of a folder's."""
    return read_metadata(path).get("note", "") if path.suffix == PACKED else ""


def _config(where: Path, *, packed: bool) -> Config:
    """A config from JSON. Raises DataError for what is missing, no whole number, or cannot be."""
    try:
        content = json.loads(read_metadata(where).get("config", "null") if packed else where.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        what = "its metadata's `config` is not JSON" if packed else "cannot be read as JSON"
        change = "give another file" if packed else ADVICE
        raise DataError(f"{where}: {what} ({type(error).__name__}: {error}): {change}") from error
    names = [field.name for field in fields(Config)]
    numbers: dict[str, Any] = {name: content.get(name) for name in names} if isinstance(content, dict) else {}
    wrong = [name for name in names if type(numbers.get(name)) is not int or not 1 <= numbers[name] <= WIDEST]
    if wrong:
        faults = ", ".join(f"{name} {numbers.get(name)!r}" for name in wrong)
        raise DataError(f"{where}: {faults}: each must be a whole number from 1 to {WIDEST}, as in the study's config")
    if numbers["ngf"] % HALVINGS:
        raise DataError(f"{where}: ngf {numbers['ngf']}: must be a multiple of {HALVINGS}: it is halved three times")
    if numbers["nc"] != CHANNELS:
        raise DataError(f"{where}: nc {numbers['nc']}: farm's images have {CHANNELS} channels: train on RGB images")
    return Config(**numbers)
