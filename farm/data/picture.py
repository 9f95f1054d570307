"""One image: decoded with Pillow, in RGB. Owns what counts as an image, and how other modes become RGB."""

import struct
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from farm.errors import DataError
from farm.shown import in_line

# Pillow's formats and how their files are called. Not those that it does not know by their first bytes, such as TGA,
# for which anything may pass, and those that it does not decode itself: EPS would start Ghostscript.
READABLE = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "AVIF": (".avif", ".avifs"),
    "BLP": (".blp",),
    "CUR": (".cur",),
    "DCX": (".dcx",),
    "DDS": (".dds",),
    "DIB": (".dib",),
    "FITS": (".fit", ".fits"),
    "FLI": (".fli", ".flc"),
    "FTEX": (".ftc", ".ftu"),
    "GBR": (".gbr",),
    "ICNS": (".icns",),
    "ICO": (".ico",),
    "MSP": (".msp",),
    "PCX": (".pcx",),
    "PIXAR": (".pxr",),
    "PSD": (".psd",),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "SUN": (".ras",),
    "XBM": (".xbm",),
    "XPM": (".xpm",),
}
EXTENSIONS = frozenset(extension for extensions in READABLE.values() for extension in extensions)
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)


# What pictures are called that are not in RGB, by Pillow's mode.
KINDS = {"1": "black and white", "L": "grey", "P": "of a palette"} | dict.fromkeys(
    ("LA", "La", "PA", "RGBA", "RGBa"), "transparent"
)
UNBOUNDED = ("I", "F")  # modes of 32-bit numbers
SIXTEEN = "16-bit grey"


class PictureError(DataError):
    """One image that cannot be used. where: it comes from."""

    def __init__(self, where: str, text: str) -> None:
        """text: why not, and what to do."""
        super().__init__(where, text)
        self.where = in_line(where)

    def __str__(self) -> str:
        return f"{self.where}: {self.args[1]}"


class Header(NamedTuple):
    """What an image is before it is decoded. size: height and width. kind: as of `Decoded`."""

    size: tuple[int, int]
    kind: str


class Decoded(NamedTuple):
    """A picture in RGB. kind: what it was before, in words; empty for RGB."""

    image: Image.Image
    kind: str


def decode(encoded: bytes, where: str) -> Decoded:
    """A picture, in memory; of several frames or pages the first. where: it comes from, for messages.

    Raises PictureError as `rgb`, and if the bytes are no image of `READABLE`, or are damaged.
    """
    try:
        with Image.open(BytesIO(encoded), formats=tuple(READABLE)) as picture:
            picture.load()
            return rgb(picture, where)
    except BROKEN as error:
        raise _unreadable(error, where) from error


def look(path: Path, where: str) -> Header:
    """What the header of an image file tells. Raises PictureError as `decode`, as far as that tells."""
    try:
        with Image.open(path, formats=tuple(READABLE)) as picture:
            return Header((picture.height, picture.width), _kind(picture, where))
    except BROKEN as error:
        raise _unreadable(error, where) from error


def rgb(picture: Image.Image, where: str) -> Decoded:
    """A picture in RGB as Pillow converts it: grey in all channels, colours of a palette, transparency ignored.

    But of 16 bits the upper 8 are taken, as Pillow does where they are colours; grey ones it would cut off at 255.
    Raises PictureError for pixels of 32 bits, whose range is not known.
    """
    kind = _kind(picture, where)
    if not kind:
        return Decoded(picture, kind)
    if kind == SIXTEEN:
        picture = Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8))
    elif picture.mode == "P":
        picture = picture.convert("RGBA")  # else Pillow warns of transparency
    return Decoded(picture.convert("RGB"), kind)


def _kind(picture: Image.Image, where: str) -> str:
    mode = picture.mode
    if mode == "RGB":
        return ""
    if mode.startswith("I;16") or (mode == "I" and picture.format == "PPM"):
        return SIXTEEN
    if mode in UNBOUNDED:
        text = f"its pixels are 32-bit numbers (mode {mode}), of a range that is not known: save it with 8 or 16 bits"
        raise PictureError(where, text)
    return "transparent" if mode == "P" and "transparency" in picture.info else KINDS.get(mode, mode)


def _unreadable(error: Exception, where: str) -> PictureError:
    reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"  # which names an object in memory
    return PictureError(where, f"not an image that farm reads, or damaged{reason}: replace or remove it")
