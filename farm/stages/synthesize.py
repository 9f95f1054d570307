"""The synthesize stage: part of a calibration set as a shard of uint8 images. Knows sources by name only."""

import time

from farm.catalog.sources import SOURCES
from farm.data import imageset
from farm.data.imageset import Arguments, Files, ImageSet
from farm.data.real import RealImages
from farm.data.sampling import not_in_rgb
from farm.generators.equipment import Equipment
from farm.plan.facts import Synthesized
from farm.plan.parameters import Synthesize
from farm.spec import resolve
from farm.stages.job import Job, Say

SHARD = "images.parquet"
SAY_EVERY_S = 3.0


def run(job: Job[Synthesize]) -> Synthesized:
    """Write ``images.parquet``: index, image (uint8, H x W x 3), label (-1: none), of start, ..., stop - 1."""
    source, start, stop = job.parameters.images, job.parameters.start, job.parameters.stop
    equipment = Equipment(device=job.device, workers=job.cores, say=job.say)
    images = opened(source.name, source.arguments(count=stop), job.files, equipment)
    size, begun = imageset.size_of(images), time.monotonic()
    together = imageset.at_once(size, job.cores)
    wrote = telling(job.say, start, stop)
    imageset.write(job.folder / SHARD, images, start, stop, together=together, wrote=wrote)
    return Synthesized(
        n_images=stop - start,
        size=size,
        classes=images.classes,
        images_per_s=round((stop - start) / max(time.monotonic() - begun, 1e-9), 2),
        device=job.device if SOURCES[source.name].equipped else "cpu",
        note=images.note or None,
        converted=(images.converted or None) if isinstance(images, RealImages) else None,
    )


def opened(name: str, parameters: Arguments, files: Files, equipment: Equipment) -> ImageSet:
    """The set of a source of the table; what it is lent, if it computes its images. Raises what the source raises."""
    spec = SOURCES[name]
    lent = (equipment,) if spec.equipped else ()
    images: ImageSet = resolve(spec.function)(parameters, files, *lent)
    return images


def noted(images: ImageSet) -> str:
    """What must be known of images that were made, or read."""
    converted = images.converted if isinstance(images, RealImages) else {}
    return "; ".join(filter(None, [images.note, not_in_rgb(converted)]))


def telling(say: Say, start: int, stop: int, done: int = 0, total: int | None = None) -> imageset.Wrote:
    """Tells every few seconds how far a shard is, while it is not whole. done, total: images before it and of all."""
    begun = last = time.monotonic()

    def wrote(index: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < SAY_EVERY_S or index >= stop:
            return
        last = now
        there, count = index - start, stop - start
        rate = there / (now - begun)
        say(f"{there:,} of {count:,} images, {rate:,.0f} images/s", (done + there) / (total or count))

    return wrote
