"""StyleGAN2-ADA's images a second on a CPU: farm's way against the conventional one, on the same weights and cores.

The network is that of NVIDIA's CIFAR-10 models: 20 million parameters, z and w of 512, two mapping layers, class
embedding, 512 channels at every resolution up to 32x32, a clamp at 256; with random weights, as before training, for
time does not depend on them, but for a quarter of the contrast, so that few pixels are cut off. The conventional way is
`conventional_stylegan2`: batches of 32 in float32, weights modulated for each image, by torch on all cores. farm's:
blocks of 64, one thread each, in float32 and bfloat16. All make the same images, in turn, several times. A ratio is the
median of those of turns. Differences are in grey levels: of bfloat16 from float32, of float32 from the conventional.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import conventional_stylegan2 as conventional
import numpy as np
import torch
from publishing import NO_GOAL, goal, options, parser, publish

from farm.data.imageset import Pixels
from farm.generators.equipment import Equipment, fast_bfloat16
from farm.generators.generated import Network, generated, grey_levels, normal
from farm.generators.stylegan2.config import Config
from farm.generators.stylegan2.layout import Layout, shapes
from farm.generators.stylegan2.prepared import prepared
from farm.generators.stylegan2.source import StyleGan2, network_of
from farm.host.lease import host_cores

NAME = "stylegan2"
SEED, BATCH = 0, 32
CONVENTIONAL, F32, BF16 = "conventional, f32", "farm, f32", "farm, bf16"
FPS, LEVELS = 25.0, 1.0
WIDTH, CLASSES, RATE = 512, 10, 0.01
CIFAR10 = Config(
    z_dim=WIDTH,
    w_dim=WIDTH,
    classes=CLASSES,
    layers=2,
    hidden=WIDTH,
    rate=RATE,
    embedded=WIDTH,
    averaged=True,
    channels=(WIDTH,) * 4,
    noisy=True,
    clamp=256.0,
)


class Sizes(NamedTuple):
    """count: images that each way makes in a turn. turns: how many are timed."""

    count: int
    turns: int


FULL, QUICK = Sizes(count=256, turns=5), Sizes(count=128, turns=1)


def main() -> None:
    """Make the images in turn, and publish."""
    sizes = QUICK if options(parser(__doc__ or "")).quick else FULL
    cores = len(host_cores())
    torch.set_num_threads(cores)
    layout = random_weights()
    tensors = {name: torch.from_numpy(array) for name, array in layout.arrays.items()}
    networks = {name: network(layout, name.rpartition(" ")[2]) for name in (F32, BF16)}
    ways: dict[str, Callable[[], Pixels]] = {
        CONVENTIONAL: lambda: conventionally(tensors, sizes.count),
        F32: lambda: farms(networks[F32], sizes.count, cores),
        BF16: lambda: farms(networks[BF16], sizes.count, cores),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    images: dict[str, Pixels] = {}
    for turn in range(1 + sizes.turns):  # the first one warms up
        for name, way in ways.items():
            begun = time.perf_counter()
            images[name] = way()
            if turn:
                seconds[name].append(time.perf_counter() - begun)
    native = "has AMX" if fast_bfloat16() else "has no AMX, so that bfloat16 is multiplied in float32"
    note = f"{sizes.count:,} images, {sizes.turns} turns, {cores} cores; the CPU {native}."
    publish(NAME, [row(name, seconds, images, sizes.count) for name in ways], note=note)


def random_weights() -> Layout:
    """What NVIDIA's training begins with, but for noise and contrast."""
    random, taps = np.random.default_rng(SEED), np.array([1, 3, 3, 1], np.float32)
    arrays = {}
    for name, shape in shapes(CIFAR10).items():
        arrays[name] = random.standard_normal(shape, np.float32) * (1 / RATE if ".fc" in name else 1)
        if name.endswith("bias"):
            arrays[name] = np.full(shape, "affine" in name, np.float32)
        elif name.endswith("noise_strength"):
            arrays[name] = np.full(shape, 0.1, np.float32)
        elif name.endswith("resample_filter"):
            arrays[name] = np.outer(taps, taps) / taps.sum() ** 2
        elif name.endswith("torgb.weight"):
            arrays[name] /= 4
    return Layout(config=CIFAR10, arrays=arrays)


def network(layout: Layout, precision: str) -> Network:
    """farm's network of these weights."""
    generator = prepared(layout, precision=precision)
    return network_of(StyleGan2(generator=generator, device="cpu", psi=1.0, cutoff=None, noise="const"))


def conventionally(tensors: conventional.Tensors, count: int) -> Pixels:
    """Batches of 32, on all cores."""
    shape = conventional.Shape(CLASSES, CIFAR10.layers, CIFAR10.sides[-1], CIFAR10.clamp)
    batches = []
    with torch.inference_mode():
        for at in range(0, count, BATCH):
            z = torch.from_numpy(normal(SEED, at, at + BATCH, WIDTH))
            batches.append(conventional.images(tensors, shape, z, torch.arange(at, at + BATCH) % CLASSES).numpy())
    return grey_levels(np.concatenate(batches))


def farms(made: Network, count: int, workers: int) -> Pixels:
    """A calibration set."""
    return generated(made, NAME, count, SEED, Equipment(workers=workers)).block(0, count).images


def row(name: str, seconds: dict[str, list[float]], images: dict[str, Pixels], count: int) -> dict[str, Any]:
    """One way's figures."""
    own = seconds[name]
    fps = count / median(own)
    beside = {F32: CONVENTIONAL, BF16: F32}.get(name)
    levels = None if beside is None else float(np.abs(images[name].astype(np.int16) - images[beside]).mean())
    return {
        "what": name,
        "images_per_s": fps,
        "least_images_per_s": count / max(own),
        "most_images_per_s": count / min(own),
        "times_conventional": median(theirs / ours for theirs, ours in zip(seconds[CONVENTIONAL], own, strict=True)),
        "difference_grey_levels": levels,
        **aim(name, fps, levels),
    }


def aim(name: str, fps: float, levels: float | None) -> dict[str, Any]:
    """A way's goal."""
    if name == F32:
        return goal(f"at least {FPS:g} images/s", met=fps >= FPS, reason=f"{fps:.1f} images/s on this machine")
    if name == BF16 and levels is not None:
        return goal(
            f"mean difference at most {LEVELS:g} grey level", met=levels <= LEVELS, reason=f"{levels:.2f} levels"
        )
    return dict(NO_GOAL)


if __name__ == "__main__":
    main()
