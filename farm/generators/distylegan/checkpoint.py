"""DiStyleGAN's checkpoints: the study's folder, and one packed file. Knows files, not training.

The study's is a folder: ``generator.pt``, a state dict, and ``config.json``. The packed one is a safetensors file in
float16, its config in the metadata. Files are data, never code: what needs code to be read is refused.
"""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from farm.checkpoint import read_metadata, read_weights
from farm.errors import DataError
from farm.files import write_whole
from farm.generators.distylegan import files
from farm.generators.distylegan.network import CHANNELS, HALVINGS, Config, Generator

WEIGHTS, CONFIG, PACKED = files.WEIGHTS, files.CONFIG, files.PACKED
WIDEST = 1 << 16  # a greater number in a config is a mistake
LISTED = 5


def load(path: Path) -> Generator:
    """A checkpoint's generator in eval mode, in float32.

    path: a folder with ``generator.pt`` and ``config.json``, or a file that `pack` wrote. Raises DataError if a
    file is missing, damaged or something else, or if weights and config do not agree.
    """
    packed = path.suffix == PACKED
    where, told = (path, "its metadata") if packed else (path / CONFIG, CONFIG)
    config = checked(_unpacked(path) if packed else _read(where), where)
    weights = path if packed else path / WEIGHTS
    tensors = read_weights(weights)
    with torch.device("meta"):  # no memory yet: a wrong config may ask for any amount
        generator = Generator(config)
    wrong = list(_disagreements(generator.state_dict(), tensors))
    if wrong:
        more = f" and {len(wrong) - LISTED} more" if len(wrong) > LISTED else ""
        said = f"not the weights that {told} tells of: {', '.join(wrong[:LISTED])}{more}"
        raise DataError(f"{weights}: {said}: give the checkpoint of one training")
    generator.load_state_dict(tensors, assign=True)
    return generator.eval()


def save(folder: Path, tensors: Mapping[str, Tensor], config: Config, more: Mapping[str, Any]) -> None:
    """Write the study's two files, each whole. more: of the config, what does not shape the generator, as ``ndf``."""
    buffer = io.BytesIO()
    torch.save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, buffer)
    write_whole(folder / WEIGHTS, buffer.getvalue())
    write_whole(folder / CONFIG, (json.dumps({**asdict(config), **more}) + "\n").encode())


def pack(path: Path, tensors: Mapping[str, Tensor], config: Config, card: Mapping[str, str]) -> None:
    """Write one file, floating tensors as float16. card: what else its metadata say, such as a `note`."""
    halves = {
        name: value.detach().cpu().contiguous().to(torch.float16 if value.is_floating_point() else value.dtype)
        for name, value in tensors.items()
    }
    safetensors.torch.save_file(halves, path, metadata={**card, "config": json.dumps(asdict(config))})


def note(path: Path) -> str:
    """What a reader of tables must know of these weights: as a packed file says. Nothing is known of a folder's."""
    return read_metadata(path).get("note", "") if path.suffix == PACKED else ""


def checked(read: Any, where: Path) -> Config:
    """A config from JSON. Raises DataError for what is missing, no whole number, or cannot be."""
    names = [each.name for each in fields(Config)]
    found: dict[str, Any] = {name: read.get(name) for name in names} if isinstance(read, dict) else {}
    wrong = [name for name in names if type(found.get(name)) is not int or not 1 <= found[name] <= WIDEST]
    if wrong:
        told = ", ".join(f"{name} {found.get(name)!r}" for name in wrong)
        raise DataError(f"{where}: {told}: each must be a whole number from 1 to {WIDEST}, as in the study's config")
    if found["ngf"] % HALVINGS:
        raise DataError(f"{where}: ngf {found['ngf']}: must be a multiple of {HALVINGS}, for it is halved three times")
    if found["nc"] != CHANNELS:
        raise DataError(f"{where}: nc {found['nc']}: farm's images have {CHANNELS} channels: train on RGB images")
    return Config(**found)


def _unpacked(path: Path) -> Any:
    try:
        return json.loads(read_metadata(path).get("config", "null"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: its metadata's `config` is not JSON ({error}): give another file") from error


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        text = f"cannot be read as JSON ({type(error).__name__}: {error})"
        raise DataError(f"{path}: {text}: {files.ADVICE}") from error


def _disagreements(own: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """What is missing, of another shape or kind, or not the generator's, tensor by tensor."""
    for name, value in own.items():
        if name not in tensors:
            yield f"{name} is missing"
        elif tensors[name].shape != value.shape:
            yield f"{name} is {tuple(tensors[name].shape)}, not {tuple(value.shape)}"
        elif tensors[name].is_floating_point() != value.is_floating_point():
            yield f"{name} is {tensors[name].dtype}, not {value.dtype}"
    yield from (f"{name} is not the generator's" for name in tensors if name not in own)
