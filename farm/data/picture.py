"""One encoded image: decoded with Pillow and checked. Knows bytes and pictures, not files or labels."""

import struct
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from farm.errors import DataError

READABLE = ("PNG", "JPEG", "BMP", "WEBP")
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)


def decode(encoded: bytes, where: str) -> Image.Image:
    """An RGB picture, in memory. where: the file, and the row where there are rows, for messages.

    Raises DataError if the bytes are no image of `READABLE`, are damaged, or are not RGB: how to turn
    grey or transparent pixels into colours is the user's to say.
    """
    try:
        with Image.open(BytesIO(encoded), formats=READABLE) as picture:
            picture.load()
    except BROKEN as error:
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"  # which names an object in memory
        text = f"not an image of {', '.join(READABLE)}, or damaged{reason}: replace or remove it"
        raise DataError(f"{where}: {text}") from error
    check_mode(picture, where)
    return picture


def check_mode(picture: Image.Image, where: str) -> None:
    """Raise DataError unless a picture is RGB."""
    if picture.mode != "RGB":
        text = f"the image's mode is {picture.mode}, not RGB: convert it with Pillow's convert('RGB')"
        raise DataError(f"{where}: {text}")
