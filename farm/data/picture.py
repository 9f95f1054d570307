"""One encoded image: decoded with Pillow and checked. Knows bytes and pictures, not files or labels."""

import struct
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from farm.errors import DataError

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


def decode(encoded: bytes, where: str) -> Image.Image:
    """An RGB picture, in memory; of several frames or pages the first. where: it comes from, for messages.

    Colours of a palette are looked up. Raises DataError if the bytes are no image of `READABLE`, are damaged, or are
    not RGB: how to turn grey or transparent pixels into colours is the user's to say.
    """
    try:
        with Image.open(BytesIO(encoded), formats=tuple(READABLE)) as picture:
            picture.load()
    except BROKEN as error:
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"  # which names an object in memory
        text = f"not an image that farm reads, or damaged{reason}: replace or remove it"
        raise DataError(f"{where}: {text}") from error
    opaque = picture.mode == "P" and "transparency" not in picture.info
    rgb = picture.convert("RGB") if opaque else picture
    check_mode(rgb, where)
    return rgb


def check_mode(picture: Image.Image, where: str) -> None:
    """Raise DataError unless a picture is RGB."""
    if picture.mode != "RGB":
        text = f"the image's mode is {picture.mode}, not RGB: convert it with Pillow's convert('RGB')"
        raise DataError(f"{where}: {text}")
