"""Which of Pillow's formats are read, and what becomes of modes other than RGB."""

import pickle
from io import BytesIO

import numpy as np
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
    assert (read.image.mode, read.image.getpixel((0, 0)), read.kind) == ("RGB", (200, 100, 50), "of a palette")


COLOURS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("mode", "kind", "called"),
    [
        ("RGB", "PNG", ""), ("L", "PNG", "grey"), ("1", "PNG", "black and white"), ("LA", "PNG", "transparent"),
        ("RGBA", "PNG", "transparent"), ("CMYK", "TIFF", "CMYK"), ("YCbCr", "TIFF", "YCbCr"),
    ],
)  # fmt: skip
def test_other_modes_become_rgb_as_pillow_converts_them(mode, kind, called):
    image = Image.fromarray(COLOURS).convert(mode)
    read = picture.decode(encoded(image, kind), "here")
    assert np.array_equal(np.asarray(read.image), np.asarray(image.convert("RGB")))
    assert (read.image.mode, read.kind) == ("RGB", called)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("transparency", [1, bytes([0, 9])])
def test_transparent_colours_of_a_palette_are_colours(transparency):
    image = Image.new("P", (3, 2), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    read = picture.decode(encoded(image, "PNG", transparency=transparency), "here")
    assert (read.image.getpixel((0, 0)), read.kind) == ((200, 100, 50), "transparent")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_of_16_bit_grey_the_upper_8_are_taken(kind):
    grey = np.array([[0, 255, 256, 0x1234, 65535]], np.uint16)
    read = picture.decode(encoded(Image.fromarray(grey), kind), "here")
    assert np.asarray(read.image).tolist() == [[[0] * 3, [0] * 3, [1] * 3, [0x12] * 3, [255] * 3]]
    assert read.kind == "16-bit grey"


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_of_no_known_range_are_refused(dtype, tmp_path):
    content = encoded(Image.fromarray(np.zeros((2, 2), dtype)), "TIFF")
    (tmp_path / "a.tif").write_bytes(content)
    for read in (lambda: picture.decode(content, "here"), lambda: picture.look(tmp_path / "a.tif", "here")):
        with pytest.raises(DataError, match=r"here: its pixels are 32-bit numbers .*save it with 8 or 16 bits"):
            read()


def test_a_header_tells_what_decoding_tells(tmp_path):
    for mode in ("RGB", "L", "RGBA", "P"):
        Image.fromarray(COLOURS).convert(mode).save(tmp_path / "a.png")
        read = picture.decode((tmp_path / "a.png").read_bytes(), "here")
        assert picture.look(tmp_path / "a.png", "here") == ((6, 5), read.kind)
    (tmp_path / "a.png").write_bytes(b"hello")
    with pytest.raises(DataError, match="here: not an image that farm reads, or damaged: replace or remove it"):
        picture.look(tmp_path / "a.png", "here")


def test_a_picture_error_survives_pickling():
    error = pickle.loads(pickle.dumps(picture.PictureError("here", "no")))
    assert (str(error), error.where) == ("here: no", "here")


def test_an_eps_file_is_not_opened():
    with pytest.raises(DataError, match="here: not an image that farm reads"):
        picture.decode(encoded(Image.new("RGB", (2, 2)), "EPS"), "here")
