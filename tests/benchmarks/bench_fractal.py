"""Fractals a second, against a plain loop in Python over the points of one image after the other.

1. Rendering, the systems being known: the loop, on one core, runs the chaos game of an image's system and then stamps
   every point as the image's 3x3 pattern, as FractalDB's and Datumaro's generators do; it has no colours, flips,
   rotation, background or blur. It stamps as many points as farm does, and 200,000, as the literature does. farm, on
   the same core and with one thread, makes whole images of the same systems. Both by turns; the ratio is the median of
   the turns' ratios.
2. Searching a category's system: the loop runs the game of one random system after the other until one fills a fifth of
   32x32 pixels with 4,096 points; farm's search tries the same systems.
3. Images a second through the source, as a set is read: those that come after every category is known, and the first
   ones, each of which has a category of its own to be found.
"""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate, product
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from publishing import NO_GOAL, goal, options, parser, publish

from farm.catalog.sources import SOURCES
from farm.generators.aligned import one_thread
from farm.generators.equipment import Equipment
from farm.generators.fractal import chaos, ifs, random_numbers, rendering, source
from farm.generators.fractal.categories import SEARCH, Categories
from farm.generators.fractal.ifs import Systems

NAME = "fractal"
FASTER = 100
SIDES = (32, 64, 224)
LITERATURE = 200_000  # steps of an image's chaos game
FILL = 0.2
ENDLESS = 1_000_000  # images of a set of which only some are read
TRIAL = chaos.TRIAL_STEPS * chaos.TRIAL_ORBITS  # points
SETTLE = 16  # steps of the loop that it does not stamp
SEED = 0

Map = tuple[float, ...]  # a, ..., f
Pattern = NDArray[np.uint8]


class Sizes(NamedTuple):
    """repeats: of everything. looped: images, or categories, of the loop. rendered, read: images of 32x32 of farm's."""

    repeats: int
    looped: int
    rendered: int
    read: int


FULL, QUICK = Sizes(7, 8, 2048, 4096), Sizes(2, 2, 512, 1024)


def main() -> None:
    """Time, publish."""
    sizes = QUICK if options(parser(__doc__)).quick else FULL
    random.seed(SEED)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    rows = [*rendered(sizes), *searched(sizes)]
    os.sched_setaffinity(0, cores)
    for side, workers in product(SIDES, sorted({1, len(cores)})):
        rows += read(side, workers, sizes)
    publish(NAME, rows, note=f"Medians of {sizes.repeats} turns.")


def parameters(side: int, count: int, **changes: Any) -> dict[str, Any]:
    """farm's defaults."""
    given = {"count": count, "seed": SEED, "size": (side, side), **changes}
    return SOURCES["fractal"].parameters.model_validate(given).model_dump()


def rendered(sizes: Sizes) -> list[dict[str, Any]]:
    """Rows of rendering at 32x32."""
    side = 32
    how = source.rendering_of(parameters(side, sizes.rendered, categories=64), "cpu")
    pairs = rendering.pairs(0, sizes.rendered, how.categories.count)
    systems = plain(how.categories.varied(*pairs)[0], sizes.looped)

    def farm() -> None:
        with one_thread():
            for start in range(0, sizes.rendered, source.BLOCK):
                rendering.render(how, start, start + source.BLOCK)

    def loop(points: int) -> None:
        for one in systems:
            stamped(*chaos_game(*one, points), side)

    farm()
    works = {
        "farm": (farm, sizes.rendered),
        "loop": (lambda: loop(how.points), len(systems)),
        "game": (lambda: [chaos_game(*one, how.points) for one in systems], len(systems)),
        "long": (lambda: loop(LITERATURE), len(systems)),
    }
    seconds = by_turns(works, sizes.repeats)
    ratio = times(seconds["loop"], seconds["farm"])
    aim = goal(f"at least {FASTER} times", met=ratio >= FASTER, reason=f"{ratio:.0f} times")
    return [
        row("rendering: loop", side, how.points, seconds["loop"]),
        row("rendering: of that the game alone", side, how.points, seconds["game"]),
        row("rendering: loop, as in the literature", side, LITERATURE, seconds["long"]),
        row("rendering: farm", side, how.points, seconds["farm"], ratio) | aim,
        row(
            "rendering: farm, against the literature",
            side,
            how.points,
            seconds["farm"],
            times(seconds["long"], seconds["farm"]),
        ),
    ]


def searched(sizes: Sizes) -> list[dict[str, Any]]:
    """Rows of the search."""
    candidates = [first_candidates(category) for category in range(sizes.looped)]

    def loop() -> None:
        for some in candidates:
            next(one for one in some if fills(*chaos_game(*one, TRIAL)))

    def farm() -> None:
        known = Categories(seed=SEED, count=source.BLOCK, fill=FILL, device="cpu")
        with one_thread(), torch.inference_mode():
            known.varied(np.arange(source.BLOCK), np.zeros(source.BLOCK, np.int64))

    works = {"farm": (farm, source.BLOCK), "loop": (loop, len(candidates))}
    seconds = by_turns(works, sizes.repeats)
    ratio = times(seconds["loop"], seconds["farm"])
    return [
        row("a system that fills enough: loop", chaos.GRID, TRIAL, seconds["loop"]),
        row("a system that fills enough: farm", chaos.GRID, TRIAL, seconds["farm"], ratio),
    ]


