"""Which of Pillow's formats are read."""

from io import BytesIO

import pytest
from PIL import Image

from farm.data import picture
from farm.errors import DataError

NOT_READ = {
    "EPS": "starts Ghostscript",
    "BUFR": "not decoded by Pillow itself", "GRIB": "the same", "HDF5": "the same", "MPEG": "the same",
    "WMF": "the same",
    "IM": "known by no first bytes", "IMT": "the same", "IPTC": "the same", "PCD": "the same", "SPIDER": "the same",
    "TGA": "the same",
    "MCIDAS": "its files have no extension", "XVTHUMB": "the same",
}  # fmt: skip


def test_every_format_that_pillow_opens_is_read_or_there_is_a_reason():
    Image.init()
    assert set(picture.READABLE) | set(NOT_READ) == set(Image.OPEN)
    assert not set(picture.READABLE) & set(NOT_READ)
    assert all(Image.OPEN[kind][1] is not None for kind in picture.READABLE), "told by its first bytes"


def test_every_extension_of_a_format_is_known():
    Image.init()
    registered = {extension: kind for extension, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    assert {one: kind for one, kind in registered.items() if kind not in NOT_READ} == {
        extension: kind for kind, extensions in picture.READABLE.items() for extension in extensions
    }


def encoded(image, kind, **more):
    target = BytesIO()
    image.save(target, kind, **more)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_colours_of_a_palette_are_looked_up(kind):
    image = Image.new("P", (3, 2), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    read = picture.decode(encoded(image, kind), "here")
    assert (read.mode, read.getpixel((0, 0))) == ("RGB", (200, 100, 50))


def test_transparent_colours_are_the_users_to_say():
    image = Image.new("P", (3, 2), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    with pytest.raises(DataError, match="here: the image's mode is P, not RGB"):
        picture.decode(encoded(image, "PNG", transparency=1), "here")


def test_an_eps_file_is_not_opened():
    with pytest.raises(DataError, match="here: not an image that farm reads"):
        picture.decode(encoded(Image.new("RGB", (2, 2)), "EPS"), "here")
