"""One encoded image: decoded with Pillow and checked. Knows bytes and pixels, not files or labels."""

import struct
from io import BytesIO

import numpy as np
from PIL import Image

from farm.errors import DataError
from farm.images.imageset import Pixels

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)


def decode(encoded: bytes, where: str) -> Pixels:
    """uint8 (H, W, 3), RGB. where: the file, and the row where there are rows, for messages.

    Raises DataError if the bytes are no image of `FORMATS`, are damaged, or are not RGB: how to turn
    grey or transparent pixels into colours is the user's to say.
    """
    try:
        with Image.open(BytesIO(encoded), formats=FORMATS) as picture:
            mode = picture.mode
            pixels = np.array(picture)
    except BROKEN as error:
        raise DataError(
            f"{where}: not an image of {', '.join(FORMATS)}, or damaged ({error}): replace or remove it"
        ) from error
    if mode != "RGB":
        raise DataError(f"{where}: the image's mode is {mode}, not RGB: convert it with Pillow's convert('RGB')")
    return pixels


def check_size(pixels: Pixels, size: tuple[int, int], where: str) -> None:
    """Raise DataError unless an image is as large as the first one. size: (height, width) of the first."""
    height, width = pixels.shape[:2]
    if (height, width) != size:
        raise DataError(
            f"{where}: the image is {height}x{width} (height x width), the first one {size[0]}x{size[1]}: "
            "resize the images to one size"
        )
