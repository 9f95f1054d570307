"""The synthesize stage: a calibration set as a shard of uint8 images. Knows sources by name only."""

from typing import Any

from farm.images import SOURCES, imageset
from farm.spec import resolve
from farm.stages.job import Job

SHARD = "images.parquet"


def run(job: Job) -> dict[str, Any]:
    """Write ``images.parquet``: index, image (uint8, H x W x 3), label (-1: none)."""
    parameters = dict(job.parameters)
    images = resolve(SOURCES[parameters.pop("source")].function)(parameters, job.files)
    imageset.write(job.folder / SHARD, images, 0, len(images))
    height, width = images.block(0, 1).images.shape[1:3]
    return {"n_images": len(images), "size": [height, width], "classes": images.classes}
