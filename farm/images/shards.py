"""Images that `farm synth` has made, as a source. Owns which shards a set consists of; knows no source behind it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from farm.errors import DataError
from farm.images import real, setfolder
from farm.images.drawing import first
from farm.images.imageset import Files, ImageSet, Parameters, joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictured:
    """Images of a set as pictures, which can be made to fit a model."""

    images: ImageSet
    path: Path

    @property
    def classes(self) -> int | None:
        """The number of classes, where it is known."""
        return self.images.classes

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.images)

    def read(self, start: int, stop: int) -> Iterator[real.Picture]:
        """The images start, ..., stop - 1."""
        block = self.images.block(start, stop)
        for index, pixels, label in zip(range(start, stop), block.images, block.labels.tolist(), strict=True):
            yield real.Picture(Image.fromarray(pixels), label, f"{self.path}: image {index}")


def source(parameters: Parameters, files: Files) -> ImageSet:
    """`count` images of the folder ``files["images"]`` after the first `skip`, in their order.

    Raises DataError if it is no such folder, a shard is missing or damaged, or if there are too few images.
    """
    path = files["images"]
    images = opened(path)
    if "fit" in parameters:
        images = real.uniform(Pictured(images=images, path=path), parameters)
    return first(images, parameters["count"], parameters["skip"])


def opened(path: Path) -> ImageSet:
    """All images of a folder of shards. Raises DataError if it is none, or not whole."""
    said = setfolder.read(path)
    made, ranges = said["made"], sorted(said["ranges"], key=lambda each: int(each["start"]))
    if made["layout"] != "shards":
        text = f"in the layout `{made['layout']}`: give it to the source that reads it, or make it with --format shards"
        raise DataError(f"{path}: {text}")
    held = sum(each["stop"] - each["start"] for each in ranges)
    if held != said["count"]:
        raise DataError(f"{path}: {held:,} of {said['count']:,} images are there: run the same `farm synth` again")
    return joined([path / setfolder.shard_name(each["start"] // made["shard_images"]) for each in ranges])
