"""Images that `farm synth` has made, as a source. Owns which shards a set consists of; knows no source behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from farm.data import real, setfolder
from farm.data.imageset import Arguments, Block, Computed, Files, ImageSet, cuts, read
from farm.data.sampling import first
from farm.errors import DataError
from farm.files import sha256


def source(parameters: Arguments, files: Files) -> ImageSet:
    """`count` images of a folder or one shard, after the first `skip`. Raises DataError as `opened`, or if too few."""
    path = files["images"]
    images = opened(path)
    if "fit" in parameters:  # as pictures, which can be made to fit a model
        images = real.uniform(_pictures(images, path), parameters)
    return first(images, parameters["count"], parameters["skip"])


def opened(path: Path) -> ImageSet:
    """All images of a folder of shards, or of one shard. Raises DataError if it is neither, or not whole."""
    if path.is_file():
        return read(path)
    inventory = setfolder.read(path)
    ranges, step, count = sorted(inventory.ranges, key=lambda part: part.start), inventory.step, inventory.count
    if inventory.layout != "shards":
        change = "give it to the source that reads it, or make it with --format shards"
        raise DataError(f"{path}: in the format `{inventory.layout}`: {change}")
    if [(shard.start, shard.stop) for shard in ranges] != list(cuts(0, count, step)):
        there = sum(shard.stop - shard.start for shard in ranges)
        raise DataError(f"{path}: {there:,} of {count:,} images are there: run the same `farm synth` again")
    files = tuple(path / setfolder.shard_name(part.start // step) for part in ranges)
    return replace(_checked(files, ranges, count, step), note=inventory.note)


def _checked(files: tuple[Path, ...], ranges: Sequence[setfolder.Range], count: int, step: int) -> Computed:
    """The images of shards, whose checksums are compared when they are first read."""
    images, sound = read(*files), set[int]()

    def checked(start: int, stop: int) -> Block:
        for at in range(start // step, -(-stop // step)):
            if at not in sound and sha256(files[at]) != ranges[at].sha256:
                raise DataError(f"{files[at]}: has changed since it was made: `farm synth --verify` makes it again")
            sound.add(at)
        return images.block(start, stop)

    return Computed(count=count, read=checked, classes=images.classes)


def _pictures(images: ImageSet, path: Path) -> real.Pictures:
    def read(start: int, stop: int) -> Iterator[real.Picture]:
        block = images.block(start, stop)
        for index, pixels, label in zip(range(start, stop), block.images, block.labels.tolist(), strict=True):
            yield real.Picture(Image.fromarray(pixels), f"{path}: image {index}", label)

    return real.Pictures(count=len(images), read=read, classes=images.classes, note=images.note)
