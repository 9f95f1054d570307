"""The train stage: a DiStyleGAN from a teacher's images. Knows the training, not who asked for it."""

import json
from pathlib import Path
from typing import Any

import torch

from farm.axes import Model
from farm.catalog.models import PREPROCESSING
from farm.codec import encode, members
from farm.data.imageset import ImageSet
from farm.errors import DataError
from farm.files import reserved, write_whole
from farm.generators.distylegan import source
from farm.generators.distylegan.files import CONFIG, WEIGHTS
from farm.generators.distylegan.training import CHECKPOINT, judge, output
from farm.generators.distylegan.training.recipe import Recipe, settled
from farm.generators.distylegan.training.run import train
from farm.generators.distylegan.training.teacher import Teacher, read, sample
from farm.generators.equipment import Equipment, is_out_of_memory
from farm.models.zoo import build
from farm.plan.facts import Judged, Trained
from farm.plan.parameters import Train
from farm.stages.job import Job

CARD, JUDGE = "card.json", "judge:"
JUDGED = 10_000  # images of each side
SMALLEST = 2  # batch


def run(job: Job[Train]) -> Trained:
    """Train in ``parameters.out``, or go on there; the generator is the artefact.

    Files: `images`, `latents` if the teacher gives them, and ``judge:MODEL``, weights of classifiers of CIFAR-10.
    """
    torch.set_num_threads(job.cores)
    recipe, out = Recipe.model_validate_json(json.dumps(job.parameters.recipe)), Path(job.parameters.out)
    with reserved(out):
        teacher = read(job.files["images"], job.files.get("latents"))
        if teacher.z is None:
            job.say("no latents: the student learns from the discriminator alone, it is not distilled")
        done = _trained(job, recipe, teacher, out)
        facts = Trained(**done, judged_by=_judged(job, out, teacher, recipe.seed))
        used = settled(recipe, distilled=teacher.z is not None)
        write_whole(out / CARD, f"{encode({**members(facts), 'recipe': used.model_dump()}, indent=1)}\n".encode())
        for name in (WEIGHTS, CONFIG, output.CURVES, CARD):
            if (out / name).exists():
                (job.folder / name).write_bytes((out / name).read_bytes())
    return facts


def _trained(job: Job[Train], recipe: Recipe, teacher: Teacher, out: Path) -> dict[str, Any]:
    """The facts of the training. Raises DataError, with a batch to try, if a GPU's memory is too small for it."""
    content, until_s = job.parameters.content, job.parameters.until_s
    try:
        return train(recipe, teacher, content, out, device=job.device, say=job.say, until_s=until_s)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        half = recipe.batch // 2
        less = f"--param batch={half}" if half >= SMALLEST else "--param ndf=64"
        there = (out / CHECKPOINT).exists()
        other = ", and another --out, for this one holds a training of the other" if there else ""
        raise DataError(f"the GPU's memory is too small for batch={recipe.batch}: give {less}{other}") from error


def _judged(job: Job[Train], out: Path, teacher: Teacher, seed: int) -> dict[str, Judged]:
    """What each classifier says of the student's images, beside the teacher's."""
    names = sorted(role.removeprefix(JUDGE) for role in job.files if role.startswith(JUDGE))
    if not names:
        return {}
    real = sample(teacher, JUDGED, seed)
    made: ImageSet = source.source(
        {"precision": "f32", "count": len(real), "seed": seed},
        {"weights": out},
        Equipment(device=job.device, workers=job.cores, say=job.say),
    )
    judged = {}
    for name in names:
        job.say(f"judged by {name} on {len(real):,} images of each side")
        classifier = build(Model(name=name), {"weights": job.files[JUDGE + name]})
        ours, theirs = (judge.look(classifier, images, PREPROCESSING["cifar10"], job.device) for images in (made, real))
        judged[name] = Judged(**judge.compare(ours, theirs))
    return judged
