"""Images that `farm synth` has made, as a source. Owns which shards a set consists of; knows no source behind it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from farm.data import real, setfolder
from farm.data.imageset import Arguments, Block, Computed, Files, ImageSet, cuts, joined, read
from farm.data.sampling import first
from farm.errors import DataError
from farm.files import sha256


def source(parameters: Arguments, files: Files) -> ImageSet:
    """`count` images of the folder (or the one shard) ``files["images"]`` after the first `skip`, in their order.

    Raises DataError if it is no such folder, a shard is missing or damaged, or if there are too few images.
    """
    path = files["images"]
    images = opened(path)
    if "fit" in parameters:  # as pictures, which can be made to fit a model
        pictures = real.Pictures(count=len(images), read=partial(_read, images, path), classes=images.classes)
        images = real.uniform(pictures, parameters)
    return first(images, parameters["count"], parameters["skip"])


def opened(path: Path) -> ImageSet:
    """All images of a folder of shards, or of one shard. Raises DataError if it is neither, or not whole."""
    if path.is_file():
        return read(path)
    manifest = setfolder.read(path)
    ranges, step, count = sorted(manifest.ranges, key=lambda part: part.start), manifest.step, manifest.count
    if manifest.layout != "shards":
        text = (
            f"in the format `{manifest.layout}`: give it to the source that reads it, or make it with --format shards"
        )
        raise DataError(f"{path}: {text}")
    if [(shard.start, shard.stop) for shard in ranges] != list(cuts(0, count, step)):
        there = sum(shard.stop - shard.start for shard in ranges)
        raise DataError(f"{path}: {there:,} of {count:,} images are there: run the same `farm synth` again")
    files = tuple(path / setfolder.shard_name(shard.start // step) for shard in ranges)
    images, sums = joined(files), tuple(shard.sha256 for shard in ranges)
    checks = Checks(images=images, files=files, step=step, sums=sums)
    return Computed(count=count, read=checks.block, classes=images.classes)


def _read(images: ImageSet, path: Path, start: int, stop: int) -> Iterator[real.Picture]:
    block = images.block(start, stop)
    for index, pixels, label in zip(range(start, stop), block.images, block.labels.tolist(), strict=True):
        yield real.Picture(Image.fromarray(pixels), f"{path}: image {index}", label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Checksums of shards, compared when they are first read. step: images of a shard. sound: the shards so far."""

    images: ImageSet
    files: tuple[Path, ...]
    step: int
    sums: tuple[str, ...]
    sound: set[int] = field(default_factory=set)

    def block(self, start: int, stop: int) -> Block:
        """The images start, ..., stop - 1. Raises DataError where a file is damaged, or another than was made."""
        for at in range(start // self.step, -(-stop // self.step)):
            if at not in self.sound and sha256(self.files[at]) != self.sums[at]:
                text = "has changed since it was made: `farm synth --verify` makes it again"
                raise DataError(f"{self.files[at]}: {text}")
            self.sound.add(at)
        return self.images.block(start, stop)