def read(side: int, workers: int, sizes: Sizes) -> list[dict[str, Any]]:
    """Rows of images a second through the source."""
    equipment, later, first = Equipment(workers=workers), [], []
    for _ in range(sizes.repeats):
        shared = source.source(parameters(side, ENDLESS, categories=8), {}, equipment)
        many = -(-sizes.read * SIDES[0] ** 2 // (side**2 * shared.step)) * shared.step  # whole blocks
        own = source.source(parameters(side, many, categories=many), {}, equipment)
        shared.block(0, 8 * ifs.VARIATIONS)  # all categories in all variations
        start = ENDLESS // 2 // shared.step * shared.step
        later.append(seconds_of(partial(shared.block, start, start + many)) / many)
        first.append(seconds_of(partial(own.block, 0, many)) / many)
    points = source.POINTS_A_PIXEL * side**2
    threads = f"{workers} thread{'s' * (workers > 1)}"
    return [
        row(f"set, categories known, {threads}", side, points, later),
        row(f"set, a new category each, {threads}", side, points, first),
    ]


def chaos_game(maps: Sequence[Map], bounds: Sequence[float], points: int) -> tuple[list[float], list[float]]:
    """The chaos game, a point at a time."""
    xs, ys = [], []
    x = y = 0.0
    for step in range(points + SETTLE):
        pick = random.random()
        for bound, (a, b, c, d, e, f) in zip(bounds, maps, strict=True):
            if pick <= bound:
                x, y = a * x + b * y + e, c * x + d * y + f
                break
        if step >= SETTLE:
            xs.append(x)
            ys.append(y)
    return xs, ys


def stamped(xs: list[float], ys: list[float], side: int) -> Pattern:
    """The points scaled to the canvas, each as a random pattern of 3x3 pixels that the image has."""
    columns, rows = pixels(xs, side), pixels(ys, side)
    pattern = np.array([random.random() < 0.5 for _ in range(9)], np.uint8).reshape(3, 3) * np.uint8(127)
    image = np.zeros((side + 2, side + 2), np.uint8)
    for column, row in zip(columns, rows, strict=True):
        image[row : row + 3, column : column + 3] |= pattern
    return image[1:-1, 1:-1]


def fills(xs: list[float], ys: list[float]) -> bool:
    """Whether the points hit enough of the grid."""
    if not np.isfinite([xs[-1], ys[-1]]).all() or max(xs) == min(xs) or max(ys) == min(ys):
        return False
    hit = set(zip(pixels(xs, chaos.GRID), pixels(ys, chaos.GRID), strict=True))
    return len(hit) >= FILL * chaos.GRID**2


def pixels(values: list[float], side: int) -> list[int]:
    """Pixels of coordinates."""
    points = np.array(values)
    low, high = points.min(), points.max()
    return ((points - low) / (high - low) * (side - 1)).astype(int).tolist()  # type: ignore[no-any-return]


def first_candidates(category: int) -> list[tuple[list[Map], list[float]]]:
    """The random systems that farm tries for a category, in their order."""
    tried = [random_numbers.numbers(SEED, SEARCH, category, 1, ifs.NUMBERS, turn) for turn in range(64)]
    systems = ifs.candidates(torch.cat(tried))
    return plain(systems, len(systems))


def plain(systems: Systems, count: int) -> list[tuple[list[Map], list[float]]]:
    """The first systems as Python's own numbers: their maps, and the cumulated probabilities of these."""
    listed = []
    for maps, many in zip(systems.maps[:count].tolist(), systems.many.tolist(), strict=False):
        weights = [abs(a * d - b * c) for a, b, c, d, _, _ in maps[:many]]
        bounds = [each / sum(weights) for each in accumulate(weights)]
        listed.append(([tuple(each) for each in maps[:many]], [*bounds[:-1], 1.0]))
    return listed


def by_turns(works: Mapping[str, tuple[Callable[[], object], int]], repeats: int) -> dict[str, list[float]]:
    """Seconds an item of each work, one after the other, again and again."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, (work, items) in works.items():
            seconds[name].append(seconds_of(work) / items)
    return seconds


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def times(slow: Sequence[float], fast: Sequence[float]) -> float:
    """How many times as fast, in the median of the turns."""
    return median(each / other for each, other in zip(slow, fast, strict=True))


def row(what: str, side: int, points: int, seconds: Sequence[float], ratio: float | None = None) -> dict[str, Any]:
    """A row without a goal."""
    middle = median(seconds)
    figures = {"side": side, "points": points, "images_per_s": 1 / middle, "us_per_image": middle * 1e6}
    return {"what": what, **figures, "times_the_loop": ratio, **NO_GOAL}


if __name__ == "__main__":
    main()
