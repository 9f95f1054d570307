"""Calibration sets of fractals. Owns blocks and memory; knows no systems and no pixels."""

from dataclasses import replace

from farm.data.imageset import Arguments, Files, Pixels
from farm.generators.aligned import Aligned, Memory
from farm.generators.equipment import PLAIN, Equipment
from farm.generators.fractal.categories import Categories
from farm.generators.fractal.rendering import Rendering, render

POINTS_A_PIXEL = 8
TOGETHER = {"cpu": 1 << 20, "cuda": 1 << 25}  # points in memory at once, or one image's: what caches and GPUs like
TOO_SMALL = "the GPU's memory is too small for one fractal: set `size` smaller or use a CPU"
BLOCK = 256  # images on a CPU, if their points are few


def source(parameters: Arguments, files: Files, equipment: Equipment = PLAIN) -> Aligned:  # noqa: ARG001 - no files
    """`count` fractals of ``parameters["size"]`` (height, width), of any size, without classes: labelled -1.

    Image i is a function of (parameters other than count, i) alone: equal to the byte on every CPU, within 1 grey level
    on a GPU. Its category is i mod `categories`, which is no class: nobody is to recognise it. By default each of up to
    1,000 images has a system of its own, for variety is what calibration wants; those beyond take systems that are
    known, which is cheaper: finding a system takes longer than rendering an image.
    points: of an image; None for `POINTS_A_PIXEL` times its pixels. fill: see `Categories`. Others: see `Rendering`.
    Raises DataError, when a block is read, if a category has no system that fills enough or if a GPU is too small.
    """
    count, rendering = parameters["count"], rendering_of(parameters, equipment.device)
    most = max(rendering.together, min(BLOCK, 16 * rendering.together))
    step = -(-count // -(-count // most))  # blocks of one length, as no byte depends on it
    memory = Memory(most=min(rendering.together, step), things="fractals", too_small=TOO_SMALL, say=equipment.say)

    def compute(base: int) -> Pixels:
        return memory.fit(lambda most: render(replace(rendering, together=most), base, base + step))

    workers = equipment.workers if equipment.device == "cpu" else 1
    return Aligned(count=count, size=rendering.size, step=step, compute=compute, workers=workers)


def rendering_of(parameters: Arguments, device: str) -> Rendering:
    """How images with these parameters are computed on a device."""
    height, width = parameters["size"]
    given = {name: parameters[name] for name in ("seed", "rotation", "patches", "blur", "background")}
    categories = Categories(
        seed=parameters["seed"], count=parameters["categories"], fill=parameters["fill"], device=device
    )
    points = parameters["points"] or POINTS_A_PIXEL * height * width
    together = max(1, TOGETHER[device] // points)
    return Rendering(
        categories=categories, size=(height, width), points=points, together=together, device=device, **given
    )
