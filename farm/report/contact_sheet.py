"""Contact sheets: what the images of each calibration set look like. Knows samples, not sources."""

import io
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from PIL import Image, ImageDraw, ImageFont

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


def _tile(png: bytes) -> Image.Image:
    """One image at the tile's size; small ones keep their pixels visible."""
    image = Image.open(io.BytesIO(png))
    small = max(image.size) < TILE
    return image.resize((TILE - 2, TILE - 2), Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS)
