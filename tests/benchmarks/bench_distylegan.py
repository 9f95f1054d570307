"""DiStyleGAN's images a second: farm's way against the study's, on the same generator and cores.

The study's way, written anew from its description: batches of 32 in float32 through the generator as trained, by
torch on all cores, each batch appended to all before it (which copies them all), the whole turned to grey levels at
the end. farm's: the folded generator in blocks of 256, one thread each, in float32 and bfloat16; and, to see what
the folding does alone, the generator as trained in farm's blocks. All make a calibration set of the same size from the
shipped weights, in turn, several times; the ratio is the median's. The difference of bfloat16 is in grey levels, to
float32.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from publishing import NO_GOAL, goal, options, parser, publish

from farm.catalog.sources import SHIPPED, SOURCES
from farm.data.imageset import Pixels
from farm.generators.aligned import one_thread
from farm.generators.distylegan import checkpoint, source
from farm.generators.equipment import Equipment, fast_bfloat16
from farm.generators.generated import grey_levels, normal
from farm.host.lease import host_cores
from farm.inputs import HashMemo, cache_folder, default_search, locate

NAME = "distylegan"
SEED, CLASSES, STUDYS_BATCH = 0, 10, 32
GOAL = 3.0


class Sizes(NamedTuple):
    """count: images of a set. repeats: how often each way makes it."""

    count: int
    repeats: int


FULL, QUICK = Sizes(count=5000, repeats=5), Sizes(count=512, repeats=2)


def main() -> None:
    """Make the sets in turn, and publish."""
    sizes = QUICK if options(parser(__doc__ or "")).quick else FULL
    cores = len(host_cores())
    torch.set_num_threads(cores)
    weights = located()
    generator = checkpoint.load(weights)
    ways: dict[str, Callable[[], Pixels]] = {
        "the study's way, f32": lambda: studys(generator, sizes.count),
        "as trained in farm's blocks, f32": lambda: unfolded(generator, sizes.count),
        "farm, f32": lambda: farms(weights, "f32", sizes.count, cores),
        "farm, bf16": lambda: farms(weights, "bf16", sizes.count, cores),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    images: dict[str, Pixels] = {}
    for _ in range(1 + sizes.repeats):  # the first one warms up
        for name, way in ways.items():
            begun = time.perf_counter()
            images[name] = way()
            seconds[name].append(time.perf_counter() - begun)
    rows = [
        row(name, [s[1:] for s in (seconds[name], seconds["the study's way, f32"])], images, sizes) for name in ways
    ]
    note = f"{sizes.count:,} images of 32x32, medians of {sizes.repeats} sets made in turn, on {cores} cores."
    if not fast_bfloat16():
        note += " The CPU has no AMX, so that weights are rounded to bfloat16 and multiplied in float32."
    publish(NAME, rows, note=note)


def located() -> Path:
    """The shipped weights."""
    wanted = SOURCES["distylegan"].inputs[0]
    memo = HashMemo(cache_folder() / "hashes.json")
    found = locate(wanted, {"weights": SHIPPED}, {"name": "distylegan"}, default_search(Path(NAME)), memo)
    if found is None or found.missing:
        raise SystemExit(f"no weights: {found.missing if found else ''}")
    return Path(found.path)


def studys(generator: Any, count: int) -> Pixels:
    """Batches of 32, all of them copied each time that one more is appended."""
    z, labels = torch.from_numpy(normal(SEED, 0, count, generator.config.z_dim)), torch.arange(count) % CLASSES
    images = torch.empty(0)
    with torch.inference_mode():
        for at in range(0, count, STUDYS_BATCH):
            made = generator(z[at : at + STUDYS_BATCH], labels[at : at + STUDYS_BATCH])
            images = torch.cat([images, made]) if len(images) else made
    return grey_levels(images.numpy())


def unfolded(generator: Any, count: int) -> Pixels:
    """The generator as it was trained, one block after another."""
    with one_thread(), torch.inference_mode():
        blocks = []
        for at in range(0, count, source.STEP):
            z = torch.from_numpy(normal(SEED, at, at + source.STEP, generator.config.z_dim))
            blocks.append(grey_levels(generator(z, torch.arange(at, at + source.STEP) % CLASSES).numpy()))
    return np.concatenate(blocks)[:count]


def farms(weights: Any, precision: str, count: int, workers: int) -> Pixels:
    """A calibration set, the reading of the checkpoint included."""
    parameters = {"count": count, "seed": SEED, "precision": precision}
    return source.source(parameters, {"weights": weights}, Equipment(workers=workers)).block(0, count).images


def row(name: str, seconds: list[list[float]], images: dict[str, Pixels], sizes: Sizes) -> dict[str, Any]:
    """One way's figures."""
    own, studys_own = map(median, seconds)
    ratio = studys_own / own
    difference = np.abs(images[name].astype(np.int16) - images["farm, f32"]).mean()
    aim = NO_GOAL
    if name == "farm, bf16":
        aim = goal(f"at least {GOAL:g} times the study's", met=ratio >= GOAL, reason=f"{ratio:.2f} times")
    return {
        "what": name,
        "images_per_s": sizes.count / own,
        "times_the_studys": ratio,
        "difference_grey_levels": float(difference),
        **aim,
    }


if __name__ == "__main__":
    main()
