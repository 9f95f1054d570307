"""Contact sheets: what the images of each calibration set look like. Knows samples, not sources."""

import io
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from farm.errors import InputError
from farm.files import replaced_for

ABREAST = 16
ROWS = 2
TILE = 48
MARGIN = 8
HEADING = 22


def contact_sheet(samples: Sequence[dict[str, Any]], most: int = ROWS) -> Image.Image:
    """The first images of each calibration set under its name, in `most` rows of 16.

    samples: rows of ``samples.parquet``: calibration, index, label, png (bytes), sets one after another.
    """
    sets = [(name, list(rows)[: ABREAST * most]) for name, rows in groupby(samples, key=lambda row: row["calibration"])]
    block = HEADING + most * TILE + MARGIN
    sheet = Image.new("RGB", (2 * MARGIN + ABREAST * TILE, MARGIN + block * len(sets)), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    for position, (name, rows) in enumerate(sets):
        top = MARGIN + position * block
        pen.text((MARGIN, top), str(name), fill="black", font=font)
        for index, row in enumerate(rows):
            corner = (MARGIN + index % ABREAST * TILE, top + HEADING + index // ABREAST * TILE)
            sheet.paste(_tile(row["png"]), corner)
    return sheet


def save(option: str, path: Path, samples: Sequence[dict[str, Any]], most: int = ROWS) -> None:
    """Write a contact sheet. option: that gives the path. Raises InputError if it cannot be written."""
    with replaced_for(option, path) as new:
        contact_sheet(samples, most).save(new, Image.registered_extensions()[path.suffix.lower()])


def check(option: str, path: Path, apart: Path | None = None) -> None:
    """Raise InputError, before any work, if Pillow writes no picture with such a suffix, or not there.

    option: that gives the path, for the message. apart: a folder that it must not lie in, as a set of images is to.
    """
    ending = f"as {path.suffix}" if path.suffix else "without a suffix"
    example = f"{path.stem or 'sheet'}.png"
    form = Image.registered_extensions().get(path.suffix.lower(), "")
    try:
        Image.new("RGB", (1, 1)).save(io.BytesIO(), form)
    except (OSError, ValueError, KeyError) as error:  # what Pillow raises of forms that it only reads, or does not know
        text = f"no picture can be written {ending}: name a file such as {example}"
        raise InputError(f"{option} {path}: {text}") from error
    if apart is not None and path.resolve().is_relative_to(apart.resolve()):
        raise InputError(f"{option} {path}: {apart} is for the set alone: name a file elsewhere")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{option} {path}: there is no folder {path.parent}: make it, or name another file")


def _tile(png: bytes) -> Image.Image:
    """One image at the tile's size; small ones keep their pixels visible."""
    image = Image.open(io.BytesIO(png))
    small = max(image.size) < TILE
    return image.resize((TILE - 2, TILE - 2), Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS)
