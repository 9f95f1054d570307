"""Which images of a set are taken: some in their order, or a sample class by class. Knows indices and labels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from farm.data.imageset import Block, Computed, ImageSet, Labels
from farm.errors import DataError
from farm.shown import in_line

Indices = NDArray[np.int64]

NAMED = 3  # of classes or files in a note; of the others it tells how many
KEYS = 1 << 64  # of numpy's generators


def first(images: ImageSet, count: int, skip: int = 0) -> ImageSet:
    """`count` images after the first `skip`. Raises DataError if there are fewer."""
    _check_enough(len(images), count, skip)
    return Computed(
        count=count,
        read=lambda start, stop: images.block(skip + start, skip + stop),
        classes=images.classes,
        note=images.note,
    )


def sample(images: ImageSet, labels: Labels | None, count: int, seed: int, skip: int = 0) -> ImageSet:
    """`count` images without repeats, after `skip` others, as by `sampled`."""
    return taken(images, sampled(len(images), labels, count, seed, skip))


def sampled(total: int, labels: Labels | None, count: int, seed: int, skip: int = 0) -> Indices:
    """Which `count` images of `total` a sample has, after `skip` others. Raises DataError if there are fewer.

    An image of each class, and so on, round by round; a class that has no more is passed over. So image i has class
    (i + skip) mod C while every class lasts, every prefix is as balanced as can be, and a smaller count gives a prefix
    of a larger one. Of one seed, the sample that skips n images shares none with the first n. labels: int64 (total,);
    None: all are shuffled as one class.
    """
    _check_enough(total, count, skip)
    return _dealt(total, labels, seed)[skip : skip + count]


def _dealt(total: int, labels: Labels | None, seed: int) -> Indices:
    if labels is None:
        return _shuffled(np.arange(total), seed, 0)
    by_class = np.argsort(labels, kind="stable")
    classes, starts = np.unique(labels[by_class], return_index=True)
    pools = np.split(by_class, starts[1:])
    shuffled = [_shuffled(pool, seed, int(label)) for label, pool in zip(classes, pools, strict=True)]
    rounds = np.concatenate([np.arange(len(pool)) for pool in pools])
    return np.concatenate(shuffled)[np.argsort(rounds, kind="stable")]


def taken(images: ImageSet, indices: Indices) -> Computed:
    """The images of these indices, in this order; those of a block are read in the set's own, which its cache likes."""

    def read(start: int, stop: int) -> Block:
        wanted = indices[start:stop]
        if not len(wanted):
            return images.block(0, 0)
        order = np.argsort(wanted, kind="stable")
        parts = [images.block(index, index + 1) for index in wanted[order].tolist()]
        back = np.argsort(order, kind="stable")
        pixels = np.concatenate([part.images for part in parts])[back]
        return Block(pixels, np.concatenate([part.labels for part in parts])[back])

    return Computed(count=len(indices), read=read, classes=images.classes, note=images.note)


def absent(chosen: Labels, classes: Sequence[int] | range, names: Sequence[str] = ()) -> str:
    """Of which classes there is no image among the chosen, in words; empty if of none. names: of class 0, 1, ..."""
    there = set(chosen.tolist())
    lacking = len(classes) - len(there)
    which = some(_named((label for label in classes if label not in there), names), lacking)
    return f"no images of {lacking:,} of {len(classes):,} classes: {which}" if lacking else ""


def unbalanced(chosen: Labels, names: Sequence[str] = ()) -> str:
    """Which classes among the chosen have fewer images than others, in words; empty if each has as many, but for one.

    names: as of `absent`.
    """
    classes, counts = np.unique(chosen, return_counts=True)
    scarce = counts < counts.max() - 1
    if not scarce.any():
        return ""
    few = zip(counts[scarce].tolist(), _named(classes[scarce].tolist(), names), strict=True)
    which = some((f"{count} of {name}" for count, name in few), int(scarce.sum()))
    return f"not balanced, for lack of images: {which}; up to {counts.max()} of each other class"


def not_in_rgb(converted: Mapping[str, int]) -> str:
    """How many images are in other modes, in words; empty for none. converted: by what they are."""
    total = sum(converted.values())
    counted = ", ".join(f"{count:,} {kind}" for kind, count in sorted(converted.items()))
    there = "1 image is" if total == 1 else f"{total:,} images are"
    return f"{there} not in RGB: {counted}" if total else ""


def some(words: Iterable[str], total: int, most: int = NAMED) -> str:
    """The first words of so many, and how many more there are."""
    more = f" and {total - most:,} more" if total > most else ""
    return f"{', '.join(map(in_line, islice(words, most)))}{more}"


def _named(labels: Iterable[int], names: Sequence[str]) -> Iterator[str]:
    known = (names[label] if 0 <= label < len(names) else str(label) for label in labels)
    return (f"class {name}" if name.isdecimal() else name for name in known)


def _shuffled(pool: Indices, seed: int, label: int) -> Indices:
    """A class's images in an order that depends on the seed and the class alone."""
    key = np.array([seed, label % KEYS], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(pool)


def _check_enough(total: int, count: int, skip: int) -> None:
    if skip + count <= total:
        return
    wanted = f"`count: {count}` after `skip: {skip}`" if skip else f"`count: {count}`"
    change = f"set {'`skip` + ' if skip else ''}`count` to {total} or less, or add images"
    raise DataError(f"{wanted}, but there are only {total} images: {change}")
