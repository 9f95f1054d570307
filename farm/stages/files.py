"""The files stage: a calibration set as files of the user's own, or what is missing of it. Knows sources by name."""

import os
import time
from importlib import metadata
from pathlib import Path

from farm.catalog.sources import SOURCES
from farm.data import imageset, setfolder
from farm.data.formats import FORMATS
from farm.data.imageset import BLOCK, ImageSet
from farm.errors import InputError
from farm.generators import latents
from farm.generators.aligned import Aligned
from farm.generators.equipment import Equipment
from farm.plan.facts import Written
from farm.plan.parameters import Files
from farm.spec import resolve
from farm.stages.job import Job
from farm.stages.synthesize import SHARD, noted, opened, telling

LATENTS = "latents"  # the role of a file of them


def run(job: Job[Files]) -> Written:
    """Make the set, or what is missing of it. Raises InputError and DataError for what cannot be used."""
    try:
        return _make(job)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error  # Arrow's own words name another file
        raise InputError(f"cannot write {job.parameters.out}: {reason}; choose another --out") from error
    except MemoryError as error:
        raise InputError(f"memory ran out ({error}); a smaller --batch or fewer --threads take less") from error


def _make(job: Job[Files]) -> Written:
    wanted, begun = job.parameters, time.monotonic()
    if wanted.device == "cuda" and job.device != "cuda":
        raise InputError("--device cuda: torch sees no GPU here; leave it out, and the CPU computes")
    images = _images(job)
    size, count = imageset.size_of(images), len(images)
    together = -(-wanted.batch // BLOCK) * BLOCK if wanted.batch else imageset.at_once(size, job.cores)
    if wanted.preview:
        imageset.write(job.folder / SHARD, images, 0, min(wanted.preview, count))
    if wanted.form == "folder":
        return _fill(job, images, together)
    if wanted.form == "raw":
        _write_raw(job, images)
    else:
        layout = FORMATS[wanted.made["layout"]]
        layout.write(Path(wanted.out), images, 0, count, together, telling(job.say, 0, count))
    seconds = time.monotonic() - begun
    return Written(n_images=count, size=size, n_made=count, made_s=seconds, note=noted(images) or None)


def _images(job: Job[Files]) -> ImageSet:
    source, equipment = job.parameters.images, Equipment(device=job.device, workers=job.cores, say=job.say)
    if LATENTS not in job.files:
        return opened(source.name, source.arguments(), job.files, equipment)
    network = resolve(SOURCES[source.name].network)(source.arguments(), job.files, equipment)
    return latents.images(job.files[LATENTS], network, source.name, source.options.get("seed", 0), equipment)


def _fill(job: Job[Files], images: ImageSet, together: int) -> Written:
    """Make what is missing of a folder, which this process alone writes to."""
    wanted, count, size = job.parameters, len(images), imageset.size_of(images)
    if wanted.made["layout"] == "png" and count < (images.classes or 0):
        raise InputError(f"--format png: {count} images show not all of {images.classes} classes: make more of them")
    notes = {"size": list(size), "classes": images.classes, "farm": metadata.version("farm")}
    if images.note:
        notes["note"] = images.note
    with setfolder.claimed(Path(wanted.out), wanted.made, count, notes) as folder:
        there, missing = dict(folder.ranges), folder.missing(verify=wanted.verify)
        total, done, begun = sum(stop - start for start, stop in missing), 0, time.monotonic()
        if total < count:
            job.say(f"{count - total:,} of {count:,} images are there")
        for number, (start, stop) in enumerate(missing, 1):
            folder.make(images, start, stop, together, telling(job.say, start, stop, done, total))
            done += stop - start
            rate = done / max(time.monotonic() - begun, 1e-9)
            job.say(f"[{number}/{len(missing)}] images {start} to {stop - 1}: {rate:,.0f} images/s", done / total)
    unsound = tuple((start, stop, why) for (start, stop), why in missing.items() if start in there)
    sound = there.keys() - {start for start, _, _ in unsound}
    return Written(
        n_images=count,
        size=size,
        n_made=total,
        made_s=time.monotonic() - begun,
        note=noted(images) or None,
        sound=tuple((part.start, part.stop) for part in there.values() if part.start in sound),
        unsound=unsound,
    )


def _write_raw(job: Job[Files], images: ImageSet) -> None:
    """A network's images as they are."""
    if not isinstance(images, Aligned) or images.floats is None:
        name = job.parameters.images.name
        raise InputError(f"{name}: its images are not a network's own, so there is nothing raw about them")
    wrote = telling(job.say, 0, len(images))
    for done in latents.write_raw(Path(job.parameters.out), images, images.floats):
        wrote(done)
