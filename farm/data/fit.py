"""One picture brought to a model's size, and where it then lies in the model's input.

`crop` is byte for byte as torchvision's ``ImageClassification`` does it (2 s to import). `stretch` and `letterbox` are
what detectors and segmenters are given: the whole picture, of another aspect, or with a border.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.axes import LETTERBOX, PAD, STRETCH, Fit
from farm.data.picture import PictureError

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
LARGEST = 1 << 27  # pixels of a resized picture, 0.5 GiB; a thread of 1 x 10,000 pixels would grow beyond


class Place(NamedTuple):
    """Where a picture lies in a model's input: height and width that it is resized to, and its left upper corner.

    Of a picture that is cropped the corner lies outside.
    """

    height: int
    width: int
    top: int = 0
    left: int = 0

    def undone(self, corners: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        """Corners in the input, (k, 4), as such in the picture of this size, height and width."""
        scale = np.array([size[1] / self.width, size[0] / self.height])
        undone: NDArray[np.float64] = (corners - np.tile([self.left, self.top], 2)) * np.tile(scale, 2)
        return undone


def place(size: tuple[int, int], how: Fit | None, where: str) -> Place:
    """Where a picture of this size, height and width, comes to lie. Raises PictureError if it is too narrow.

    how: None for a picture that is taken as it is.
    """
    if how is None:
        return Place(*size)
    if how.whole == STRETCH:
        return Place(*how.size)
    if how.whole == LETTERBOX:
        return _letterboxed(size, how)
    height, width = _resized(size, how.resize or min(how.size), where)
    return Place(height, width, -_margin(height, how.size[0]), -_margin(width, how.size[1]))


def fit(picture: Image.Image, how: Fit, where: str) -> Image.Image:
    """The picture of ``how.size``: black outside it where it is cropped, of ``how.pad`` where it is letterboxed.

    Raises PictureError if it is too narrow.
    """
    at = place((picture.height, picture.width), how, where)
    if (at.width, at.height) != picture.size:
        picture = picture.resize((at.width, at.height), INTERPOLATIONS[how.interpolation])
    height, width = how.size
    if how.whole == LETTERBOX:
        border = PAD if how.pad is None else how.pad
        whole = Image.new(picture.mode, (width, height), (border,) * len(picture.getbands()))
        whole.paste(picture, (at.left, at.top))
        return whole
    return picture.crop((-at.left, -at.top, width - at.left, height - at.top))


def _letterboxed(size: tuple[int, int], how: Fit) -> Place:
    """As large as fits, its sides rounded down: in integers, so that a side that fits is not a pixel short."""
    (height, width), (most_height, most_width) = size, how.size
    if most_height * width <= most_width * height:
        height, width = most_height, max(1, width * most_height // height)
    else:
        height, width = max(1, height * most_width // width), most_width
    if how.corner:
        return Place(height, width)
    return Place(height, width, (how.size[0] - height) // 2, (how.size[1] - width) // 2)


def _resized(size: tuple[int, int], shorter: int, where: str) -> tuple[int, int]:
    """Height and width before the crop, of a picture of this size."""
    height, width = size
    longer = int(shorter * max(size) / min(size))  # rounded down
    height, width = (longer, shorter) if width <= height else (shorter, longer)
    if width * height > LARGEST:
        text = f"{size[0]}x{size[1]} (height x width) would become {height}x{width}"
        raise PictureError(where, f"the image is too narrow: {text} before the crop: crop or remove it")
    return height, width


def _margin(side: int, crop: int) -> int:
    """Where the crop starts; below 0 where it is larger, and what is outside the picture is black."""
    return -((crop - side) // 2) if crop > side else round((side - crop) / 2)
