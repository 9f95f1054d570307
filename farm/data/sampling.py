"""Which images of a set are taken: some in their order, or a sample class by class. Knows indices and labels."""

import numpy as np
from numpy.typing import NDArray

from farm.data.imageset import Block, Computed, ImageSet, Labels
from farm.errors import DataError


def first(images: ImageSet, count: int | None, skip: int = 0) -> ImageSet:
    """`count` images after the first `skip`; all of them for None. Raises DataError if there are fewer."""
    if count is None:
        return images
    if skip + count > len(images):
        wanted, summand = _in_words(count, skip)
        text = f"but there are only {len(images)} images: set {summand}`count` to {len(images)} or less"
        raise DataError(f"{wanted}, {text}")
    return Computed(
        count=count, read=lambda start, stop: images.block(skip + start, skip + stop), classes=images.classes
    )


def sample(images: ImageSet, labels: Labels | None, count: int, seed: int, skip: int = 0) -> ImageSet:
    """Sample `count` images without repeats, after `skip` others: image i has class (i + skip) mod C.

    labels: int64 (len(images),), all in [0, C), where C is ``images.classes`` or else the greatest label + 1; None: the
    whole set is shuffled as one class. Every prefix is balanced, and a smaller count gives a prefix of a larger one. Of
    one seed, the set that skips n images shares none with the first n. Raises DataError if a class has too few images.
    """
    pools = _pools(len(images), labels, images.classes)
    _check_enough(pools, count, skip)
    chosen = np.empty(skip + count, np.int64)
    for c, pool in enumerate(pools):
        key = np.array([seed, c], np.uint64)  # a class's order depends on the seed and the class alone
        of_class = chosen[c :: len(pools)]
        of_class[:] = np.random.Generator(np.random.Philox(key=key)).permutation(pool)[: len(of_class)]

    def read(start: int, stop: int) -> Block:
        """In the set's own order, which its cache likes."""
        wanted = chosen[skip + start : skip + stop]
        if not len(wanted):
            return images.block(0, 0)
        order = np.argsort(wanted, kind="stable")
        parts = [images.block(index, index + 1) for index in wanted[order].tolist()]
        back = np.argsort(order, kind="stable")
        pixels = np.concatenate([part.images for part in parts])[back]
        return Block(pixels, np.concatenate([part.labels for part in parts])[back])

    return Computed(count=count, read=read, classes=images.classes)


def most(total: int, labels: Labels | None, classes: int | None) -> int:
    """The largest count that `sample` can give of `total` images: the scarcest class sets it. labels: (total,)."""
    return min(_limits(_pools(total, labels, classes)))


def _pools(total: int, labels: Labels | None, classes: int | None) -> list[NDArray[np.int64]]:
    """The indices of each class; of all images, where there are no labels."""
    if labels is None:
        return [np.arange(total)]
    return [np.flatnonzero(labels == c) for c in range(classes or int(labels.max(initial=0)) + 1)]


def _limits(pools: list[NDArray[np.int64]]) -> list[int]:
    """How far each class goes: class c's k-th image takes the place c + k * C."""
    return [c + len(pool) * len(pools) for c, pool in enumerate(pools)]


def _check_enough(pools: list[NDArray[np.int64]], count: int, skip: int) -> None:
    limits = _limits(pools)  # the class that ends first sets it
    if skip + count <= min(limits):
        return
    scarce = limits.index(min(limits))
    has = f"class {scarce} has only {len(pools[scarce])} of them" if len(pools) > 1 else "no more"
    wanted, summand = _in_words(count, skip)
    change = f"set {summand}`count` to {min(limits)} or less, or add images"
    raise DataError(f"{wanted}, but there are {sum(map(len, pools))} images, and {has}: {change}")


def _in_words(count: int, skip: int) -> tuple[str, str]:
    return (f"`count: {count}` after `skip: {skip}`", "`skip` + ") if skip else (f"`count: {count}`", "")
