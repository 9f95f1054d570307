"""Images that `farm synth` has made, as a source. Owns which shards a set consists of; knows no source behind it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from farm.data import real, setfolder
from farm.data.imageset import Block, Files, ImageSet, Parameters, cuts, joined, read
from farm.data.sampling import first
from farm.errors import DataError


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
    """`count` images of the folder (or the one shard) ``files["images"]`` after the first `skip`, in their order.

    Raises DataError if it is no such folder, a shard is missing or damaged, or if there are too few images.
    """
    path = files["images"]
    images = opened(path)
    if "fit" in parameters:
        images = real.uniform(Pictured(images=images, path=path), parameters)
    return first(images, parameters["count"], parameters["skip"])


def opened(path: Path) -> ImageSet:
    """All images of a folder of shards, or of one shard. Raises DataError if it is neither, or not whole."""
    if path.is_file():
        return read(path)
    said = setfolder.read(path)
    made, ranges = said["made"], sorted(said["ranges"], key=lambda each: int(each["start"]))
    if made["layout"] != "shards":
        text = f"in the layout `{made['layout']}`: give it to the source that reads it, or make it with --format shards"
        raise DataError(f"{path}: {text}")
    held, wanted = (
        [(each["start"], each["stop"]) for each in ranges],
        list(cuts(0, said["count"], made["shard_images"])),
    )
    if held != wanted:
        there = sum(stop - start for start, stop in held)
        raise DataError(f"{path}: {there:,} of {said['count']:,} images are there: run the same `farm synth` again")
    files = tuple(path / setfolder.shard_name(each["start"] // made["shard_images"]) for each in ranges)
    return Checked(
        images=joined(files), files=files, step=made["shard_images"], sums=tuple(each["sha256"] for each in ranges)
    )


@dataclass(slots=True, kw_only=True)
class Checked:
    """Shards whose checksums are compared when they are first read. files, sums: of each; step: images of a shard."""

    images: ImageSet
    files: tuple[Path, ...]
    step: int
    sums: tuple[str, ...]
    sound: set[int] = field(default_factory=set)

    @property
    def classes(self) -> int | None:
        """The number of classes, where it is known."""
        return self.images.classes

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.images)

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1. Raises DataError where a file is damaged, or another than was made."""
        for at in range(start // self.step, -(-stop // self.step)):
            if at not in self.sound and setfolder.digest(self.files[at : at + 1])[1] != self.sums[at]:
                text = "has changed since it was made: `farm synth --verify` makes it again"
                raise DataError(f"{self.files[at]}: {text}")
            self.sound.add(at)
        return self.images.block(start, stop)
