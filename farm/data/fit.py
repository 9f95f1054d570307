"""One picture brought to a model's size, byte for byte as by torchvision's ``ImageClassification`` (2 s to import)."""

from PIL import Image

from farm.axes import Fit
from farm.data.picture import PictureError

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
LARGEST = 1 << 27  # pixels of a resized picture, 0.5 GiB; a thread of 1 x 10,000 pixels would grow beyond


def fit(picture: Image.Image, how: Fit, where: str) -> Image.Image:
    """The picture resized and cropped, of ``how.size``; black outside it. Raises PictureError if it is too narrow."""
    height, width = resized((picture.height, picture.width), how, where)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), INTERPOLATIONS[how.interpolation])
    crop_height, crop_width = how.size
    left, top = _margin(width, crop_width), _margin(height, crop_height)
    return picture.crop((left, top, left + crop_width, top + crop_height))


def resized(size: tuple[int, int], how: Fit, where: str) -> tuple[int, int]:
    """Height and width before the crop, of a picture of this size. Raises PictureError as `fit`."""
    height, width = size
    longer = int(how.resize * max(size) / min(size))  # rounded down
    height, width = (longer, how.resize) if width <= height else (how.resize, longer)
    if width * height > LARGEST:
        text = f"{size[0]}x{size[1]} (height x width) would become {height}x{width}"
        raise PictureError(where, f"the image is too narrow: {text} before the crop: crop or remove it")
    return height, width


def _margin(side: int, crop: int) -> int:
    """Where the crop starts; below 0 where it is larger, and what is outside the picture is black."""
    return -((crop - side) // 2) if crop > side else round((side - crop) / 2)
